// Probability tables in the forms that the lanes of a warp read, as flat arrays that a device can be given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "warp_args.hpp"

namespace nvcodec::warp_coder {

struct WarpTables {
  // Takes what TableSet takes, and throws what it throws.
  WarpTables(const std::uint16_t* cumulative, std::size_t cumulative_size, const std::uint32_t* offsets,
             const std::uint8_t* raw_bits, std::size_t tables);

  std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(traits.size()); }

  std::vector<std::uint64_t> buckets;
  std::vector<std::uint32_t> spans;
  std::vector<std::uint16_t> traits;
  std::uint32_t row;  // spans a table, a multiple of 4: rows begin where vectors can be copied
};

}  // namespace nvcodec::warp_coder
