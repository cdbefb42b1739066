// Values <-> table symbols, raw bits and places of escapes, for the instruction set that the including file is built for.
// Everything has internal linkage: the linker must never give one file the code of another.
#pragma once

#ifdef __AVX2__
#include <immintrin.h>
#endif

#include <cstring>
#include <limits>

#include "kernels.hpp"
#include "symbols.hpp"

namespace nvcodec {
namespace {

constexpr std::uint32_t kMostByteRaw = 7;  // raw bits of a symbol in blocks that go by bytes: 8 symbols fit one window

struct Traits {
  alignas(64) std::uint8_t raw[kGroup], escape[kGroup];
};

template <typename Index>
inline void look_up_each(const TableView& tables, const Index* indices, Traits& traits) {
  for (std::size_t i = 0; i < kGroup; ++i) {
    traits.raw[i] = tables.raw_bits[indices[i]];
    traits.escape[i] = tables.escapes[indices[i]];
  }
}

#ifdef __AVX2__
inline __m256i group_indices(const std::uint8_t* indices) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(indices));
}
inline __m256i group_indices(const std::uint16_t* indices) {
  const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(indices));
  const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(indices + 16));
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
inline void look_up(const TableView& tables, const Index* indices, Traits& traits) {
  if (tables.size > 64) return look_up_each(tables, indices, traits);
  const __m256i each = group_indices(indices);
  _mm256_store_si256(reinterpret_cast<__m256i*>(traits.raw), permute64(tables.raw_bits, each));
  _mm256_store_si256(reinterpret_cast<__m256i*>(traits.escape), permute64(tables.escapes, each));
}

inline std::uint32_t equal_mask(const std::uint8_t* a, const std::uint8_t* b) {
  const __m256i left = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(a));
  const __m256i right = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b));
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(left, right)));
}
#else
template <typename Index>
inline void look_up(const TableView& tables, const Index* indices, Traits& traits) {
  look_up_each(tables, indices, traits);
}

inline std::uint32_t equal_mask(const std::uint8_t* a, const std::uint8_t* b) {
  std::uint32_t mask = 0;
  for (std::size_t i = 0; i < kGroup; ++i) mask |= static_cast<std::uint32_t>(a[i] == b[i]) << i;
  return mask;
}
#endif

inline std::uint64_t load64(const std::uint8_t* p) {
  std::uint64_t value;
  std::memcpy(&value, p, 8);
  return value;
}

// All raw bits of a group, ored: 0 if there are none, and more than kMostByteRaw if a symbol may have more.
inline std::uint32_t widest(const Traits& traits) {
  const std::uint64_t all = load64(traits.raw) | load64(traits.raw + 8) | load64(traits.raw + 16) | load64(traits.raw + 24);
  const std::uint64_t half = all | all >> 32;
  return static_cast<std::uint32_t>((half | half >> 16 | (half >> 8 | half >> 24)) & 0xFF);
}

inline void put_bits(BitRun& run, std::uint64_t bits, std::uint32_t count) {  // at most 57, zeros above
  std::uint8_t* at = run.data + (run.position >> 3);
  const std::uint64_t merged = (at[0] & ((1u << (run.position & 7)) - 1u)) | bits << (run.position & 7);
  std::memcpy(at, &merged, 8);
  run.position += count;
}

inline std::uint64_t peek_bits(const BitRun& run) { return load64(run.data + (run.position >> 3)) >> (run.position & 7); }

// A byte a symbol with the low bits that it sends raw.
inline void byte_masks(const Traits& traits, std::uint8_t* masks) {
#ifdef __AVX2__
  const __m256i ones = _mm256_setr_epi8(0, 1, 3, 7, 15, 31, 63, 127, 0, 0, 0, 0, 0, 0, 0, 0,  //
                                        0, 1, 3, 7, 15, 31, 63, 127, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m256i raw = _mm256_load_si256(reinterpret_cast<const __m256i*>(traits.raw));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(masks), _mm256_shuffle_epi8(ones, raw));
#else
  for (std::size_t i = 0; i < kGroup; ++i) masks[i] = static_cast<std::uint8_t>((1u << traits.raw[i]) - 1u);
#endif
}

#ifdef __BMI2__
inline std::uint64_t gather_bits(std::uint64_t bytes, std::uint64_t masks) { return _pext_u64(bytes, masks); }
inline std::uint64_t scatter_bits(std::uint64_t bits, std::uint64_t masks) { return _pdep_u64(bits, masks); }
inline std::uint32_t count_bits(std::uint64_t masks) { return static_cast<std::uint32_t>(_mm_popcnt_u64(masks)); }
#else
inline std::uint64_t gather_bits(std::uint64_t bytes, std::uint64_t masks) {
  std::uint64_t bits = 0;
  for (std::uint32_t at = 0; masks != 0; masks &= masks - 1, ++at)
    bits |= static_cast<std::uint64_t>((bytes & masks & (0 - masks)) != 0) << at;
  return bits;
}
inline std::uint64_t scatter_bits(std::uint64_t bits, std::uint64_t masks) {
  std::uint64_t bytes = 0;
  for (; masks != 0; masks &= masks - 1, bits >>= 1) bytes |= masks & (0 - masks) & (0 - (bits & 1));
  return bytes;
}
inline std::uint32_t count_bits(std::uint64_t masks) {
  std::uint32_t count = 0;
  for (; masks != 0; masks &= masks - 1) ++count;
  return count;
}
#endif

inline std::size_t note_escapes(std::uint32_t mask, std::size_t first, std::uint16_t* escaped) {
  std::size_t count = 0;
  for (std::size_t i = 0; mask != 0; mask >>= 1, ++i)
    if ((mask & 1u) != 0) escaped[count++] = static_cast<std::uint16_t>(first + i);
  return count;
}

template <typename Value>
bool within(std::int64_t value) {
  return value >= std::numeric_limits<Value>::min() && value <= std::numeric_limits<Value>::max();
}

// One symbol after another: the end of a block, and groups with many raw bits or large values.
template <typename Value, typename Index>
std::size_t split_each(const TableView& tables, const Value* values, const Index* indices, std::size_t first,
                       std::size_t last, std::uint8_t* symbols, BitRun& raw, std::uint16_t* escaped) {
  std::size_t count = 0;
  for (std::size_t i = first; i < last; ++i) {
    const std::uint32_t bits = tables.raw_bits[indices[i]], escape = tables.escapes[indices[i]];
    const std::int32_t value = values[i];
    const std::uint32_t order = zigzag(value >> bits);
    put_bits(raw, static_cast<std::uint32_t>(value) & ((1u << bits) - 1u), bits);
    symbols[i] = static_cast<std::uint8_t>(order < escape ? order : escape);
    if (order >= escape) escaped[count++] = static_cast<std::uint16_t>(i);
  }
  return count;
}

template <typename Value, typename Index>
std::size_t join_each(const TableView& tables, const std::uint8_t* symbols, const Index* indices, std::size_t first,
                      std::size_t last, Value* values, BitRun& raw, std::uint16_t* escaped, bool& fits) {
  std::size_t count = 0;
  for (std::size_t i = first; i < last; ++i) {
    const std::uint32_t bits = tables.raw_bits[indices[i]];
    const std::int32_t low = static_cast<std::int32_t>(peek_bits(raw) & ((1u << bits) - 1u));
    const std::int32_t value = unzigzag(symbols[i]) * (1 << bits) + low;
    raw.position += bits;
    const bool is_escape = symbols[i] == tables.escapes[indices[i]];
    if (is_escape) escaped[count++] = static_cast<std::uint16_t>(i);
    fits = fits && (is_escape || within<Value>(value));
    values[i] = static_cast<Value>(value);
  }
  return count;
}

inline bool fit_16(const std::int16_t*) { return true; }
inline bool fit_16(const std::int32_t* values) {
  std::int32_t odd = 0;
  for (std::size_t i = 0; i < kGroup; ++i) odd |= values[i] ^ static_cast<std::int16_t>(values[i]);
  return odd == 0;
}

// The raw bits of a group's values; at most kMostByteRaw each.
template <typename Value>
inline void put_raw(const Traits& traits, const Value* values, BitRun& raw) {
  std::uint8_t low[kGroup], masks[kGroup];
  byte_masks(traits, masks);
  for (std::size_t i = 0; i < kGroup; ++i) low[i] = static_cast<std::uint8_t>(values[i]);
  for (std::size_t i = 0; i < kGroup; i += 8) {
    const std::uint64_t mask = load64(masks + i);
    put_bits(raw, gather_bits(load64(low + i), mask), count_bits(mask));
  }
}

inline void take_raw(const Traits& traits, std::uint8_t* low, BitRun& raw) {
  std::uint8_t masks[kGroup];
  byte_masks(traits, masks);
  for (std::size_t i = 0; i < kGroup; i += 8) {
    const std::uint64_t mask = load64(masks + i), bytes = scatter_bits(peek_bits(raw), mask);
    std::memcpy(low + i, &bytes, 8);
    raw.position += count_bits(mask);
  }
}

template <typename Value, typename Index>
std::size_t split_block(const TableView& tables, const Value* values, const Index* indices, std::size_t count,
                        std::uint8_t* symbols, BitRun& raw, std::uint16_t* escaped) {
  std::size_t found = 0, at = 0;
  for (Traits traits; at + kGroup <= count; at += kGroup) {
    look_up(tables, indices + at, traits);
    const std::uint32_t bits = widest(traits);
    if (bits > kMostByteRaw || !fit_16(values + at)) {
      found += split_each(tables, values, indices, at, at + kGroup, symbols, raw, escaped + found);
      continue;
    }
    if (bits == 0) {
      for (std::size_t i = 0; i < kGroup; ++i) {
        const std::int16_t value = static_cast<std::int16_t>(values[at + i]);
        const std::uint16_t order = static_cast<std::uint16_t>(value << 1 ^ value >> 15);
        symbols[at + i] = static_cast<std::uint8_t>(order < traits.escape[i] ? order : traits.escape[i]);
      }
    } else {
      put_raw(traits, values + at, raw);
      for (std::size_t i = 0; i < kGroup; ++i) {
        const std::int32_t high = values[at + i] >> traits.raw[i];
        const std::int32_t order = high << 1 ^ high >> 31, escape = traits.escape[i];
        symbols[at + i] = static_cast<std::uint8_t>(order < escape ? order : escape);
      }
    }
    found += note_escapes(equal_mask(symbols + at, traits.escape), at, escaped + found);
  }
  return found + split_each(tables, values, indices, at, count, symbols, raw, escaped + found);
}

template <typename Value, typename Index>
std::size_t join_block(const TableView& tables, const std::uint8_t* symbols, const Index* indices, std::size_t count,
                       Value* values, BitRun& raw, std::uint16_t* escaped, bool& fits) {
  std::size_t found = 0, at = 0;
  for (Traits traits; at + kGroup <= count; at += kGroup) {
    look_up(tables, indices + at, traits);
    const std::uint32_t bits = widest(traits);
    if (bits > kMostByteRaw) {
      found += join_each(tables, symbols, indices, at, at + kGroup, values, raw, escaped + found, fits);
      continue;
    }
    if (bits == 0) {
      for (std::size_t i = 0; i < kGroup; ++i) {
        const std::int16_t order = symbols[at + i];
        values[at + i] = static_cast<std::int16_t>(order >> 1 ^ -(order & 1));
      }
    } else {
      std::uint8_t low[kGroup];
      take_raw(traits, low, raw);
      for (std::size_t i = 0; i < kGroup; ++i) {
        const std::int32_t order = symbols[at + i];
        values[at + i] = static_cast<Value>(((order >> 1 ^ -(order & 1)) << traits.raw[i]) + low[i]);
      }
    }
    found += note_escapes(equal_mask(symbols + at, traits.escape), at, escaped + found);
  }
  return found + join_each(tables, symbols, indices, at, count, values, raw, escaped + found, fits);
}

template <typename Index>
void find_range(const Index* indices, std::size_t count, Index& lowest, Index& highest) {
  Index low = indices[0], high = indices[0];
  for (std::size_t i = 0; i < count; ++i) {
    const Index each = indices[i];
    low = each < low ? each : low;
    high = each > high ? each : high;
  }
  lowest = low;
  highest = high;
}

template <typename Index>
std::uint64_t count_raw_bits(const TableView& tables, const Index* indices, std::size_t count) {
  if (tables.most_raw_bits == 0) return 0;
  std::uint64_t total = 0;
  std::size_t at = 0;
#ifdef __AVX2__
  if (tables.size <= 64) {
    __m256i sums = _mm256_setzero_si256();
    for (; at + kGroup <= count; at += kGroup) {
      const __m256i raw = permute64(tables.raw_bits, group_indices(indices + at));
      sums = _mm256_add_epi64(sums, _mm256_sad_epu8(raw, _mm256_setzero_si256()));
    }
    alignas(32) std::uint64_t parts[4];
    _mm256_store_si256(reinterpret_cast<__m256i*>(parts), sums);
    total = parts[0] + parts[1] + parts[2] + parts[3];
  }
#endif
  for (; at < count; ++at) total += tables.raw_bits[indices[at]];
  return total;
}

}  // namespace
}  // namespace nvcodec
