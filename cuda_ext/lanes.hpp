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
  IndexRange range;     // of the segment's indices
};

// Room for the table symbols and words of the chunks that one thread has in hand, kept from one batch to the next: fresh
// memory would cost more than the coding.
class Scratch {
 public:
  // For so many chunks of so many symbols, with words or without. Throws std::bad_alloc. What was there is lost.
  void reserve(std::size_t chunks, std::size_t symbols, bool with_words) {
    if (chunks <= chunks_ && symbols <= capacity_) return;
    chunks_ = capacity_ = 0;
    symbols_.reset(new std::uint8_t[chunks * symbols]);
    words_.reset(with_words ? new std::uint16_t[chunks * (symbols + kGroup)] : nullptr);
    chunks_ = chunks;
    capacity_ = symbols;
  }

  std::uint8_t* symbols(std::size_t chunk) const noexcept { return symbols_.get() + chunk * capacity_; }
  std::uint16_t* words_end(std::size_t chunk) const noexcept { return words_.get() + (chunk + 1) * (capacity_ + kGroup); }

 private:
  std::size_t chunks_ = 0, capacity_ = 0;
  std::unique_ptr<std::uint8_t[]> symbols_;
  std::unique_ptr<std::uint16_t[]> words_;
};

template <typename Index>
struct EncodeJob {
  ChunkModel<Index> model;
  const std::uint8_t* symbols;
  States states;         // seeded; afterwards as the decoder starts
  std::uint16_t* words;  // the end of a buffer with room for model.symbols and kGroup more; afterwards the first word
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
