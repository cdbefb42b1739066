// One chunk of the entropy coder: interleaved rANS lanes, raw low bits and escapes. bitstream/CODER.md is normative.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "coder_tables.hpp"

namespace nvcodec {

constexpr std::uint32_t kMaxLanes = 32;
constexpr std::uint32_t kStateLow = 1u << 16;  // states live in [2^16, 2^32)

// A segment that cannot be decoded; `kind` picks the Python exception.
struct CodingError : std::runtime_error {
  enum class Kind { kFormat, kDamaged, kTruncated };
  CodingError(Kind kind_, const std::string& message) : std::runtime_error(message), kind(kind_) {}
  Kind kind;
};

[[noreturn]] void throw_damaged(const char* message);

// What the symbols of a chunk are coded with.
struct ChunkModel {
  const TableSet& tables;
  const std::uint16_t* indices;  // table of each symbol, all below tables.size()
  std::size_t symbols;
  std::uint32_t lanes;  // 1, 8 or 32
};

struct ChunkCode {
  std::array<std::uint32_t, kMaxLanes> states{};  // as the decoder starts
  std::vector<std::uint16_t> words;               // in decode order
  std::vector<std::uint8_t> tail;                 // raw bits, then escape bits; its first bytes ride in the states
};

// Bits that the raw parts of the values take.
std::uint64_t raw_bit_count(const ChunkModel& model) noexcept;

// Bytes of a tail that ride in the initial states instead of being stored.
inline std::uint64_t seeded_bytes(std::uint64_t tail_bytes, std::uint32_t lanes) noexcept {
  return tail_bytes < 2u * lanes ? tail_bytes : 2u * lanes;
}

// Throws std::invalid_argument for a value too far out for the escape code.
ChunkCode encode_chunk(const std::int32_t* values, const ChunkModel& model);

// A chunk as it lies in a segment.
struct ChunkBytes {
  const std::uint8_t* states;  // 4 bytes a lane
  const std::uint8_t* words;   // 2 bytes a word
  std::uint64_t word_count;
  const std::uint8_t* tail;  // the stored part
  std::uint64_t tail_bytes;  // all of the tail, the seeded part included
};

// Throws CodingError for damage; reads nothing outside `bytes`, writes model.symbols values.
void decode_chunk(const ChunkBytes& bytes, const ChunkModel& model, std::int32_t* values);

}  // namespace nvcodec
