// What is known of a vector before it is coded: its prediction from coded neighbours and from the previous field.
// bitstream/MOTION.md, section 3, is normative.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace nvcodec {

struct Vector {
  std::int16_t x, y;
  bool operator==(const Vector& other) const { return x == other.x && y == other.y; }
  bool operator!=(const Vector& other) const { return !(*this == other); }
};
static_assert(sizeof(Vector) == 4, "two 16-bit numbers a vector");

// Vectors of 8x8 cells in rows of `columns`; both sides are even. `previous` is as large, or null for none.
struct Cells {
  const Vector* vectors;
  const Vector* previous;
  int rows, columns;

  std::size_t at(int row, int column) const {
    return static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) + static_cast<std::size_t>(column);
  }
};

// Cells of a picture's side: two a block of 16 samples.
inline int cells_of(int side) { return (side + 15) / 16 * 2; }

constexpr int kMaxCandidates = 6, kSpreads = 4;

// The candidates differ from each other; the first is the predictor.
struct Forecast {
  std::array<Vector, kMaxCandidates> candidates;
  int count;
  int spread;  // 0 to 3: how far the neighbours lie apart
};

// For the cell at (row, column): a part (size 1), or the top-left cell of a block (size 2). Reads cells that precede it
// in coding order only.
Forecast forecast(const Cells& cells, int row, int column, int size);

}  // namespace nvcodec
