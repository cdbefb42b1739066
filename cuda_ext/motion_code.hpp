// The bytes of a motion field; bitstream/MOTION.md, section 3, is normative.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "coder_tables.hpp"
#include "motion_context.hpp"

namespace nvcodec {

constexpr std::size_t kMotionTables = 64 + 160;  // of flags, then of differences

// A field of a picture of width x height, all of its vectors in range. `tables` has at least kMotionTables.
std::vector<std::uint8_t> encode_motion(const Cells& cells, int width, int height, const TableSet& tables);

// Writes the cells of a field. Throws CodingError; every vector written is in range.
void decode_motion(const std::uint8_t* data, std::size_t size, const Vector* previous, int width, int height,
                   const TableSet& tables, Vector* vectors);

}  // namespace nvcodec
