// A segment: the bytes of one array of symbols. Header, index, states, words, tails; see bitstream/CODER.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "coder_tables.hpp"
#include "kernels.hpp"
#include "rans.hpp"

namespace nvcodec {

// Symbols of a segment with the table of each; every index must be below tables.size().
template <typename Index>
struct SegmentModel {
  const TableSet& tables;
  const Index* indices;  // uint8_t or uint16_t
  std::size_t symbols;
  IndexRange range{0, 0xFFFF};  // that the indices are in
};

// Throws CodingError unless all indices are below tables.size(); notes their range.
template <typename Index>
void check_indices(SegmentModel<Index>& model, const Kernels& kernels);

// How it is computed; the bytes and symbols are the same.
struct Effort {
  const Kernels& kernels;
  std::size_t threads = 1;
};

// A coded segment in parts, so that it can be written where it is wanted.
class EncodedSegment {
 public:
  EncodedSegment() = default;
  EncodedSegment(std::vector<ChunkCode> chunks, std::uint32_t lanes_log2, std::uint64_t chunk_symbols);

  std::size_t size() const noexcept { return size_; }
  void write(std::uint8_t* out) const noexcept;  // size() bytes

 private:
  std::vector<ChunkCode> chunks_;
  std::vector<std::uint8_t> header_;
  std::size_t size_ = 0;
  std::uint32_t lanes_ = 0;
};

// lanes_log2 is 0, 3 or 5; chunk_symbols a positive multiple of 32, or 0 for a single chunk. Values are int16_t or
// int32_t. Throws std::invalid_argument for other parameters and for values too far out for their table.
template <typename Value, typename Index>
EncodedSegment encode_segment(const Value* values, const SegmentModel<Index>& model, std::uint32_t lanes_log2,
                              std::uint64_t chunk_symbols, const Effort& effort);

// Writes model.symbols values. Throws CodingError; what is allocated is in proportion to `size` and the symbols.
template <typename Value, typename Index>
void decode_segment(const std::uint8_t* data, std::size_t size, const SegmentModel<Index>& model, Value* values,
                    const Effort& effort);

}  // namespace nvcodec
