// What the warp coder is given: tables, places of chunks, and the helpers that all its parts share.
#pragma once

#include <cstddef>
#include <cstdint>

#include "coder_tables.hpp"
#include "symbols.hpp"
#include "warp_lanes.hpp"

namespace nvcodec::warp_coder {

constexpr std::uint32_t kLow = 1u << 16;                 // states live in [2^16, 2^32)
constexpr std::uint32_t kSeedBits = 16 * kLanes;         // the front of a tail that rides in the states
constexpr std::uint32_t kSeedWords = kSeedBits / 32;
constexpr std::uint32_t kTile = 1024;                    // symbols that one warp surveys
constexpr std::uint64_t kMostSymbols = 1u << 26;         // of a chunk, so that places of bits stay below 2^32
constexpr std::size_t kSlack = 32;                       // bytes behind a body or tails that may be touched
constexpr std::uint32_t kAhead = 4;                      // groups whose inputs are loaded before they are needed

// What is wrong with a chunk; the scalar coder says the same.
enum class Status : std::uint8_t {
  kGood,
  kStateTooSmall,
  kWordsRunOut,
  kWordsLeftOver,
  kWrongEnd,
  kBitsRunOut,
  kPrefixTooLong,
  kBeyond16,
  kBeyond32,
  kBitsLeftOver,
};

// The tables from `first` on, in the forms that lanes read.
struct TableView {
  const std::uint64_t* buckets;  // kBuckets a table: start | end << 16 | end of the next symbol << 32 | symbol << 48
  const std::uint32_t* spans;    // `row` a table: start | frequency << 16 of each symbol
  const std::uint16_t* traits;   // raw bits | escape << 8
  std::uint32_t row;
  std::uint32_t first;
  std::uint32_t tables;
  std::uint32_t most_raw_bits;
};

// Where a chunk lies. A body is what follows header and index: states, words, stored tails.
struct ChunkPlace {
  std::uint64_t word_first, word_count;
  std::uint64_t tail_first;  // byte of the body, or of the tails, where the stored part begins
  std::uint64_t tail_bytes;  // all of the tail, the seeds included
  std::uint64_t raw_bits;
};

// The symbols of a segment, cut into chunks.
template <typename Index>
struct Cut {
  const Index* indices;
  std::uint64_t symbols;
  std::uint32_t chunk_symbols;

  NVCODEC_LANES std::uint64_t first(std::uint64_t chunk) const { return chunk * chunk_symbols; }
  NVCODEC_LANES std::uint32_t count(std::uint64_t chunk) const {
    const std::uint64_t left = symbols - first(chunk);
    return left < chunk_symbols ? static_cast<std::uint32_t>(left) : chunk_symbols;
  }
};

// The lane's symbol of a group, as it lies in memory.
template <typename W, typename Value, typename Index>
struct Item {
  typename W::template Vec<Value> value;
  typename W::template Vec<Index> index;
};

template <typename W>
struct Trait {
  typename W::U32 raw, escape;
};

template <typename W>
NVCODEC_LANES Trait<W> traits_of(const TableView& tables, const typename W::U32& table, const typename W::Bool& which) {
  const auto trait = W::template cast<std::uint32_t>(W::load(tables.traits, table, which));
  return {trait & 0xFFu, trait >> 8};
}

template <typename W>
NVCODEC_LANES typename W::U32 low_bits(const typename W::U32& count) {
  return (typename W::U32(1u) << count) - 1u;
}

template <typename W>
NVCODEC_LANES typename W::U32 zigzag_of(const typename W::U32& value) {
  const auto sign = W::template cast<std::uint32_t>(W::template cast<std::int32_t>(value) >> 31);
  return value << 1 ^ sign;
}

template <typename W>
NVCODEC_LANES typename W::U32 unzigzag_of(const typename W::U32& order) {
  return order >> 1 ^ (0u - (order & 1u));
}

// value >> count with the sign kept.
template <typename W>
NVCODEC_LANES typename W::U32 shifted_down(const typename W::U32& value, const typename W::U32& count) {
  return W::template cast<std::uint32_t>(W::template cast<std::int32_t>(value) >> W::template cast<std::int32_t>(count));
}

template <typename W>
struct Before {
  typename W::U32 below;  // sum over the lanes below
  std::uint32_t total;
};

template <typename W>
NVCODEC_LANES Before<W> sums_before(const typename W::U32& value) {
  const auto sum = W::running_sum(value);
  return {sum - value, W::of_lane(sum, kLanes - 1)};
}

template <typename W>
NVCODEC_LANES std::uint32_t total_of(typename W::U32 value) {
  for (std::uint32_t step = kLanes / 2; step > 0; step /= 2) value = value + W::shuffle(value, W::lane() ^ step);
  return W::of_lane(value, 0);
}

}  // namespace nvcodec::warp_coder
