// The coder's loops with AVX-512 (F, BW, DQ, VL, VBMI, VBMI2): 32 lanes are two vectors of 16 states.
#include <immintrin.h>

#include "kernel_blocks.hpp"

namespace nvcodec {
namespace {

constexpr int kSlotMask = static_cast<int>(kProbabilityTotal) - 1;

// States, symbol starts and the like of 32 lanes.
struct Pair {
  __m512i low, high;
};

inline __m512i load_indices(const std::uint8_t* p) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline __m512i load_indices(const std::uint16_t* p) {
  return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}

inline __m512i load_words(const std::uint8_t* p) {
  return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}

// x where it is at least 2^16, else x * 2^16 + the next word.
inline __m512i refill(__m512i x, __mmask16 small, const std::uint8_t* words) {
  return _mm512_mask_or_epi32(x, small, _mm512_slli_epi32(x, 16), _mm512_maskz_expand_epi32(small, load_words(words)));
}

inline const std::uint8_t* refill(Pair& x, const std::uint8_t* words) {
  const __m512i low = _mm512_set1_epi32(0x10000);
  const __mmask16 a = _mm512_cmplt_epu32_mask(x.low, low), b = _mm512_cmplt_epu32_mask(x.high, low);
  x.low = refill(x.low, a, words);
  words += 2 * _mm_popcnt_u32(a);
  x.high = refill(x.high, b, words);
  return words + 2 * _mm_popcnt_u32(b);
}

// What the slots of 16 lanes belong to.
struct Found {
  __m512i start, end, symbol;
};

// Lanes whose bucket holds more than two symbols: rare, one by one.
template <typename Index>
__attribute__((noinline)) void walk(const TableView& tables, const Index* indices, __m512i slot, __mmask16 far, Found& found) {
  alignas(64) std::uint32_t slots[16], starts[16], ends[16], symbols[16];
  _mm512_store_si512(slots, slot);
  _mm512_store_si512(starts, found.start);
  _mm512_store_si512(ends, found.end);
  _mm512_store_si512(symbols, found.symbol);
  for (std::uint32_t left = far; left != 0; left &= left - 1) {
    const std::uint32_t lane = static_cast<std::uint32_t>(__builtin_ctz(left));
    const std::uint16_t* row = tables.rows + static_cast<std::size_t>(indices[lane]) * tables.row;
    while (row[symbols[lane] + 1] <= slots[lane]) ++symbols[lane];
    starts[lane] = row[symbols[lane]];
    ends[lane] = row[symbols[lane] + 1];
  }
  found = {_mm512_load_si512(starts), _mm512_load_si512(ends), _mm512_load_si512(symbols)};
}

template <typename Index>
inline Found find(const TableView& tables, const Index* indices, __m512i slot) {
  const __m512i coarse = _mm512_srli_epi32(slot, kCoarseShift);
  const __m512i fine = _mm512_sub_epi32(_mm512_srli_epi32(slot, kFineShift), _mm512_set1_epi32(kFineBias));
  const __m512i first = _mm512_madd_epi16(load_indices(indices), _mm512_set1_epi32(kBuckets));
  const __m512i at = _mm512_add_epi32(first, _mm512_max_epi32(coarse, fine));
  const __m512i a = _mm512_i32gather_epi64(_mm512_castsi512_si256(at), tables.buckets, 8);
  const __m512i b = _mm512_i32gather_epi64(_mm512_extracti64x4_epi64(at, 1), tables.buckets, 8);
  const __m512i evens = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i bounds = _mm512_permutex2var_epi32(a, evens, b);
  const __m512i rest = _mm512_permutex2var_epi32(a, _mm512_or_si512(evens, _mm512_set1_epi32(1)), b);
  const __m512i low16 = _mm512_set1_epi32(0xFFFF);
  const __m512i end = _mm512_srli_epi32(bounds, 16), next_end = _mm512_and_si512(rest, low16);
  const __mmask16 second = _mm512_cmpge_epu32_mask(slot, end), far = _mm512_cmpge_epu32_mask(slot, next_end);
  const __m512i symbol = _mm512_srli_epi32(rest, 16);
  Found found{_mm512_mask_mov_epi32(_mm512_and_si512(bounds, low16), second, end),
              _mm512_mask_mov_epi32(end, second, next_end),
              _mm512_mask_add_epi32(symbol, second, symbol, _mm512_set1_epi32(1))};
  if (__builtin_expect(far != 0, 0)) walk(tables, indices, slot, far, found);
  return found;
}

inline __m512i step(__m512i x, __m512i slot, const Found& found) {
  const __m512i frequency = _mm512_sub_epi32(found.end, found.start);
  const __m512i product = _mm512_mullo_epi32(frequency, _mm512_srli_epi32(x, kProbabilityBits));
  return _mm512_add_epi32(product, _mm512_sub_epi32(slot, found.start));
}

inline void put_symbols(std::uint8_t* symbols, __m512i symbol) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(symbols), _mm512_cvtepi32_epi8(symbol));
}

template <typename Index>
struct Bucketed {
  const TableView& tables;

  inline void decode(Pair& x, const void* where, std::uint8_t* symbols) const {
    const Index* indices = static_cast<const Index*>(where);
    const __m512i mask = _mm512_set1_epi32(kSlotMask);
    const __m512i low = _mm512_and_si512(x.low, mask), high = _mm512_and_si512(x.high, mask);
    const Found a = find(tables, indices, low), b = find(tables, indices + 16, high);
    x.low = step(x.low, low, a);
    x.high = step(x.high, high, b);
    put_symbols(symbols, a.symbol);
    put_symbols(symbols + 16, b.symbol);
  }

  static constexpr std::size_t kStride = sizeof(Index) * kGroup;
};

// All symbols under one table of up to 64 symbols, which lives in registers. Lanes 0-15 in the low, 16-31 in the high
// half of each 32 bits. Symbols are looked up by buckets of 256 slots below kWide of them and of 32 above.
constexpr int kWideShift = 8, kNarrowShift = 5;
constexpr std::uint32_t kWide = 56, kNarrowBias = (kWide << (kWideShift - kNarrowShift)) - kWide;
constexpr std::uint32_t kFewBuckets = (kProbabilityTotal >> kNarrowShift) - kNarrowBias;
static_assert(kFewBuckets <= 128);

struct Single {
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

  inline void decode(Pair& x, const void*, std::uint8_t* symbols) const {
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
  }

  static constexpr std::size_t kStride = 0;
};

template <int kRuns, typename Finder>
void decode_runs(const Finder& finder, DecodeRun* runs, std::size_t groups) {
  Pair x[kRuns];
  const std::uint8_t* words[kRuns];
  for (int r = 0; r < kRuns; ++r) {
    x[r] = {_mm512_loadu_si512(runs[r].states), _mm512_loadu_si512(runs[r].states + 16)};
    words[r] = runs[r].words;
  }
  std::size_t done = 0;
  for (bool room = true; room && done < groups; ++done) {
    for (int r = 0; r < kRuns; ++r) {
      const std::uint8_t* where = static_cast<const std::uint8_t*>(runs[r].indices) + Finder::kStride * done;
      finder.decode(x[r], where, runs[r].symbols + kGroup * done);
      words[r] = refill(x[r], words[r]);
      room &= words[r] + 2 * kGroup <= runs[r].end;
    }
  }
  for (int r = 0; r < kRuns; ++r) {
    _mm512_storeu_si512(runs[r].states, x[r].low);
    _mm512_storeu_si512(runs[r].states + 16, x[r].high);
    runs[r] = {runs[r].states, words[r], runs[r].end,
               static_cast<const std::uint8_t*>(runs[r].indices) + Finder::kStride * done,
               runs[r].symbols + kGroup * done, runs[r].groups - done};
  }
}

template <typename Finder>
void decode_with(const Finder& finder, DecodeRun* runs, std::size_t count) {
  std::size_t groups = runs[0].groups;
  for (std::size_t r = 0; r < count; ++r) {
    if (runs[r].groups < groups) groups = runs[r].groups;
    if (static_cast<std::size_t>(runs[r].end - runs[r].words) < 2 * kGroup) return;
  }
  switch (count) {
    case 1: return decode_runs<1>(finder, runs, groups);
    case 2: return decode_runs<2>(finder, runs, groups);
    case 3: return decode_runs<3>(finder, runs, groups);
    default: return decode_runs<4>(finder, runs, groups);
  }
}

template <typename Index>
void decode(const TableView& tables, DecodeRun* runs, std::size_t count) {
  decode_with(Bucketed<Index>{tables}, runs, count);
}

void decode_one(const Table& table, DecodeRun* runs, std::size_t count) { decode_with(Single(table), runs, count); }

// The words of 16 lanes that are full, in lane order, below `words`; returns where they begin.
inline std::uint16_t* emit(std::uint16_t* words, __m512i x, __mmask16 full) {
  const std::uint32_t count = static_cast<std::uint32_t>(_mm_popcnt_u32(full));
  words -= count;
  const __m256i packed = _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(full, x));
  _mm256_mask_storeu_epi16(words, static_cast<__mmask16>((1u << count) - 1u), packed);
  return words;
}

// x / frequency by floats, a little too small: exact or one below, which the remainder tells.
inline __m512i push(__m512i x, __m512i start, __m512i frequency) {
  const __m512 divisor = _mm512_cvtepi32_ps(frequency);
  const __m512 rough = _mm512_rcp14_ps(divisor);
  const __m512 error = _mm512_fnmadd_ps(divisor, rough, _mm512_set1_ps(1.9999990f));
  const __m512 reciprocal = _mm512_mul_ps(rough, error);
  const __m512i quotient = _mm512_cvttps_epi32(_mm512_mul_ps(_mm512_cvtepu32_ps(x), reciprocal));
  const __m512i rest = _mm512_sub_epi32(x, _mm512_mullo_epi32(quotient, frequency));
  const __m512i next = _mm512_add_epi32(_mm512_slli_epi32(quotient, kProbabilityBits), _mm512_add_epi32(rest, start));
  const __mmask16 below = _mm512_cmpge_epu32_mask(rest, frequency);
  const __m512i more = _mm512_sub_epi32(_mm512_set1_epi32(kProbabilityTotal), frequency);
  return _mm512_mask_add_epi32(next, below, next, more);
}

inline __mmask16 full(__m512i x, __m512i frequency) {
  return _mm512_cmpge_epu32_mask(x, _mm512_slli_epi32(frequency, 32 - kProbabilityBits));
}

inline __m512i shorten(__m512i x, __mmask16 full) { return _mm512_mask_srli_epi32(x, full, x, 16); }

template <typename Index>
struct Gathered {
  const TableView& tables;

  inline __m512i look_up(const Index* indices, const std::uint8_t* symbols) const {
    const __m512i row = _mm512_madd_epi16(load_indices(indices), _mm512_set1_epi32(static_cast<int>(tables.row)));
    return _mm512_i32gather_epi32(_mm512_add_epi32(row, load_indices(symbols)), tables.rows, 2);
  }

  inline void bounds(const void* where, const std::uint8_t* symbols, Pair& start, Pair& end) const {
    const Index* indices = static_cast<const Index*>(where);
    const __m512i low = look_up(indices, symbols), high = look_up(indices + 16, symbols + 16);
    start = {_mm512_and_si512(low, _mm512_set1_epi32(0xFFFF)), _mm512_and_si512(high, _mm512_set1_epi32(0xFFFF))};
    end = {_mm512_srli_epi32(low, 16), _mm512_srli_epi32(high, 16)};
  }

  static constexpr std::size_t kStride = sizeof(Index) * kGroup;
};

struct SingleBounds {
  Single table;

  inline void bounds(const void*, const std::uint8_t* symbols, Pair& start, Pair& end) const {
    const __m512i low16 = _mm512_set1_epi32(0xFFFF);
    const __m512i symbol = _mm512_or_si512(load_indices(symbols), _mm512_slli_epi32(load_indices(symbols + 16), 16));
    const __m512i starts = _mm512_permutex2var_epi16(table.starts[0], symbol, table.starts[1]);
    const __m512i ends = _mm512_permutex2var_epi16(table.ends[0], symbol, table.ends[1]);
    start = {_mm512_and_si512(starts, low16), _mm512_srli_epi32(starts, 16)};
    end = {_mm512_and_si512(ends, low16), _mm512_srli_epi32(ends, 16)};
  }

  static constexpr std::size_t kStride = 0;
};

template <int kRuns, typename Bounds>
void encode_runs(const Bounds& bounds, EncodeRun* runs, std::size_t groups) {
  Pair x[kRuns];
  std::uint16_t* words[kRuns];
  for (int r = 0; r < kRuns; ++r) {
    x[r] = {_mm512_loadu_si512(runs[r].states), _mm512_loadu_si512(runs[r].states + 16)};
    words[r] = runs[r].words;
  }
  for (std::size_t g = 1; g <= groups; ++g) {
    for (int r = 0; r < kRuns; ++r) {
      Pair start, end;
      const std::uint8_t* where = static_cast<const std::uint8_t*>(runs[r].indices) - Bounds::kStride * g;
      bounds.bounds(where, runs[r].symbols - kGroup * g, start, end);
      const __m512i low = _mm512_sub_epi32(end.low, start.low), high = _mm512_sub_epi32(end.high, start.high);
      const __mmask16 full_low = full(x[r].low, low), full_high = full(x[r].high, high);
      words[r] = emit(emit(words[r], x[r].high, full_high), x[r].low, full_low);
      x[r] = {push(shorten(x[r].low, full_low), start.low, low), push(shorten(x[r].high, full_high), start.high, high)};
    }
  }
  for (int r = 0; r < kRuns; ++r) {
    _mm512_storeu_si512(runs[r].states, x[r].low);
    _mm512_storeu_si512(runs[r].states + 16, x[r].high);
    runs[r] = {runs[r].states, words[r], static_cast<const std::uint8_t*>(runs[r].indices) - Bounds::kStride * groups,
               runs[r].symbols - kGroup * groups, runs[r].groups - groups};
  }
}

template <typename Bounds>
void encode_with(const Bounds& bounds, EncodeRun* runs, std::size_t count) {
  std::size_t groups = runs[0].groups;
  for (std::size_t r = 1; r < count; ++r)
    if (runs[r].groups < groups) groups = runs[r].groups;
  switch (count) {
    case 1: return encode_runs<1>(bounds, runs, groups);
    case 2: return encode_runs<2>(bounds, runs, groups);
    case 3: return encode_runs<3>(bounds, runs, groups);
    default: return encode_runs<4>(bounds, runs, groups);
  }
}

template <typename Index>
void encode(const TableView& tables, EncodeRun* runs, std::size_t count) {
  encode_with(Gathered<Index>{tables}, runs, count);
}

void encode_one(const Table& table, EncodeRun* runs, std::size_t count) {
  encode_with(SingleBounds{Single(table)}, runs, count);
}

template <typename Index>
constexpr IndexKernels<Index> kernels() {
  return {&decode<Index>, &encode<Index>,
          &split_block<std::int16_t, Index>, &split_block<std::int32_t, Index>,
          &join_block<std::int16_t, Index>, &join_block<std::int32_t, Index>,
          &count_raw_bits<Index>, &find_range<Index>};
}

}  // namespace

const Kernels kAvx512Kernels{"avx512", kernels<std::uint8_t>(), kernels<std::uint16_t>(), &decode_one, &encode_one};

}  // namespace nvcodec
