// Raw bits, read and written eight bytes at a time. Internal linkage, as all kernels.
#pragma once

#include <cstring>

#include "kernels.hpp"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bits are read and written eight bytes at a time");

namespace nvcodec {
namespace {

constexpr std::uint32_t kMostByteRaw = 7;  // raw bits of a symbol in groups that go by bytes: 8 symbols fit one window
constexpr std::uint32_t kFewTables = 64;   // tables whose traits fit registers

inline std::uint64_t load64(const std::uint8_t* p) {
  std::uint64_t value;
  std::memcpy(&value, p, 8);
  return value;
}

inline void put_bits(BitRun& run, std::uint64_t bits, std::uint32_t count) {  // at most 57, zeros above
  std::uint8_t* at = run.data + (run.position >> 3);
  const std::uint64_t merged = (at[0] & ((1u << (run.position & 7)) - 1u)) | bits << (run.position & 7);
  std::memcpy(at, &merged, 8);
  run.position += count;
}

inline std::uint64_t peek_bits(const BitRun& run) { return load64(run.data + (run.position >> 3)) >> (run.position & 7); }

}  // namespace
}  // namespace nvcodec
