// One group of 32 symbols on any machine: traits of their tables, values <-> table symbols.
#pragma once

#include "kernel_bits.hpp"
#include "symbols.hpp"

namespace nvcodec {
namespace {

struct Traits {
  std::uint8_t raw[kGroup], escape[kGroup], any_raw;
};

template <typename Index>
inline Traits look_up(const TableView& tables, IndexRange, const Index* indices) {
  Traits traits;
  traits.any_raw = 0;
  for (std::size_t i = 0; i < kGroup; ++i) {
    traits.raw[i] = tables.raw_bits[indices[i]];
    traits.escape[i] = tables.escapes[indices[i]];
    traits.any_raw |= traits.raw[i];
  }
  return traits;
}

inline bool has_much_raw(const Traits& traits) { return traits.any_raw > kMostByteRaw; }

template <typename Value>
inline bool split_group(const Traits& traits, const Value* values, std::uint8_t* symbols, BitRun& raw, std::uint32_t& escaped) {
  escaped = 0;
  for (std::size_t i = 0; i < kGroup; ++i) {
    const std::uint32_t bits = traits.raw[i], order = zigzag(values[i] >> bits), escape = traits.escape[i];
    if (bits > 0) put_bits(raw, static_cast<std::uint32_t>(values[i]) & ((1u << bits) - 1u), bits);
    symbols[i] = static_cast<std::uint8_t>(order < escape ? order : escape);
    escaped |= static_cast<std::uint32_t>(order >= escape) << i;
  }
  return true;
}

template <typename Value>
inline std::uint32_t join_group(const Traits& traits, const std::uint8_t* symbols, Value* values, BitRun& raw) {
  std::uint32_t escaped = 0;
  for (std::size_t i = 0; i < kGroup; ++i) {
    const std::uint32_t bits = traits.raw[i];
    std::int32_t value = unzigzag(symbols[i]);
    if (traits.any_raw != 0) {
      value = value * (1 << bits) + static_cast<std::int32_t>(peek_bits(raw) & ((1u << bits) - 1u));
      raw.position += bits;
    }
    values[i] = static_cast<Value>(value);
    escaped |= static_cast<std::uint32_t>(symbols[i] == traits.escape[i]) << i;
  }
  return escaped;
}

template <typename Index>
inline std::uint64_t group_raw_bits(const TableView& tables, IndexRange, const Index* indices) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < kGroup; ++i) total += tables.raw_bits[indices[i]];
  return total;
}

}  // namespace
}  // namespace nvcodec
