// The coder's loops with AVX-512 (F, BW, DQ, VL, VBMI, VBMI2).
#include <immintrin.h>

#include "kernel_avx512_lanes.hpp"
#include "kernel_avx512_single.hpp"
#include "kernel_blocks.hpp"
#include "kernel_runs.hpp"

namespace nvcodec {
namespace {

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

// A table a symbol.
template <typename Index>
struct PerSymbol {
  using Lanes = Pair;
  static constexpr std::size_t kStride = sizeof(Index) * kGroup;

  const TableView& tables;

  inline const std::uint8_t* decode(Pair& x, const void* where, std::uint8_t* symbols, const std::uint8_t* words) const {
    const Index* indices = static_cast<const Index*>(where);
    const __m512i mask = _mm512_set1_epi32(kSlotMask);
    const __m512i low = _mm512_and_si512(x.low, mask), high = _mm512_and_si512(x.high, mask);
    const Found a = find(tables, indices, low), b = find(tables, indices + 16, high);
    x = {step(x.low, low, a.start, a.end), step(x.high, high, b.start, b.end)};
    put_symbols(symbols, a.symbol);
    put_symbols(symbols + 16, b.symbol);
    return refill(x, words);
  }

  // Start of each symbol in the low and its end in the high half.
  inline __m512i look_up(const Index* indices, const std::uint8_t* symbols) const {
    const __m512i row = _mm512_madd_epi16(load_indices(indices), _mm512_set1_epi32(static_cast<int>(tables.row)));
    return _mm512_i32gather_epi32(_mm512_add_epi32(row, load_indices(symbols)), tables.rows, 2);
  }

  inline std::uint16_t* encode(Pair& x, const void* where, const std::uint8_t* symbols, std::uint16_t* words) const {
    const Index* indices = static_cast<const Index*>(where);
    const __m512i low = look_up(indices, symbols), high = look_up(indices + 16, symbols + 16);
    const __m512i low16 = _mm512_set1_epi32(0xFFFF);
    return encode_pair(x, {_mm512_and_si512(low, low16), _mm512_and_si512(high, low16)},
                       {_mm512_srli_epi32(low, 16), _mm512_srli_epi32(high, 16)}, words);
  }

  static Pair load(const std::uint32_t* states) { return load_states(states); }
  static void store(std::uint32_t* states, const Pair& x) { store_states(states, x); }
};

template <typename Index>
void decode(const TableView& tables, DecodeRun* runs, std::size_t count) {
  decode_with(PerSymbol<Index>{tables}, runs, count);
}

template <typename Index>
void encode(const TableView& tables, EncodeRun* runs, std::size_t count) {
  encode_with(PerSymbol<Index>{tables}, runs, count);
}

void decode_one(const Table& table, DecodeRun* runs, std::size_t count) { decode_with(Single(table), runs, count); }
void encode_one(const Table& table, EncodeRun* runs, std::size_t count) { encode_with(Single(table), runs, count); }

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
