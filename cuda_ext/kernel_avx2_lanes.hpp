// 32 rANS lanes as four vectors of 8: what decoding and encoding do with states and words, whatever the tables.
#pragma once

#include <immintrin.h>

#include "kernels.hpp"

namespace nvcodec {
namespace {

constexpr int kVectors = 4;

// For each mask of 8 lanes: the permutation that gives the lanes in it the next words, and the one that moves the words
// of those lanes, in order, to the top of 16 bytes.
struct Moves {
  alignas(64) std::uint64_t spread[256];
  alignas(64) std::uint8_t pack[256][16];

  constexpr Moves() : spread{}, pack{} {
    for (unsigned mask = 0; mask < 256; ++mask) {
      unsigned count = 0;
      for (unsigned lane = 0; lane < 8; ++lane)
        if ((mask >> lane & 1u) != 0) spread[mask] |= static_cast<std::uint64_t>(count++) << (8 * lane);
      unsigned at = 8 - count;
      for (unsigned lane = 0; lane < 8; ++lane) {
        if ((mask >> lane & 1u) == 0) continue;
        pack[mask][2 * at] = static_cast<std::uint8_t>(2 * lane);
        pack[mask][2 * at + 1] = static_cast<std::uint8_t>(2 * lane + 1);
        ++at;
      }
    }
  }
};

constexpr Moves kMoves;

struct Quad {
  __m256i part[kVectors];
};

inline Quad load_states(const std::uint32_t* states) {
  Quad x;
  for (int v = 0; v < kVectors; ++v) x.part[v] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(states) + v);
  return x;
}

inline void store_states(std::uint32_t* states, const Quad& x) {
  for (int v = 0; v < kVectors; ++v) _mm256_storeu_si256(reinterpret_cast<__m256i*>(states) + v, x.part[v]);
}

inline __m256i load_indices(const std::uint8_t* p) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
inline __m256i load_indices(const std::uint16_t* p) {
  return _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}

inline __m256i at_least(__m256i a, __m256i b) { return _mm256_cmpeq_epi32(_mm256_max_epu32(a, b), a); }
inline unsigned mask_of(__m256i lanes) { return static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(lanes))); }

inline const std::uint8_t* refill(__m256i& x, const std::uint8_t* words) {
  const __m256i small = _mm256_cmpeq_epi32(_mm256_srli_epi32(x, 16), _mm256_setzero_si256());
  const unsigned mask = mask_of(small);
  const __m256i next = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(words)));
  const __m256i order = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<long long>(kMoves.spread[mask])));
  const __m256i filled = _mm256_or_si256(_mm256_slli_epi32(x, 16), _mm256_permutevar8x32_epi32(next, order));
  x = _mm256_blendv_epi8(x, filled, small);
  return words + 2 * _mm_popcnt_u32(mask);
}

inline void put_symbols(std::uint8_t* symbols, const Quad& s) {
  const __m256i low = _mm256_packus_epi32(s.part[0], s.part[1]), high = _mm256_packus_epi32(s.part[2], s.part[3]);
  const __m256i mixed = _mm256_packus_epi16(low, high);  // fours of lanes 0 2 4 6 1 3 5 7
  const __m256i sorted = _mm256_permutevar8x32_epi32(mixed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(symbols), sorted);
}

// The words of eight lanes that are full, in lane order, below `words`; scribbles over the rest of 16 bytes there.
inline std::uint16_t* emit(std::uint16_t* words, __m256i x, unsigned full) {
  const __m256i low = _mm256_and_si256(x, _mm256_set1_epi32(0xFFFF));
  const __m128i packed = _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
  const __m128i order = _mm_load_si128(reinterpret_cast<const __m128i*>(kMoves.pack[full]));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(words - 8), _mm_shuffle_epi8(packed, order));
  return words - _mm_popcnt_u32(full);
}

// x / frequency by floats, a little too small: exact or one below, which the remainder tells.
inline __m256i push(__m256i x, __m256i start, __m256i frequency) {
  const __m256 divisor = _mm256_cvtepi32_ps(frequency);
  const __m256 rough = _mm256_rcp_ps(divisor);
  const __m256 error = _mm256_fnmadd_ps(divisor, rough, _mm256_set1_ps(1.9999990f));
  const __m256 as_signed = _mm256_cvtepi32_ps(x);
  const __m256 value = _mm256_blendv_ps(as_signed, _mm256_add_ps(as_signed, _mm256_set1_ps(0x1p32f)), _mm256_castsi256_ps(x));
  const __m256i quotient = _mm256_cvttps_epi32(_mm256_mul_ps(value, _mm256_mul_ps(rough, error)));
  const __m256i rest = _mm256_sub_epi32(x, _mm256_mullo_epi32(quotient, frequency));
  const __m256i next = _mm256_add_epi32(_mm256_slli_epi32(quotient, kProbabilityBits), _mm256_add_epi32(rest, start));
  const __m256i more = _mm256_sub_epi32(_mm256_set1_epi32(kProbabilityTotal), frequency);
  return _mm256_add_epi32(next, _mm256_and_si256(at_least(rest, frequency), more));
}

}  // namespace
}  // namespace nvcodec
