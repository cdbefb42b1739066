// The coder's loops with AVX2, BMI2 and FMA: 32 lanes are four vectors of 8 states.
#include <immintrin.h>

#include "kernel_blocks.hpp"

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

struct Lanes {
  __m256i part[kVectors];
};

inline Lanes load_states(const std::uint32_t* states) {
  Lanes x;
  for (int v = 0; v < kVectors; ++v) x.part[v] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(states) + v);
  return x;
}

inline void store_states(std::uint32_t* states, const Lanes& x) {
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

struct Found {
  __m256i start, end, symbol;
};

// Lanes whose bucket holds more than two symbols: rare, one by one.
template <typename Index>
__attribute__((noinline)) void walk(const TableView& tables, const Index* indices, __m256i slot, unsigned far, Found& found) {
  alignas(32) std::uint32_t slots[8], starts[8], ends[8], symbols[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(slots), slot);
  _mm256_store_si256(reinterpret_cast<__m256i*>(starts), found.start);
  _mm256_store_si256(reinterpret_cast<__m256i*>(ends), found.end);
  _mm256_store_si256(reinterpret_cast<__m256i*>(symbols), found.symbol);
  for (; far != 0; far &= far - 1) {
    const int lane = __builtin_ctz(far);
    const std::uint16_t* row = tables.rows + static_cast<std::size_t>(indices[lane]) * tables.row;
    while (row[symbols[lane] + 1] <= slots[lane]) ++symbols[lane];
    starts[lane] = row[symbols[lane]];
    ends[lane] = row[symbols[lane] + 1];
  }
  found = {_mm256_load_si256(reinterpret_cast<const __m256i*>(starts)), _mm256_load_si256(reinterpret_cast<const __m256i*>(ends)),
           _mm256_load_si256(reinterpret_cast<const __m256i*>(symbols))};
}

// The low and high halves of eight buckets.
inline void load_buckets(const Bucket* buckets, __m256i at, __m256i& bounds, __m256i& rest) {
  const long long* base = reinterpret_cast<const long long*>(buckets);
  const __m256i a = _mm256_i32gather_epi64(base, _mm256_castsi256_si128(at), 8);
  const __m256i b = _mm256_i32gather_epi64(base, _mm256_extracti128_si256(at, 1), 8);
  const __m256 low = _mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0x88);
  const __m256 high = _mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0xDD);
  bounds = _mm256_permute4x64_epi64(_mm256_castps_si256(low), 0xD8);
  rest = _mm256_permute4x64_epi64(_mm256_castps_si256(high), 0xD8);
}

template <typename Index>
inline Found find(const TableView& tables, const Index* indices, __m256i slot) {
  const __m256i coarse = _mm256_srli_epi32(slot, kCoarseShift);
  const __m256i fine = _mm256_sub_epi32(_mm256_srli_epi32(slot, kFineShift), _mm256_set1_epi32(kFineBias));
  const __m256i first = _mm256_madd_epi16(load_indices(indices), _mm256_set1_epi32(kBuckets));
  __m256i bounds, rest;
  load_buckets(tables.buckets, _mm256_add_epi32(first, _mm256_max_epi32(coarse, fine)), bounds, rest);
  const __m256i low16 = _mm256_set1_epi32(0xFFFF);
  const __m256i end = _mm256_srli_epi32(bounds, 16), next_end = _mm256_and_si256(rest, low16);
  const __m256i second = _mm256_cmpgt_epi32(slot, _mm256_sub_epi32(end, _mm256_set1_epi32(1)));
  const unsigned far = mask_of(_mm256_cmpgt_epi32(slot, _mm256_sub_epi32(next_end, _mm256_set1_epi32(1))));
  Found found{_mm256_blendv_epi8(_mm256_and_si256(bounds, low16), end, second), _mm256_blendv_epi8(end, next_end, second),
              _mm256_sub_epi32(_mm256_srli_epi32(rest, 16), second)};
  if (__builtin_expect(far != 0, 0)) walk(tables, indices, slot, far, found);
  return found;
}

template <typename Index>
inline __m256i advance(const TableView& tables, const Index* indices, __m256i& x) {
  const __m256i slot = _mm256_and_si256(x, _mm256_set1_epi32(kProbabilityTotal - 1));
  const Found found = find(tables, indices, slot);
  const __m256i frequency = _mm256_sub_epi32(found.end, found.start);
  const __m256i product = _mm256_mullo_epi32(frequency, _mm256_srli_epi32(x, kProbabilityBits));
  x = _mm256_add_epi32(product, _mm256_sub_epi32(slot, found.start));
  return found.symbol;
}

inline void put_symbols(std::uint8_t* symbols, const Lanes& s) {
  const __m256i low = _mm256_packus_epi32(s.part[0], s.part[1]), high = _mm256_packus_epi32(s.part[2], s.part[3]);
  const __m256i mixed = _mm256_packus_epi16(low, high);  // fours of lanes 0 2 4 6 1 3 5 7
  const __m256i sorted = _mm256_permutevar8x32_epi32(mixed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(symbols), sorted);
}

template <int kRuns, typename Index>
void decode_runs(const TableView& tables, DecodeRun* runs, std::size_t groups) {
  Lanes x[kRuns];
  const std::uint8_t* words[kRuns];
  for (int r = 0; r < kRuns; ++r) x[r] = load_states(runs[r].states), words[r] = runs[r].words;
  std::size_t done = 0;
  for (bool room = true; room && done < groups; ++done) {
    for (int r = 0; r < kRuns; ++r) {
      const Index* indices = static_cast<const Index*>(runs[r].indices) + kGroup * done;
      Lanes symbols;
      for (int v = 0; v < kVectors; ++v) symbols.part[v] = advance(tables, indices + 8 * v, x[r].part[v]);
      put_symbols(runs[r].symbols + kGroup * done, symbols);
      for (int v = 0; v < kVectors; ++v) words[r] = refill(x[r].part[v], words[r]);
      room &= words[r] + 2 * kGroup <= runs[r].end;
    }
  }
  for (int r = 0; r < kRuns; ++r) {
    store_states(runs[r].states, x[r]);
    runs[r] = {runs[r].states, words[r], runs[r].end, static_cast<const Index*>(runs[r].indices) + kGroup * done,
               runs[r].symbols + kGroup * done, runs[r].groups - done};
  }
}

template <typename Index>
void decode(const TableView& tables, DecodeRun* runs, std::size_t count) {
  std::size_t groups = runs[0].groups;
  for (std::size_t r = 0; r < count; ++r) {
    if (runs[r].groups < groups) groups = runs[r].groups;
    if (static_cast<std::size_t>(runs[r].end - runs[r].words) < 2 * kGroup) return;
  }
  switch (count) {
    case 1: return decode_runs<1, Index>(tables, runs, groups);
    case 2: return decode_runs<2, Index>(tables, runs, groups);
    case 3: return decode_runs<3, Index>(tables, runs, groups);
    default: return decode_runs<4, Index>(tables, runs, groups);
  }
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

template <typename Index>
inline void encode_group(const TableView& tables, const Index* indices, const std::uint8_t* symbols, Lanes& x,
                         std::uint16_t*& words) {
  for (int v = kVectors - 1; v >= 0; --v) {
    const __m256i row = _mm256_madd_epi16(load_indices(indices + 8 * v), _mm256_set1_epi32(static_cast<int>(tables.row)));
    const __m256i at = _mm256_add_epi32(row, load_indices(symbols + 8 * v));
    const __m256i bounds = _mm256_i32gather_epi32(reinterpret_cast<const int*>(tables.rows), at, 2);
    const __m256i start = _mm256_and_si256(bounds, _mm256_set1_epi32(0xFFFF));
    const __m256i frequency = _mm256_sub_epi32(_mm256_srli_epi32(bounds, 16), start);
    const __m256i full = at_least(x.part[v], _mm256_slli_epi32(frequency, 32 - kProbabilityBits));
    words = emit(words, x.part[v], mask_of(full));
    x.part[v] = push(_mm256_blendv_epi8(x.part[v], _mm256_srli_epi32(x.part[v], 16), full), start, frequency);
  }
}

template <int kRuns, typename Index>
void encode_runs(const TableView& tables, EncodeRun* runs, std::size_t groups) {
  Lanes x[kRuns];
  std::uint16_t* words[kRuns];
  for (int r = 0; r < kRuns; ++r) x[r] = load_states(runs[r].states), words[r] = runs[r].words;
  for (std::size_t g = 1; g <= groups; ++g)
    for (int r = 0; r < kRuns; ++r)
      encode_group(tables, static_cast<const Index*>(runs[r].indices) - kGroup * g, runs[r].symbols - kGroup * g, x[r], words[r]);
  for (int r = 0; r < kRuns; ++r) {
    store_states(runs[r].states, x[r]);
    runs[r] = {runs[r].states, words[r], static_cast<const Index*>(runs[r].indices) - kGroup * groups,
               runs[r].symbols - kGroup * groups, runs[r].groups - groups};
  }
}

template <typename Index>
void encode(const TableView& tables, EncodeRun* runs, std::size_t count) {
  std::size_t groups = runs[0].groups;
  for (std::size_t r = 1; r < count; ++r)
    if (runs[r].groups < groups) groups = runs[r].groups;
  switch (count) {
    case 1: return encode_runs<1, Index>(tables, runs, groups);
    case 2: return encode_runs<2, Index>(tables, runs, groups);
    case 3: return encode_runs<3, Index>(tables, runs, groups);
    default: return encode_runs<4, Index>(tables, runs, groups);
  }
}

template <typename Index>
constexpr IndexKernels<Index> kernels() {
  return {&decode<Index>, &encode<Index>,
          &split_block<std::int16_t, Index>, &split_block<std::int32_t, Index>,
          &join_block<std::int16_t, Index>, &join_block<std::int32_t, Index>,
          &count_raw_bits<Index>, &find_range<Index>};
}

}  // namespace

const Kernels kAvx2Kernels{"avx2", kernels<std::uint8_t>(), kernels<std::uint16_t>(), nullptr, nullptr};

}  // namespace nvcodec
