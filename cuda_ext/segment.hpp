// A segment: the bytes of one array of symbols. Header, index, states, words, tails; see bitstream/CODER.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "coder_tables.hpp"

namespace nvcodec {

// Symbols of a segment with the table of each; every index must be below tables.size().
struct SegmentModel {
  const TableSet& tables;
  const std::uint16_t* indices;
  std::size_t symbols;
};

// lanes_log2 is 0, 3 or 5; chunk_symbols a positive multiple of 32, or 0 for a single chunk.
// Throws std::invalid_argument for other parameters and for values too far out for their table.
std::vector<std::uint8_t> encode_segment(const std::int32_t* values, const SegmentModel& model,
                                         std::uint32_t lanes_log2, std::uint64_t chunk_symbols);

// Writes model.symbols values. Throws CodingError; what is allocated is in proportion to `size`.
void decode_segment(const std::uint8_t* data, std::size_t size, const SegmentModel& model, std::int32_t* values);

}  // namespace nvcodec
