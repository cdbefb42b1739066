// Luma with a border, for the search: blocks that reach outside are read without a check of each sample.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace nvcodec {

constexpr int kMargin = 32;  // samples around a picture: a block outside it, and the taps of a filter

class Image {
 public:
  Image(const std::uint8_t* samples, int width, int height) : Image(width, height) {
    for (int y = 0; y < height; ++y)
      std::memcpy(row(y), samples + static_cast<std::ptrdiff_t>(y) * width, static_cast<std::size_t>(width));
    extend();
  }

  // Means of 2x2 samples.
  Image halved() const {
    Image small((width_ + 1) / 2, (height_ + 1) / 2);
    for (int y = 0; y < small.height_; ++y) {
      const std::uint8_t* const a = at(0, 2 * y);
      const std::uint8_t* const b = at(0, 2 * y + 1);
      std::uint8_t* const to = small.row(y);
      for (int x = 0; x < small.width_; ++x)
        to[x] = static_cast<std::uint8_t>((a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1] + 2) >> 2);
    }
    small.extend();
    return small;
  }

  // x and y from -kMargin to less than the side + kMargin.
  const std::uint8_t* at(int x, int y) const { return samples_.data() + (y + kMargin) * stride_ + x + kMargin; }
  std::ptrdiff_t stride() const { return stride_; }
  int width() const { return width_; }
  int height() const { return height_; }

 private:
  Image(int width, int height)
      : width_(width),
        height_(height),
        stride_(width + 2 * kMargin),
        samples_(static_cast<std::size_t>(stride_ * (height + 2 * kMargin))) {}

  std::uint8_t* row(int y) { return samples_.data() + (y + kMargin) * stride_ + kMargin; }

  void extend() {
    for (int y = 0; y < height_; ++y) {
      std::memset(row(y) - kMargin, row(y)[0], kMargin);
      std::memset(row(y) + width_, row(y)[width_ - 1], kMargin);
    }
    for (int k = 1; k <= kMargin; ++k) {
      std::memcpy(row(-k) - kMargin, row(0) - kMargin, static_cast<std::size_t>(stride_));
      std::memcpy(row(height_ - 1 + k) - kMargin, row(height_ - 1) - kMargin, static_cast<std::size_t>(stride_));
    }
  }

  int width_, height_;
  std::ptrdiff_t stride_;
  std::vector<std::uint8_t> samples_;
};

// Sum of absolute differences of two squares.
template <int Side>
inline int difference_of(const std::uint8_t* a, std::ptrdiff_t a_stride, const std::uint8_t* b,
                         std::ptrdiff_t b_stride) {
  int sum = 0;
  for (int y = 0; y < Side; ++y, a += a_stride, b += b_stride)
    for (int x = 0; x < Side; ++x) sum += std::abs(a[x] - b[x]);
  return sum;
}

}  // namespace nvcodec
