// The rANS lanes of a few chunks: table symbols <-> states and words. bitstream/CODER.md, section 4.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "coder_tables.hpp"
#include "kernels.hpp"

namespace nvcodec {

constexpr std::uint32_t kMaxLanes = 32;
constexpr std::uint32_t kStateLow = 1u << 16;  // states live in [2^16, 2^32)

using States = std::array<std::uint32_t, kMaxLanes>;

// What the symbols of a chunk are coded with.
template <typename Index>
struct ChunkModel {
  const TableSet& tables;
  const Index* indices;  // table of each symbol, all below tables.size()
  std::size_t symbols;
  std::uint32_t lanes;  // 1, 8 or 32
  bool one_table;       // all indices are the same
};

// Words as a chunk stores them, filled from the end of a buffer.
struct Words {
  std::unique_ptr<std::uint16_t[]> buffer;
  std::size_t first = 0, last = 0;

  std::size_t size() const noexcept { return last - first; }
  const std::uint16_t* data() const noexcept { return buffer.get() + first; }
};

template <typename Index>
struct EncodeJob {
  ChunkModel<Index> model;
  const std::uint8_t* symbols;
  States states;  // seeded; afterwards as the decoder starts
  Words words;
};

template <typename Index>
struct DecodeJob {
  ChunkModel<Index> model;
  States states;              // as stored; afterwards the final ones
  const std::uint8_t* words;  // 2 bytes each
  std::uint64_t word_count;
  std::uint8_t* symbols;
  const char* damage = nullptr;
};

// At most kSideBySide jobs, all with the same lanes and tables. Decoding tells damage in the job.
template <typename Index>
void encode_lanes(EncodeJob<Index>* jobs, std::size_t count, const Kernels& kernels);
template <typename Index>
void decode_lanes(DecodeJob<Index>* jobs, std::size_t count, const Kernels& kernels);

// The kernels for indices of a width.
template <typename Index>
const IndexKernels<Index>& of_width(const Kernels& kernels);

}  // namespace nvcodec
