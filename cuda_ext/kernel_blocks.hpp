// Values <-> table symbols, raw bits and places of escapes of a block, for the instruction set that the including file
// is built for. Everything has internal linkage: the linker must never give one file the code of another.
#pragma once

#include <limits>

#include "symbols.hpp"
#ifdef __AVX2__
#include "kernel_groups_avx2.hpp"
#else
#include "kernel_groups_plain.hpp"
#endif

namespace nvcodec {
namespace {

inline std::size_t note_escapes(std::uint32_t mask, std::size_t first, std::uint16_t* escaped) {
  std::size_t count = 0;
  for (std::size_t i = first; mask != 0; mask >>= 1, ++i)
    if ((mask & 1u) != 0) escaped[count++] = static_cast<std::uint16_t>(i);
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

template <typename Value, typename Index>
std::size_t split_block(const TableView& tables, IndexRange range, const Value* values, const Index* indices,
                        std::size_t count, std::uint8_t* symbols, BitRun& raw, std::uint16_t* escaped) {
  std::size_t found = 0, at = 0;
  for (; at + kGroup <= count; at += kGroup) {
    const Traits traits = look_up(tables, range, indices + at);
    std::uint32_t mask = 0;
    if (!has_much_raw(traits) && split_group(traits, values + at, symbols + at, raw, mask)) {
      found += note_escapes(mask, at, escaped + found);
    } else {
      found += split_each(tables, values, indices, at, at + kGroup, symbols, raw, escaped + found);
    }
  }
  return found + split_each(tables, values, indices, at, count, symbols, raw, escaped + found);
}

template <typename Value, typename Index>
std::size_t join_block(const TableView& tables, IndexRange range, const std::uint8_t* symbols, const Index* indices,
                       std::size_t count, Value* values, BitRun& raw, std::uint16_t* escaped, bool& fits) {
  std::size_t found = 0, at = 0;
  for (; at + kGroup <= count; at += kGroup) {
    const Traits traits = look_up(tables, range, indices + at);
    if (has_much_raw(traits)) {
      found += join_each(tables, symbols, indices, at, at + kGroup, values, raw, escaped + found, fits);
    } else {
      found += note_escapes(join_group(traits, symbols + at, values + at, raw), at, escaped + found);
    }
  }
  return found + join_each(tables, symbols, indices, at, count, values, raw, escaped + found, fits);
}

template <typename Index>
std::uint64_t count_raw_bits(const TableView& tables, IndexRange range, const Index* indices, std::size_t count) {
  std::uint64_t total = 0;
  std::size_t at = 0;
  if (tables.most_raw_bits == 0) return 0;
  if (range.first == range.last) return tables.raw_bits[range.first] * std::uint64_t{count};
  for (; at + kGroup <= count; at += kGroup) total += group_raw_bits(tables, range, indices + at);
  for (; at < count; ++at) total += tables.raw_bits[indices[at]];
  return total;
}

template <typename Index>
IndexRange find_range(const Index* indices, std::size_t count) {
  Index low = indices[0], high = indices[0];
  for (std::size_t i = 0; i < count; ++i) {
    const Index each = indices[i];
    low = each < low ? each : low;
    high = each > high ? each : high;
  }
  return {low, high};
}

}  // namespace
}  // namespace nvcodec
