// One group of 32 symbols for AVX2 and up: traits of their tables, values <-> table symbols.
#pragma once

#include <immintrin.h>

#include "kernel_bits.hpp"

namespace nvcodec {
namespace {

struct Traits {
  __m256i raw, escape;  // bytes
};

inline __m256i load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
inline void store(void* p, __m256i value) { _mm256_storeu_si256(static_cast<__m256i*>(p), value); }

// Indices as bytes, less the first of at most 64.
inline __m256i byte_indices(const std::uint8_t* indices, std::uint32_t first) {
  return _mm256_sub_epi8(load(indices), _mm256_set1_epi8(static_cast<char>(first)));
}
inline __m256i byte_indices(const std::uint16_t* indices, std::uint32_t first) {
  const __m256i base = _mm256_set1_epi16(static_cast<short>(first));
  const __m256i low = _mm256_sub_epi16(load(indices), base), high = _mm256_sub_epi16(load(indices + 16), base);
  return _mm256_permute4x64_epi64(_mm256_packus_epi16(low, high), 0xD8);
}

// Bytes of a table of 64 by indices below 64.
inline __m256i permute64(const std::uint8_t* table, __m256i indices) {
#ifdef __AVX512VBMI__
  return _mm512_castsi512_si256(_mm512_permutexvar_epi8(_mm512_castsi256_si512(indices), _mm512_loadu_si512(table)));
#else
  const auto part = [&](int number) {
    const __m128i row = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table) + number);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(row), indices);
  };
  const __m256i bit4 = _mm256_slli_epi16(indices, 3), bit5 = _mm256_slli_epi16(indices, 2);
  return _mm256_blendv_epi8(_mm256_blendv_epi8(part(0), part(1), bit4), _mm256_blendv_epi8(part(2), part(3), bit4), bit5);
#endif
}

template <typename Index>
inline __m256i trait(const std::uint8_t* of_tables, IndexRange range, const Index* indices) {
  if (range.last - range.first < kFewTables)
    return permute64(of_tables + range.first, byte_indices(indices, range.first));
  alignas(32) std::uint8_t each[kGroup];
  for (std::size_t i = 0; i < kGroup; ++i) each[i] = of_tables[indices[i]];
  return load(each);
}

template <typename Index>
inline Traits look_up(const TableView& tables, IndexRange range, const Index* indices) {
  return {trait(tables.raw_bits, range, indices), trait(tables.escapes, range, indices)};
}

inline bool has_raw(const Traits& traits) { return !_mm256_testz_si256(traits.raw, traits.raw); }
inline bool has_much_raw(const Traits& traits) {
  return !_mm256_testz_si256(traits.raw, _mm256_set1_epi8(~static_cast<char>(kMostByteRaw)));
}

inline __m256i by_raw(const Traits& traits, __m128i eight) {
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(eight), traits.raw);
}

// A byte a symbol with the low bits that it sends raw.
inline __m256i raw_masks(const Traits& traits) {
  return by_raw(traits, _mm_setr_epi8(0, 1, 3, 7, 15, 31, 63, 127, 0, 0, 0, 0, 0, 0, 0, 0));
}

// 32 values as 16 bits.
struct Words16 {
  __m256i low, high;
};

inline Words16 widen(__m256i bytes) {
  return {_mm256_cvtepu8_epi16(_mm256_castsi256_si128(bytes)), _mm256_cvtepu8_epi16(_mm256_extracti128_si256(bytes, 1))};
}

// The low bytes; those of 16 bits above 255 must be 255 or less.
inline __m256i narrow(const Words16& words) {
  return _mm256_permute4x64_epi64(_mm256_packus_epi16(words.low, words.high), 0xD8);
}

inline bool load_values(const std::int16_t* values, Words16& words) {
  words = {load(values), load(values + 16)};
  return true;
}

// False if a value does not fit.
inline bool load_values(const std::int32_t* values, Words16& words) {
  __m256i odd = _mm256_setzero_si256(), parts[4];
  for (int i = 0; i < 4; ++i) {
    parts[i] = load(values + 8 * i);
    odd = _mm256_or_si256(odd, _mm256_xor_si256(parts[i], _mm256_srai_epi32(_mm256_slli_epi32(parts[i], 16), 16)));
  }
  words.low = _mm256_permute4x64_epi64(_mm256_packs_epi32(parts[0], parts[1]), 0xD8);
  words.high = _mm256_permute4x64_epi64(_mm256_packs_epi32(parts[2], parts[3]), 0xD8);
  return _mm256_testz_si256(odd, odd) != 0;
}

inline void store_values(std::int16_t* values, const Words16& words) {
  store(values, words.low);
  store(values + 16, words.high);
}
inline void store_values(std::int32_t* values, const Words16& words) {
  const __m256i halves[2] = {words.low, words.high};
  for (int i = 0; i < 2; ++i) {
    store(values + 16 * i, _mm256_cvtepi16_epi32(_mm256_castsi256_si128(halves[i])));
    store(values + 16 * i + 8, _mm256_cvtepi16_epi32(_mm256_extracti128_si256(halves[i], 1)));
  }
}

inline __m256i zigzag_16(__m256i v) { return _mm256_xor_si256(_mm256_slli_epi16(v, 1), _mm256_srai_epi16(v, 15)); }
inline __m256i unzigzag_16(__m256i o) {
  const __m256i odd = _mm256_and_si256(o, _mm256_set1_epi16(1));
  return _mm256_xor_si256(_mm256_srli_epi16(o, 1), _mm256_sub_epi16(_mm256_setzero_si256(), odd));
}

// v >> raw by a product: shifts by a number of bits for each 16 are no part of AVX2. `factor` is 2^(16 - raw), 0 for no shift.
inline __m256i shift_right(__m256i v, __m256i factor) {
  const __m256i sign = _mm256_set1_epi16(static_cast<short>(0x8000));
  const __m256i shifted = _mm256_sub_epi16(_mm256_mulhi_epu16(_mm256_xor_si256(v, sign), factor), _mm256_mulhi_epu16(sign, factor));
  return _mm256_blendv_epi8(shifted, v, _mm256_cmpeq_epi16(factor, _mm256_setzero_si256()));
}

inline void put_raw(const Traits& traits, const Words16& words, BitRun& raw) {
  alignas(32) std::uint8_t low[kGroup], masks[kGroup];
  const __m256i byte = _mm256_set1_epi16(0xFF);
  store(low, narrow({_mm256_and_si256(words.low, byte), _mm256_and_si256(words.high, byte)}));
  store(masks, raw_masks(traits));
  for (std::size_t i = 0; i < kGroup; i += 8) {
    const std::uint64_t mask = load64(masks + i);
    put_bits(raw, _pext_u64(load64(low + i), mask), static_cast<std::uint32_t>(_mm_popcnt_u64(mask)));
  }
}

inline __m256i take_raw(__m256i masks, BitRun& raw) {
  alignas(32) std::uint64_t mask[4];
  long long low[4];
  store(mask, masks);
  for (int i = 0; i < 4; ++i) {
    low[i] = static_cast<long long>(_pdep_u64(peek_bits(raw), mask[i]));
    raw.position += static_cast<std::uint64_t>(_mm_popcnt_u64(mask[i]));
  }
  return _mm256_setr_epi64x(low[0], low[1], low[2], low[3]);
}

inline std::uint32_t byte_mask(__m256i bytes) { return static_cast<std::uint32_t>(_mm256_movemask_epi8(bytes)); }

// Symbols of a group; false, and nothing done, if a value does not fit 16 bits. At most kMostByteRaw raw bits each.
template <typename Value>
inline bool split_group(const Traits& traits, const Value* values, std::uint8_t* symbols, BitRun& raw, std::uint32_t& escaped) {
  Words16 words;
  if (!load_values(values, words)) return false;
  if (has_raw(traits)) {
    put_raw(traits, words, raw);
    const __m128i high_bytes = _mm_setr_epi8(0, static_cast<char>(128), 64, 32, 16, 8, 4, 2, 0, 0, 0, 0, 0, 0, 0, 0);
    const Words16 factors = widen(by_raw(traits, high_bytes));
    words.low = shift_right(words.low, _mm256_slli_epi16(factors.low, 8));
    words.high = shift_right(words.high, _mm256_slli_epi16(factors.high, 8));
  }
  const __m256i most = _mm256_set1_epi16(255);
  const __m256i orders = narrow({_mm256_min_epu16(zigzag_16(words.low), most), _mm256_min_epu16(zigzag_16(words.high), most)});
  const __m256i symbol = _mm256_min_epu8(orders, traits.escape);
  store(symbols, symbol);
  escaped = byte_mask(_mm256_cmpeq_epi8(symbol, traits.escape));
  return true;
}

// Values of a group; returns which symbols are escapes. At most kMostByteRaw raw bits each.
template <typename Value>
inline std::uint32_t join_group(const Traits& traits, const std::uint8_t* symbols, Value* values, BitRun& raw) {
  const __m256i symbol = load(symbols);
  const Words16 orders = widen(symbol);
  Words16 words{unzigzag_16(orders.low), unzigzag_16(orders.high)};
  if (has_raw(traits)) {
    const __m256i masks = raw_masks(traits), one = _mm256_set1_epi16(1);
    const Words16 low = widen(take_raw(masks, raw)), wide = widen(masks);
    words.low = _mm256_add_epi16(_mm256_mullo_epi16(words.low, _mm256_add_epi16(wide.low, one)), low.low);
    words.high = _mm256_add_epi16(_mm256_mullo_epi16(words.high, _mm256_add_epi16(wide.high, one)), low.high);
  }
  store_values(values, words);
  return byte_mask(_mm256_cmpeq_epi8(symbol, traits.escape));
}

template <typename Index>
inline std::uint64_t group_raw_bits(const TableView& tables, IndexRange range, const Index* indices) {
  const __m256i sums = _mm256_sad_epu8(trait(tables.raw_bits, range, indices), _mm256_setzero_si256());
  alignas(32) std::uint64_t parts[4];
  store(parts, sums);
  return parts[0] + parts[1] + parts[2] + parts[3];
}

}  // namespace
}  // namespace nvcodec
