#include "warp.hpp"

#include <algorithm>

#include "interpolate.hpp"

namespace nvcodec {
namespace {

template <typename Sample>
struct Plane {
  const Sample* data;
  int width, height;
};

// A block's samples and its surroundings, with the border repeated outside.
template <typename Sample, int Taps>
void gather(const Plane<Sample>& from, int x, int y, int width, int height, Sample* patch, int stride) {
  for (int i = 0; i < height + Taps - 1; ++i) {
    const Sample* row =
        from.data + static_cast<std::ptrdiff_t>(std::clamp(y + i - (Taps / 2 - 1), 0, from.height - 1)) * from.width;
    for (int j = 0; j < width + Taps - 1; ++j)
      patch[i * stride + j] = row[std::clamp(x + j - (Taps / 2 - 1), 0, from.width - 1)];
  }
}

// The block whose whole position is (x, y) in the reference; block.target, width and height are set.
template <typename Sample, int Taps>
void fetch(const Plane<Sample>& from, int x, int y, Block<Sample, Taps> block, const std::int16_t* across,
           const std::int16_t* down) {
  constexpr int kBefore = Taps / 2 - 1, kAfter = Taps / 2, kStride = kRunWidth + Taps - 1;
  Sample patch[kStride * (kRunHeight + Taps - 1)];
  if (x >= kBefore && y >= kBefore && x + block.width + kAfter <= from.width &&
      y + block.height + kAfter <= from.height) {
    block.source = from.data + static_cast<std::ptrdiff_t>(y) * from.width + x;
    block.stride = from.width;
  } else {
    gather<Sample, Taps>(from, x, y, block.width, block.height, patch, kStride);
    block.source = patch + kBefore * kStride + kBefore;
    block.stride = kStride;
  }
  interpolate(block, across, down);
}

// Cells in a row that share a vector go together.
int run_of(const std::int16_t* vectors, int left, int longest) {
  int run = 1;
  while (run < longest && run < left && vectors[2 * run] == vectors[0] && vectors[2 * run + 1] == vectors[1]) ++run;
  return run;
}

template <typename Sample, int Taps, int Bits>
void warp_cells(const Plane<Sample>& from, const VectorGrid& grid, const std::int16_t (*filter)[Taps], Sample* out) {
  constexpr int kCell = 32 >> Bits;  // 8 samples of luma, 4 of chroma
  constexpr int kMask = (1 << Bits) - 1;
  for (int i = 0; i < grid.rows && i * kCell < from.height; ++i) {
    const std::int16_t* row = grid.vectors + static_cast<std::ptrdiff_t>(i) * grid.columns * 2;
    const int cells = std::min(grid.columns, (from.width + kCell - 1) / kCell);
    for (int j = 0; j < cells;) {
      const int run = run_of(row + 2 * j, cells - j, kRunWidth / kCell), dx = row[2 * j], dy = row[2 * j + 1];
      const int x = j * kCell, y = i * kCell;
      const Block<Sample, Taps> block{nullptr,
                                      0,
                                      out + static_cast<std::ptrdiff_t>(y) * from.width + x,
                                      from.width,
                                      std::min(run * kCell, from.width - x),
                                      std::min(kCell, from.height - y)};
      fetch<Sample, Taps>(from, x + (dx >> Bits), y + (dy >> Bits), block, (dx & kMask) ? filter[dx & kMask] : nullptr,
                          (dy & kMask) ? filter[dy & kMask] : nullptr);
      j += run;
    }
  }
}

}  // namespace

template <typename Sample>
void warp_plane(const Sample* reference, int width, int height, const VectorGrid& grid, bool chroma, Sample* out) {
  const Plane<Sample> from{reference, width, height};
  if (chroma)
    warp_cells<Sample, kChromaTaps, 3>(from, grid, kChromaFilter, out);
  else
    warp_cells<Sample, kLumaTaps, 2>(from, grid, kLumaFilter, out);
}

template void warp_plane<std::uint8_t>(const std::uint8_t*, int, int, const VectorGrid&, bool, std::uint8_t*);
template void warp_plane<std::uint16_t>(const std::uint16_t*, int, int, const VectorGrid&, bool, std::uint16_t*);

}  // namespace nvcodec
