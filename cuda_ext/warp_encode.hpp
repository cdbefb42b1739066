// Values to the words of a chunk, last group first, and the words of all chunks into one run.
#pragma once

#include "warp_survey.hpp"

namespace nvcodec::warp_coder {

// The states of a chunk on their way, backwards, through its values.
template <typename W, typename Value, typename Index>
class LaneEncoder {
 public:
  using U32 = typename W::U32;
  using Bool = typename W::Bool;

  // Words go to the `count` places from `words` on, the last ones first.
  NVCODEC_LANES LaneEncoder(const TableView& tables, const U32& states, std::uint16_t* words, std::uint32_t count)
      : tables_(tables), states_(states), words_(words), count_(count), at_(count) {}

  NVCODEC_LANES void run(const Value* values, const Index* indices) {
    std::uint32_t groups = count_ / kLanes;
    if (count_ % kLanes != 0) group(load(values, indices, groups, true), W::lane() + groups * kLanes < count_);
    Ahead batch[kAhead];
    NVCODEC_UNROLLED
    for (std::uint32_t g = 0; g < kAhead; ++g) batch[g] = load(values, indices, groups - 1 - g, g < groups);
    for (; groups >= kAhead; groups -= kAhead) {
      Ahead following[kAhead];
      NVCODEC_UNROLLED
      for (std::uint32_t g = 0; g < kAhead; ++g)
        following[g] = load(values, indices, groups - 1 - kAhead - g, g + kAhead < groups);
      NVCODEC_UNROLLED
      for (std::uint32_t g = 0; g < kAhead; ++g) {
        group(batch[g], Bool(true));
        batch[g] = following[g];
      }
    }
    NVCODEC_UNROLLED
    for (std::uint32_t g = 0; g < kAhead; ++g)
      if (g < groups) group(batch[g], Bool(true));
  }

  NVCODEC_LANES const U32& states() const { return states_; }
  NVCODEC_LANES std::uint32_t word_count() const { return count_ - at_; }

 private:
  using Ahead = Item<W, Value, Index>;

  NVCODEC_LANES Ahead load(const Value* values, const Index* indices, std::uint32_t group, bool is_there) const {
    const U32 i = W::lane() + group * kLanes;
    const Bool which = (i < count_) & Bool(is_there);
    return {W::load(values, i, which), W::load(indices, i, which)};
  }

  NVCODEC_LANES void group(const Ahead& item, const Bool& which) {
    const U32 table = W::template cast<std::uint32_t>(item.index) - tables_.first;
    const Trait<W> trait = traits_of<W>(tables_, table, which);
    const U32 order = zigzag_of<W>(shifted_down<W>(W::template cast<std::uint32_t>(item.value), trait.raw));
    const U32 symbol = W::template min<std::uint32_t>(order, trait.escape);
    const U32 span = W::table(tables_.spans, table * tables_.row + symbol, which);
    const U32 start = span & 0xFFFFu, frequency = W::template max<std::uint32_t>(span >> 16, U32(1u));
    const Bool full = which & (states_ >= frequency << (32 - kProbabilityBits));
    const std::uint32_t mask = W::ballot(full);
    at_ -= W::count(mask);
    W::store(words_, W::count_below(mask) + at_, W::template cast<std::uint16_t>(states_), full);
    const U32 state = W::template select<std::uint32_t>(full, states_ >> 16, states_);
    states_ = W::template select<std::uint32_t>(which, push(state, start, frequency), states_);
  }

  // The quotient is exact whatever floats round to: the remainder tells whether the estimate is off by one.
  static NVCODEC_LANES U32 push(const U32& state, const U32& start, const U32& frequency) {
    const U32 near = W::quotient_near(state, frequency), rest = state - near * frequency;
    const Bool is_above = (rest >> 31) != 0u, is_below = Bool(rest >= frequency) & (rest >> 31 == 0u);
    const U32 quotient = near + W::template cast<std::uint32_t>(is_below) - W::template cast<std::uint32_t>(is_above);
    return (quotient << kProbabilityBits) + (state - quotient * frequency) + start;
  }

  const TableView& tables_;
  U32 states_;
  std::uint16_t* words_;
  std::uint32_t count_, at_;
};

// Codes chunk k into its own part of `words`, which has room for a word a symbol.
template <typename Value, typename Index>
struct EncodeTask {
  TableView tables;
  Cut<Index> cut;
  const Value* values;
  const std::uint32_t* seeds;  // kSeedWords a chunk
  std::uint32_t* states;       // kLanes a chunk
  std::uint16_t* words;
  std::uint32_t* word_counts;

  const void* staged() const { return tables.spans; }
  std::size_t staged_bytes() const { return sizeof(std::uint32_t) * tables.row * tables.tables; }

  template <typename W>
  NVCODEC_LANES void run(std::uint64_t chunk) const {
    const auto lane = W::lane();
    const typename W::Bool all(true);
    const auto pair = W::load(seeds + kSeedWords * chunk, lane >> 1, all);
    const auto start = (pair >> ((lane & 1u) << 4) & 0xFFFFu) | kLow;
    LaneEncoder<W, Value, Index> lanes(tables, start, words + cut.first(chunk), cut.count(chunk));
    lanes.run(values + cut.first(chunk), cut.indices + cut.first(chunk));
    W::store(states + kLanes * chunk, lane, lanes.states(), all);
    W::store_one(word_counts + chunk, lanes.word_count());
  }
};

// One warp: where the words of each chunk begin in the run of all.
struct PlaceTask {
  const std::uint32_t* word_counts;
  std::uint64_t* word_firsts;
  std::uint32_t chunks;

  template <typename W>
  NVCODEC_LANES void run(std::uint64_t) const {
    typename W::template Vec<std::uint64_t> at(std::uint64_t{0});
    for (std::uint32_t first = 0; first < chunks; first += kLanes) {
      const auto k = W::lane() + first;
      const typename W::Bool which = k < chunks;
      const Before<W> sum = sums_before<W>(W::load(word_counts, k, which));
      W::store(word_firsts, k, at + W::template cast<std::uint64_t>(sum.below), which);
      at = at + std::uint64_t{sum.total};
    }
  }

  const void* staged() const { return nullptr; }
  std::size_t staged_bytes() const { return 0; }
};

// Moves one tile of a chunk's words to their place in the run.
template <typename Index>
struct PackTask {
  Cut<Index> cut;
  Tiling tiling;
  const std::uint16_t* words;
  const std::uint32_t* word_counts;
  const std::uint64_t* word_firsts;
  std::uint16_t* run_of_all;

  template <typename W>
  NVCODEC_LANES void run(std::uint64_t tile) const {
    const std::uint64_t chunk = tiling.chunk(tile);
    const std::uint32_t begin = tiling.begin(tile), count = word_counts[chunk];
    if (begin >= count) return;
    const std::uint32_t end = Tiling::end(begin, count);
    const std::uint16_t* const from = words + cut.first(chunk) + (cut.count(chunk) - count);
    for (std::uint32_t first = begin; first < end; first += kLanes) {
      const auto i = W::lane() + first;
      const typename W::Bool which = i < end;
      W::store(run_of_all + word_firsts[chunk], i, W::load(from, i, which), which);
    }
  }

  const void* staged() const { return nullptr; }
  std::size_t staged_bytes() const { return 0; }
};

}  // namespace nvcodec::warp_coder
