// Chunks of the entropy coder: rANS lanes, raw low bits and escapes. bitstream/CODER.md is normative.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "lanes.hpp"

namespace nvcodec {

// A segment that cannot be decoded; `kind` picks the Python exception.
struct CodingError : std::runtime_error {
  enum class Kind { kFormat, kDamaged, kTruncated };
  CodingError(Kind kind_, const std::string& message) : std::runtime_error(message), kind(kind_) {}
  Kind kind;
};

[[noreturn]] void throw_damaged(const char* message);

struct ChunkCode {
  States states{};                   // as the decoder starts
  std::vector<std::uint16_t> words;  // in decode order
  std::vector<std::uint8_t> tail;    // raw bits, then escape bits; its first bytes ride in the states
  std::uint64_t raw_bits = 0;
};

// Bytes of a tail that ride in the initial states instead of being stored.
inline std::uint64_t seeded_bytes(std::uint64_t tail_bytes, std::uint32_t lanes) noexcept {
  return tail_bytes < 2u * lanes ? tail_bytes : 2u * lanes;
}

// A chunk as it lies in a segment.
struct ChunkBytes {
  const std::uint8_t* states;  // 4 bytes a lane
  const std::uint8_t* words;   // 2 bytes a word
  std::uint64_t word_count;
  const std::uint8_t* tail;  // the stored part
  std::uint64_t tail_bytes;  // all of the tail, the seeded part included
};

// Both take at most kSideBySide chunks of one segment; Value is int16_t or int32_t, Index uint8_t or uint16_t.

// Throws std::invalid_argument for a value too far out for the escape code.
template <typename Value, typename Index>
void encode_chunks(const Value* const* values, const ChunkModel<Index>* models, ChunkCode* codes, std::size_t count,
                   const Kernels& kernels, Scratch& scratch);

// Throws CodingError for damage, that of the first chunk if there is more; reads nothing outside `bytes`, writes
// models[k].symbols values each.
template <typename Value, typename Index>
void decode_chunks(const ChunkBytes* bytes, const ChunkModel<Index>* models, Value* const* values, std::size_t count,
                   const Kernels& kernels, Scratch& scratch);

}  // namespace nvcodec
