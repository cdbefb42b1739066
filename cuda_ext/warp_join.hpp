// Raw bits and escapes into the values of a decoded chunk. bitstream/CODER.md, section 2.
#pragma once

#include <limits>

#include "warp_decode.hpp"

namespace nvcodec::warp_coder {

// The tail of a chunk: its front rides in the final states, the rest lies in the body.
template <typename W>
class TailReader {
 public:
  using U32 = typename W::U32;

  NVCODEC_LANES TailReader(const std::uint32_t* body, const ChunkPlace& place, const U32& states) : body_(body) {
    const U32 pair = W::lane() << 1;
    seeds_ = (W::shuffle(states, pair) & 0xFFFFu) | W::shuffle(states, pair + 1u) << 16;
    const std::uint64_t start = 8 * place.tail_first - kSeedBits;  // of the tail's first bit, were it stored; states come first
    word_ = static_cast<std::uint32_t>(start >> 5);
    bit_ = static_cast<std::uint32_t>(start & 31);
  }

  // 32 bits from each place on; all places are at least `least`. What lies behind the tail is to be masked.
  NVCODEC_LANES U32 peek(const U32& place, std::uint32_t least) const { return least >= kSeedBits ? stored(place) : mixed(place); }

  // The same where all places are behind the seeds, and where some may be in them.
  NVCODEC_LANES U32 stored(const U32& place) const {
    const U32 bit = place + bit_, word = (bit >> 5) + word_;
    const typename W::Bool all(true);
    return W::funnel(W::load(body_, word, all), W::load(body_ + 1, word, all), bit);
  }
  NVCODEC_LANES U32 mixed(const U32& place) const {
    const U32 word = place >> 5;
    return W::funnel(word_of(word), word_of(word + 1u), place);
  }

 private:
  NVCODEC_LANES U32 word_of(const U32& word) const {
    const U32 behind = W::template max<std::uint32_t>(word, U32(kSeedWords));
    return W::template select<std::uint32_t>(word < kSeedWords, W::shuffle(seeds_, word), stored(behind << 5));
  }

  const std::uint32_t* body_;
  std::uint32_t word_, bit_;
  U32 seeds_;
};

// Whether lanes ended in states that a tail of so many bytes can have been seeded with.
template <typename W>
NVCODEC_LANES bool ends_well(const typename W::U32& states, std::uint64_t tail_bytes) {
  const std::uint32_t seeded = tail_bytes < 2 * kLanes ? static_cast<std::uint32_t>(tail_bytes) : 2 * kLanes;
  const auto byte = W::lane() << 1;
  const auto low = W::template select<std::uint32_t>(byte >= seeded, states & 0xFFu, typename W::U32(0u));
  const auto high = W::template select<std::uint32_t>(byte + 1u >= seeded, states & 0xFF00u, typename W::U32(0u));
  return !W::any(((states >> 16) != 1u) | ((low | high) != 0u));
}

// One group of values whose table symbols are known, `high`.
template <typename W>
struct JoinGroup {
  typename W::Bool which, is_escaped;
  typename W::U32 value, high, raw, escape, place, bits;
};

template <typename W, typename Value, typename Index>
class Joiner {
 public:
  using U32 = typename W::U32;
  using Bool = typename W::Bool;

  NVCODEC_LANES Joiner(const TableView& tables, const TailReader<W>& tail, const EscapeMap<W>& escapes, const ChunkPlace& place)
      : tables_(tables), tail_(tail), escapes_(escapes), end_(8 * place.tail_bytes), raw_at_(0), escape_at_(static_cast<std::uint32_t>(place.raw_bits)) {}

  NVCODEC_LANES Status run(const Index* indices, Value* values, std::uint32_t count) {
    const Status status = tables_.most_raw_bits != 0 ? visit_all(indices, values, count) : visit_escapes(indices, values, count);
    if (status != Status::kGood) return status;
    return only_padding_left() ? Status::kGood : Status::kBitsLeftOver;
  }

 private:
  static constexpr std::int64_t kLeast = std::numeric_limits<Value>::min(), kMost = std::numeric_limits<Value>::max();
  static constexpr Status kBeyond = sizeof(Value) == 2 ? Status::kBeyond16 : Status::kBeyond32;

  // Several groups together, whose look-ups then overlap, and the next ones on their way.
  NVCODEC_LANES Status visit_all(const Index* indices, Value* values, std::uint32_t count) {
    Item<W, Value, Index> now[kAhead], next[kAhead];
    load(indices, values, 0, count, now);
    for (std::uint32_t first = 0; first < count; first += kAhead * kLanes) {
      load(indices, values, first + kAhead * kLanes, count, next);
      const Status status = join(now, values + first, count - first);
      if (status != Status::kGood) return status;
      NVCODEC_UNROLLED
      for (std::uint32_t g = 0; g < kAhead; ++g) now[g] = next[g];
    }
    return Status::kGood;
  }

  // Without raw bits all values but escapes are final.
  NVCODEC_LANES Status visit_escapes(const Index* indices, Value* values, std::uint32_t count) {
    Item<W, Value, Index> items[kAhead];
    for (std::uint32_t first = 0; first < count; first += kAhead * kLanes) {
      if (!escapes_.has(first / (kAhead * kLanes))) continue;
      load(indices, values, first, count, items);
      const Status status = join(items, values + first, count - first);
      if (status != Status::kGood) return status;
    }
    return Status::kGood;
  }

  static NVCODEC_LANES void load(const Index* indices, const Value* values, std::uint32_t first, std::uint32_t count,
                                 Item<W, Value, Index>* items) {
    NVCODEC_UNROLLED
    for (std::uint32_t g = 0; g < kAhead; ++g) {
      const Bool which = W::lane() + (first + g * kLanes) < count;
      items[g].index = W::load(indices + first + g * kLanes, W::lane(), which);
      items[g].value = W::load_own(values + first + g * kLanes, W::lane(), which);
    }
  }

  NVCODEC_LANES Status join(const Item<W, Value, Index>* items, Value* values, std::uint32_t left) {
    JoinGroup<W> groups[kAhead];
    NVCODEC_UNROLLED
    for (std::uint32_t g = 0; g < kAhead; ++g) groups[g] = opened(items[g], W::lane() + g * kLanes < left);
    take_raw_bits(groups);
    Bool is_special(false);
    NVCODEC_UNROLLED
    for (std::uint32_t g = 0; g < kAhead; ++g) {
      groups[g].value = groups[g].high << groups[g].raw | groups[g].bits;
      is_special = is_special | groups[g].is_escaped | is_beyond(groups[g]);
    }
    if (W::any(is_special)) {
      const Status status = mend(groups);
      if (status != Status::kGood) return status;
    }
    NVCODEC_UNROLLED
    for (std::uint32_t g = 0; g < kAhead; ++g)
      W::store(values + g * kLanes, W::lane(), W::template cast<Value>(groups[g].value), groups[g].which);
    return Status::kGood;
  }

  NVCODEC_LANES JoinGroup<W> opened(const Item<W, Value, Index>& item, const Bool& which) const {
    JoinGroup<W> group;
    const Trait<W> trait = traits_of<W>(tables_, W::template cast<std::uint32_t>(item.index) - tables_.first, which);
    group.which = which;
    group.high = W::template cast<std::uint32_t>(item.value);
    group.raw = trait.raw;
    group.escape = trait.escape;
    group.is_escaped = which & (group.high == unzigzag_of<W>(trait.escape));
    return group;
  }

  NVCODEC_LANES void take_raw_bits(JoinGroup<W>* groups) {
    const std::uint32_t begin = raw_at_;
    NVCODEC_UNROLLED
    for (std::uint32_t g = 0; g < kAhead; ++g) groups[g].bits = U32(0u);
    if (tables_.most_raw_bits == 0) return;
    NVCODEC_UNROLLED
    for (std::uint32_t g = 0; g < kAhead; g += 2) place_two(groups[g], groups[g + 1]);
    if (raw_at_ == begin) return;
    if (begin >= kSeedBits) {
      NVCODEC_UNROLLED
      for (std::uint32_t g = 0; g < kAhead; ++g) groups[g].bits = tail_.stored(groups[g].place) & low_bits<W>(groups[g].raw);
    } else {
      NVCODEC_UNROLLED
      for (std::uint32_t g = 0; g < kAhead; ++g) groups[g].bits = tail_.mixed(groups[g].place) & low_bits<W>(groups[g].raw);
    }
  }

  // Where the raw bits of two groups lie, by one running sum: 32 lanes have at most 512 bits.
  NVCODEC_LANES void place_two(JoinGroup<W>& one, JoinGroup<W>& other) {
    const Before<W> sum = sums_before<W>(one.raw | other.raw << 16);
    one.place = (sum.below & 0xFFFFu) + raw_at_;
    raw_at_ += sum.total & 0xFFFFu;
    other.place = (sum.below >> 16) + raw_at_;
    raw_at_ += sum.total >> 16;
  }

  static NVCODEC_LANES Bool is_beyond(const JoinGroup<W>& group) {
    return group.which & (W::template cast<std::uint32_t>(W::template cast<Value>(group.value)) != group.value);
  }

  // Escapes, in the order of symbols, and plain values that are too wide.
  NVCODEC_LANES Status mend(JoinGroup<W>* groups) {
    NVCODEC_UNROLLED
    for (std::uint32_t g = 0; g < kAhead; ++g) {
      std::uint32_t escaped = W::ballot(groups[g].is_escaped);
      if ((W::ballot(is_beyond(groups[g])) & ~escaped) != 0) return kBeyond;
      for (; escaped != 0; escaped &= escaped - 1) {
        const Status status = take_escape(groups[g], W::lowest(escaped));
        if (status != Status::kGood) return status;
      }
    }
    return Status::kGood;
  }

  // Every lane reads the same code; one takes the value.
  NVCODEC_LANES Status take_escape(JoinGroup<W>& group, std::uint32_t lane) {
    const std::uint64_t left = end_ - escape_at_;
    const std::uint32_t window = peek(escape_at_), zeros = window != 0 ? W::lowest(window) : 32;
    if (zeros > kMaxEscapePrefix) return left > kMaxEscapePrefix ? Status::kPrefixTooLong : Status::kBitsRunOut;
    const std::uint32_t low = zeros + kEscapeOrder, length = zeros + 1 + low;
    if (length > left) return Status::kBitsRunOut;
    const std::uint32_t biased = 1u << low | (peek(escape_at_ + zeros + 1) & ((1u << low) - 1u));
    const std::uint32_t order = W::of_lane(group.escape, lane) + biased - (1u << kEscapeOrder);
    const std::int64_t high = static_cast<std::int32_t>(order >> 1 ^ (0u - (order & 1u)));
    const std::int64_t value = high * (std::int64_t{1} << W::of_lane(group.raw, lane)) + W::of_lane(group.bits, lane);
    if (value < kLeast || value > kMost) return kBeyond;
    group.value = W::template select<std::uint32_t>(W::lane() == lane, U32(static_cast<std::uint32_t>(value)), group.value);
    escape_at_ += length;
    return Status::kGood;
  }

  NVCODEC_LANES bool only_padding_left() const {
    const std::uint64_t left = end_ - escape_at_;
    return left < 8 && (peek(escape_at_) & ((1u << left) - 1u)) == 0;
  }

  NVCODEC_LANES std::uint32_t peek(std::uint32_t place) const { return W::of_lane(tail_.peek(U32(place), place), 0); }

  const TableView& tables_;
  TailReader<W> tail_;
  EscapeMap<W> escapes_;
  std::uint64_t end_;  // bits of the tail
  std::uint32_t raw_at_, escape_at_;
};

// Decodes chunk k of a segment whose states, words and tails are in `body` (with kSlack bytes more to read behind them).
template <typename Value, typename Index>
struct DecodeTask {
  TableView tables;
  Cut<Index> cut;
  Value* values;
  const std::uint32_t* body;
  std::uint32_t body_words;     // 32-bit ones
  std::uint32_t state_words;    // of them, the states of all chunks
  const ChunkPlace* places;
  Status* statuses;

  // What is worth having in shared memory.
  const void* staged() const { return tables.buckets; }
  std::size_t staged_bytes() const { return sizeof(std::uint64_t) * kBuckets * tables.tables; }

  template <typename W>
  NVCODEC_LANES void run(std::uint64_t chunk) const {
    W::store_one(statuses + chunk, decode<W>(chunk));
  }

 private:
  template <typename W>
  NVCODEC_LANES Status decode(std::uint64_t chunk) const {
    const ChunkPlace place = places[chunk];
    const auto start = W::load(body, W::lane() + static_cast<std::uint32_t>(chunk * kLanes), typename W::Bool(true));
    if (W::any(start < kLow)) return Status::kStateTooSmall;
    const WordWindow<W> words(body + state_words, body_words - state_words, place.word_first);
    LaneDecoder<W, Value, Index> lanes(tables, start, words, place.word_count, cut.count(chunk));
    const Index* const indices = cut.indices + cut.first(chunk);
    Value* const out = values + cut.first(chunk);
    const Status status = lanes.run(indices, out);
    if (status != Status::kGood) return status;
    if (!ends_well<W>(lanes.states(), place.tail_bytes)) return Status::kWrongEnd;
    if (place.tail_bytes == 0) return lanes.escapes().has_any() ? Status::kBitsRunOut : Status::kGood;
    const TailReader<W> tail(body, place, lanes.states());
    return Joiner<W, Value, Index>(tables, tail, lanes.escapes(), place).run(indices, out, cut.count(chunk));
  }
};

}  // namespace nvcodec::warp_coder
