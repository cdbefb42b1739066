// Bit strings, first bit in the lowest bit of the first byte, as the tail of a chunk stores them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace nvcodec {

class BitWriter {
 public:
  // Goes on behind the first `count` bits of `bytes`.
  BitWriter(std::vector<std::uint8_t> bytes, std::uint64_t count) : bytes_(std::move(bytes)), filled_(count & 7) {
    pending_ = filled_ > 0 ? bytes_[count >> 3] & ((1u << filled_) - 1u) : 0u;
    bytes_.resize(count >> 3);
  }

  // Appends the low `count` bits of `value`, lowest first; count <= 32 and value < 2^count.
  void put(std::uint32_t value, std::uint32_t count) {
    pending_ |= static_cast<std::uint64_t>(value) << filled_;
    for (filled_ += count; filled_ >= 8; filled_ -= 8, pending_ >>= 8)
      bytes_.push_back(static_cast<std::uint8_t>(pending_));
  }

  // The bytes so far, the last one padded with zero bits. Ends the writing.
  std::vector<std::uint8_t> finish() {
    if (filled_ > 0) put(0, 8 - filled_);
    return std::move(bytes_);
  }

 private:
  std::vector<std::uint8_t> bytes_;
  std::uint64_t pending_;
  std::uint32_t filled_;
};

class BitReader {
 public:
  // Starts at bit `start`, which must lie within the `size` bytes or at their end.
  BitReader(const std::uint8_t* data, std::size_t size, std::uint64_t start)
      : data_(data), bits_(static_cast<std::uint64_t>(size) * 8), position_(start) {}

  // Takes `count` <= 32 bits, lowest first; false (and nothing taken) if fewer are left.
  bool take(std::uint32_t count, std::uint32_t& value) noexcept {
    if (count > bits_ - position_) return false;
    std::uint64_t window = 0;
    const std::uint64_t first = position_ >> 3, last = (position_ + count + 7) >> 3;
    for (std::uint64_t i = first; i < last; ++i) window |= static_cast<std::uint64_t>(data_[i]) << (8 * (i - first));
    value = static_cast<std::uint32_t>(window >> (position_ & 7)) & mask(count);
    position_ += count;
    return true;
  }

  // True if less than a byte is left and all of it is zero.
  bool only_padding_left() const noexcept {
    if (bits_ - position_ >= 8) return false;
    return position_ == bits_ || data_[position_ >> 3] >> (position_ & 7) == 0;
  }

 private:
  static std::uint32_t mask(std::uint32_t count) noexcept { return count >= 32 ? ~0u : (1u << count) - 1u; }

  const std::uint8_t* data_;
  std::uint64_t bits_;
  std::uint64_t position_;
};

}  // namespace nvcodec
