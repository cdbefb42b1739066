// All symbols under one table of up to 64 symbols, which lives in registers.
#pragma once

#include "kernel_avx512_lanes.hpp"

namespace nvcodec {
namespace {

// Lanes 0-15 in the low, 16-31 in the high half of each 32 bits. Symbols are looked up by buckets of 256 slots below kWide of them and of 32 above.
constexpr int kWideShift = 8, kNarrowShift = 5;
constexpr std::uint32_t kWide = 56, kNarrowBias = (kWide << (kWideShift - kNarrowShift)) - kWide;
constexpr std::uint32_t kFewBuckets = (kProbabilityTotal >> kNarrowShift) - kNarrowBias;
static_assert(kFewBuckets <= 128);

struct Single {
  using Lanes = Pair;
  static constexpr std::size_t kStride = 0;
  __m512i starts[2], ends[2], firsts[2];

  explicit Single(const Table& table) {
    alignas(64) std::uint16_t rows[2][64];
    alignas(64) std::uint8_t first[128] = {};
    for (std::uint32_t s = 0; s < 64; ++s) {
      const bool there = s <= table.escape;
      rows[0][s] = there ? table.cumulative[s] : kProbabilityTotal;
      rows[1][s] = there ? table.cumulative[s + 1] : kProbabilityTotal;
    }
    for (std::uint32_t b = 0, symbol = 0; b < kFewBuckets; ++b) {
      const std::uint32_t slot = b < kWide ? b << kWideShift : (b + kNarrowBias) << kNarrowShift;
      while (table.cumulative[symbol + 1] <= slot) ++symbol;
      first[b] = static_cast<std::uint8_t>(symbol);
    }
    for (int half = 0; half < 2; ++half) {
      starts[half] = _mm512_load_si512(rows[0] + 32 * half);
      ends[half] = _mm512_load_si512(rows[1] + 32 * half);
      firsts[half] = _mm512_load_si512(first + 64 * half);
    }
  }

  inline __m512i find(__m512i slots, __m512i& end) const {
    const __m512i narrow = _mm512_sub_epi16(_mm512_srli_epi16(slots, kNarrowShift), _mm512_set1_epi16(kNarrowBias));
    const __m512i bucket = _mm512_max_epi16(_mm512_srli_epi16(slots, kWideShift), narrow);
    const __m512i bytes = _mm512_permutex2var_epi8(firsts[0], bucket, firsts[1]);
    __m512i symbol = _mm512_and_si512(bytes, _mm512_set1_epi16(0xFF));
    for (;;) {
      end = _mm512_permutex2var_epi16(ends[0], symbol, ends[1]);
      const __mmask32 beyond = _mm512_cmpge_epu16_mask(slots, end);
      if (beyond == 0) return symbol;
      symbol = _mm512_mask_add_epi16(symbol, beyond, symbol, _mm512_set1_epi16(1));
    }
  }

  inline const std::uint8_t* decode(Pair& x, const void*, std::uint8_t* symbols, const std::uint8_t* words) const {
    const __m512i mask = _mm512_set1_epi16(kSlotMask), low16 = _mm512_set1_epi32(0xFFFF);
    const __m512i slots = _mm512_and_si512(mask, _mm512_mask_blend_epi16(0xAAAAAAAA, x.low, _mm512_slli_epi32(x.high, 16)));
    __m512i end;
    const __m512i symbol = find(slots, end);
    const __m512i start = _mm512_permutex2var_epi16(starts[0], symbol, starts[1]);
    const __m512i frequency = _mm512_sub_epi16(end, start);
    const __m512i bias = _mm512_sub_epi16(slots, start);
    x.low = _mm512_add_epi32(_mm512_and_si512(bias, low16),
                             _mm512_mullo_epi32(_mm512_and_si512(frequency, low16), _mm512_srli_epi32(x.low, 14)));
    x.high = _mm512_add_epi32(_mm512_srli_epi32(bias, 16),
                              _mm512_mullo_epi32(_mm512_srli_epi32(frequency, 16), _mm512_srli_epi32(x.high, 14)));
    put_symbols(symbols, symbol);
    put_symbols(symbols + 16, _mm512_srli_epi32(symbol, 16));
    return refill(x, words);
  }

  inline std::uint16_t* encode(Pair& x, const void*, const std::uint8_t* symbols, std::uint16_t* words) const {
    const __m512i low16 = _mm512_set1_epi32(0xFFFF);
    const __m512i symbol = _mm512_or_si512(load_indices(symbols), _mm512_slli_epi32(load_indices(symbols + 16), 16));
    const __m512i start = _mm512_permutex2var_epi16(starts[0], symbol, starts[1]);
    const __m512i end = _mm512_permutex2var_epi16(ends[0], symbol, ends[1]);
    return encode_pair(x, {_mm512_and_si512(start, low16), _mm512_srli_epi32(start, 16)},
                       {_mm512_and_si512(end, low16), _mm512_srli_epi32(end, 16)}, words);
  }

  static Pair load(const std::uint32_t* states) { return load_states(states); }
  static void store(std::uint32_t* states, const Pair& x) { store_states(states, x); }
};

}  // namespace
}  // namespace nvcodec
