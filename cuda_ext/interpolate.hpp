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

// Samples of one byte have 8 bits, others 10.
template <typename Sample>
constexpr int kDepth = sizeof(Sample) == 1 ? 8 : 10;

template <typename Sample>
inline Sample clipped(int value) {
  return static_cast<Sample>(std::clamp(value, 0, (1 << kDepth<Sample>)-1));
}

// Weighted sum of Taps values that lie `step` apart.
template <int Taps, typename Value>
inline int weigh(const Value* first, std::ptrdiff_t step, const std::int16_t* filter) {
  if constexpr (sizeof(Value) == 1) {  // the sum fits 16 bits, and so vectors hold twice as many
    std::uint16_t sum = 0;
    for (int k = 0; k < Taps; ++k)
      sum = static_cast<std::uint16_t>(sum + static_cast<std::uint16_t>(filter[k]) *
                                                 static_cast<std::uint16_t>(first[k * step]));
    return static_cast<std::int16_t>(sum);
  } else {
    int sum = 0;
    for (int k = 0; k < Taps; ++k) sum += filter[k] * first[k * step];
    return sum;
  }
}

// A fraction in one direction only: one rounding, equal to that of both passes.
template <int Width, typename Sample, int Taps>
inline void interpolate_line(const Block<Sample, Taps>& block, std::ptrdiff_t step, const std::int16_t* filter) {
  std::int16_t taps[Taps];
  std::copy(filter, filter + Taps, taps);  // not changed by what is written
  const int width = Width > 0 ? Width : block.width;
  for (int y = 0; y < block.height; ++y) {
    const Sample* __restrict from = block.source + y * block.stride - (Taps / 2 - 1) * step;
    Sample* __restrict to = block.target + y * block.target_stride;
    for (int x = 0; x < width; ++x) to[x] = clipped<Sample>((weigh<Taps>(from + x, step, taps) + 32) >> 6);
  }
}

template <int Width, typename Sample, int Taps>
inline void interpolate_plane(const Block<Sample, Taps>& block, const std::int16_t* across, const std::int16_t* down) {
  constexpr int kStride = Width > 0 ? Width : kRunWidth, kShift = 20 - kDepth<Sample>;
  std::int16_t rows[(kRunHeight + Taps - 1) * kStride];  // 16 bits hold every sum of the first pass
  const int width = Width > 0 ? Width : block.width;
  for (int y = 0; y < block.height + Taps - 1; ++y) {
    const Sample* from = block.source + (y - (Taps / 2 - 1)) * block.stride - (Taps / 2 - 1);
    for (int x = 0; x < width; ++x)
      rows[y * kStride + x] = static_cast<std::int16_t>(weigh<Taps>(from + x, 1, across) >> (kDepth<Sample> - 8));
  }
  for (int y = 0; y < block.height; ++y) {
    Sample* to = block.target + y * block.target_stride;
    for (int x = 0; x < width; ++x)
      to[x] = clipped<Sample>((weigh<Taps>(rows + y * kStride + x, kStride, down) + (1 << (kShift - 1))) >> kShift);
  }
}

// `across` and `down` are filters, null for no fraction. Width is the block's where it is known beforehand, else 0.
template <int Width = 0, typename Sample, int Taps>
void interpolate(const Block<Sample, Taps>& block, const std::int16_t* across, const std::int16_t* down) {
  if (across == nullptr && down == nullptr) {
    for (int y = 0; y < block.height; ++y)
      std::memcpy(block.target + y * block.target_stride, block.source + y * block.stride,
                  static_cast<std::size_t>(block.width) * sizeof(Sample));
  } else if (down == nullptr) {
    interpolate_line<Width>(block, 1, across);
  } else if (across == nullptr) {
    interpolate_line<Width>(block, block.stride, down);
  } else {
    interpolate_plane<Width>(block, across, down);
  }
}

}  // namespace nvcodec
