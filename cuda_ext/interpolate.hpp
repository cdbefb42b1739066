// Separable interpolation of sample blocks in integers; bitstream/MOTION.md, section 2, is normative.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace nvcodec {

constexpr int kLumaTaps = 8, kChromaTaps = 4;
constexpr int kRunWidth = 64, kRunHeight = 16;  // largest block that is interpolated at once

// Weights of 64 in all, by quarters of a sample.
inline constexpr std::int16_t kLumaFilter[4][kLumaTaps] = {{0, 0, 0, 64, 0, 0, 0, 0},
                                                           {-1, 4, -10, 58, 17, -5, 1, 0},
                                                           {-1, 4, -11, 40, 40, -11, 4, -1},
                                                           {0, 1, -5, 17, 58, -10, 4, -1}};

// Weights of 64 in all, by eighths of a sample.
inline constexpr std::int16_t kChromaFilter[8][kChromaTaps] = {{0, 64, 0, 0},    {-2, 58, 10, -2}, {-4, 54, 16, -2},
                                                               {-6, 46, 28, -4}, {-4, 36, 36, -4}, {-4, 28, 46, -6},
                                                               {-2, 16, 54, -4}, {-2, 10, 58, -2}};

// One block: its samples at whole positions begin at `source`, with Taps / 2 - 1 more before and Taps / 2 more after it
// in each direction of a fraction. At most kRunWidth by kRunHeight.
template <typename Sample, int Taps>
struct Block {
  const Sample* source;
  std::ptrdiff_t stride;
  Sample* target;
  std::ptrdiff_t target_stride;
  int width, height;
};

template <typename Sample>
Sample clipped(int value, int top) {
  return static_cast<Sample>(std::clamp(value, 0, top));
}

// Weighted sum of Taps values that lie `step` apart. int throughout: no sum of 10-bit samples comes near its limits.
template <int Taps, typename Value>
inline int weigh(const Value* first, std::ptrdiff_t step, const std::int16_t* filter) {
  int sum = 0;
  for (int k = 0; k < Taps; ++k) sum += filter[k] * first[k * step];
  return sum;
}

// A fraction in one direction only: one rounding, equal to that of both passes.
template <typename Sample, int Taps>
void interpolate_line(const Block<Sample, Taps>& block, std::ptrdiff_t step, const std::int16_t* filter, int top) {
  for (int y = 0; y < block.height; ++y) {
    const Sample* from = block.source + y * block.stride - (Taps / 2 - 1) * step;
    Sample* to = block.target + y * block.target_stride;
    for (int x = 0; x < block.width; ++x) to[x] = clipped<Sample>((weigh<Taps>(from + x, step, filter) + 32) >> 6, top);
  }
}

// `across` and `down` are filters, null for no fraction; `depth` is 8 or 10 bits.
template <typename Sample, int Taps>
void interpolate(const Block<Sample, Taps>& block, const std::int16_t* across, const std::int16_t* down, int depth) {
  const int top = (1 << depth) - 1;
  if (across == nullptr && down == nullptr) {
    for (int y = 0; y < block.height; ++y)
      std::memcpy(block.target + y * block.target_stride, block.source + y * block.stride,
                  static_cast<std::size_t>(block.width) * sizeof(Sample));
    return;
  }
  if (down == nullptr) return interpolate_line<Sample, Taps>(block, 1, across, top);
  if (across == nullptr) return interpolate_line<Sample, Taps>(block, block.stride, down, top);
  std::int16_t rows[(kRunHeight + Taps - 1) * kRunWidth];  // 16 bits hold every sum of the first pass
  for (int y = 0; y < block.height + Taps - 1; ++y) {
    const Sample* from = block.source + (y - (Taps / 2 - 1)) * block.stride - (Taps / 2 - 1);
    for (int x = 0; x < block.width; ++x)
      rows[y * kRunWidth + x] = static_cast<std::int16_t>(weigh<Taps>(from + x, 1, across) >> (depth - 8));
  }
  const int shift = 20 - depth;
  for (int y = 0; y < block.height; ++y) {
    Sample* to = block.target + y * block.target_stride;
    for (int x = 0; x < block.width; ++x)
      to[x] =
          clipped<Sample>((weigh<Taps>(rows + y * kRunWidth + x, kRunWidth, down) + (1 << (shift - 1))) >> shift, top);
  }
}

}  // namespace nvcodec
