// Prediction of a plane from a reference plane and a motion field; bitstream/MOTION.md, section 2, is normative.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nvcodec {

constexpr int kVectorLow = -4096, kVectorHigh = 4095;  // quarters of a luma sample

// One vector (x, y) for each 8x8 luma samples, rows of `columns`.
struct VectorGrid {
  const std::int16_t* vectors;
  int rows, columns;
};

// Both planes are width x height, at least 1x1, contiguous; the grid covers them. Bytes hold 8 bits, other samples 10.
// A chroma plane has half the size (rounded up) of the luma plane that the grid covers.
template <typename Sample>
void warp_plane(const Sample* reference, int width, int height, const VectorGrid& grid, bool chroma, Sample* out);

}  // namespace nvcodec
