// The coder's loops with AVX2, BMI2 and FMA.
#include <immintrin.h>

#include "kernel_avx2_lanes.hpp"
#include "kernel_blocks.hpp"
#include "kernel_runs.hpp"

namespace nvcodec {
namespace {

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

// A table a symbol.
template <typename Index>
struct PerSymbol {
  using Lanes = Quad;
  static constexpr std::size_t kStride = sizeof(Index) * kGroup;

  const TableView& tables;

  inline const std::uint8_t* decode(Quad& x, const void* where, std::uint8_t* symbols, const std::uint8_t* words) const {
    const Index* indices = static_cast<const Index*>(where);
    Quad found;
    for (int v = 0; v < kVectors; ++v) found.part[v] = advance(tables, indices + 8 * v, x.part[v]);
    put_symbols(symbols, found);
    for (int v = 0; v < kVectors; ++v) words = refill(x.part[v], words);
    return words;
  }

  inline std::uint16_t* encode(Quad& x, const void* where, const std::uint8_t* symbols, std::uint16_t* words) const {
    const Index* indices = static_cast<const Index*>(where);
    for (int v = kVectors - 1; v >= 0; --v) {
      // the row's width is set anew each time: a register that keeps it is missed elsewhere, which costs 12 %
      const __m256i width = _mm256_set1_epi32(static_cast<int>(tables.row));
      const __m256i row = _mm256_madd_epi16(load_indices(indices + 8 * v), width);
      const __m256i at = _mm256_add_epi32(row, load_indices(symbols + 8 * v));
      const __m256i bounds = _mm256_i32gather_epi32(reinterpret_cast<const int*>(tables.rows), at, 2);
      const __m256i start = _mm256_and_si256(bounds, _mm256_set1_epi32(0xFFFF));
      const __m256i frequency = _mm256_sub_epi32(_mm256_srli_epi32(bounds, 16), start);
      const __m256i full = at_least(x.part[v], _mm256_slli_epi32(frequency, 32 - kProbabilityBits));
      words = emit(words, x.part[v], mask_of(full));
      x.part[v] = push(_mm256_blendv_epi8(x.part[v], _mm256_srli_epi32(x.part[v], 16), full), start, frequency);
    }
    return words;
  }

  static Quad load(const std::uint32_t* states) { return load_states(states); }
  static void store(std::uint32_t* states, const Quad& x) { store_states(states, x); }
};

template <typename Index>
void decode(const TableView& tables, DecodeRun* runs, std::size_t count) {
  decode_with(PerSymbol<Index>{tables}, runs, count);
}

template <typename Index>
void encode(const TableView& tables, EncodeRun* runs, std::size_t count) {
  encode_with(PerSymbol<Index>{tables}, runs, count);
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
