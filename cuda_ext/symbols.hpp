// How a value becomes a table symbol and an escape code, in segments and chains alike. bitstream/CODER.md, section 2.
#pragma once

#include <cstdint>

namespace nvcodec {

// Functions are static: files are built for several instruction sets, and the linker must not mix their code.

constexpr std::uint32_t kEscapeOrder = 3;  // Exp-Golomb parameter of an escape's excess
constexpr std::uint32_t kMaxEscapePrefix = 20;
constexpr std::uint32_t kMaxExcess = (1u << (kMaxEscapePrefix + kEscapeOrder + 1)) - (1u << kEscapeOrder) - 1;

// 0, -1, 1, -2, 2, ... <-> 0, 1, 2, 3, 4, ...
static inline std::uint32_t zigzag(std::int32_t value) noexcept {
  return static_cast<std::uint32_t>(value) << 1 ^ static_cast<std::uint32_t>(value >> 31);
}

static inline std::int32_t unzigzag(std::uint32_t order) noexcept {
  return static_cast<std::int32_t>(order >> 1 ^ (0u - (order & 1u)));
}

static inline std::uint32_t floor_log2(std::uint32_t value) noexcept {
  std::uint32_t result = 0;
  while (value >>= 1) ++result;
  return result;
}

static inline std::uint32_t load_le16(const std::uint8_t* p) noexcept {
  return static_cast<std::uint32_t>(p[0]) | static_cast<std::uint32_t>(p[1]) << 8;
}

}  // namespace nvcodec
