// A chunk's words to table symbols, by 32 lanes. bitstream/CODER.md, section 4; lanes take words as a ballot counts them.
#pragma once

#include "warp_args.hpp"

namespace nvcodec::warp_coder {

// The next 64 to 128 words of a chunk, two in each lane of two registers, so that taking one costs a shuffle and what
// follows is loaded long before it is needed.
template <typename W>
class WordWindow {
 public:
  using U32 = typename W::U32;

  // `pairs` holds two words each; of it `pair_count` may be read.
  NVCODEC_LANES WordWindow(const std::uint32_t* pairs, std::uint32_t pair_count, std::uint64_t first)
      : pairs_(pairs), pair_count_(pair_count), next_(static_cast<std::uint32_t>(first >> 1)), at_(first & 1) {
    low_ = fetch();
    high_ = fetch();
  }

  // The word that is `ahead` < 32 words away.
  NVCODEC_LANES U32 peek(const U32& ahead) const {
    const U32 place = ahead + at_;
    const U32 near = W::shuffle(low_, place >> 1), far = W::shuffle(high_, place >> 1);
    const U32 pair = W::template select<std::uint32_t>(place < 2 * kLanes, near, far);
    return pair >> ((place & 1u) << 4) & 0xFFFFu;
  }

  NVCODEC_LANES void skip(std::uint32_t count) {  // at most 32
    at_ += count;
    if (at_ < 2 * kLanes) return;
    at_ -= 2 * kLanes;
    low_ = high_;
    high_ = fetch();
  }

 private:
  NVCODEC_LANES U32 fetch() {
    const U32 index = W::lane() + next_;
    next_ += kLanes;
    return W::load(pairs_, index, index < pair_count_);
  }

  const std::uint32_t* pairs_;
  std::uint32_t pair_count_, next_, at_;
  U32 low_, high_;
};

template <typename W>
struct Found {
  typename W::U32 symbol, start, end;
};

// The symbols that own the slots. A slot beyond a bucket's second symbol walks on, which is rare.
template <typename W>
NVCODEC_LANES Found<W> find(const TableView& tables, const typename W::U32& table, const typename W::U32& slot,
                            const typename W::Bool& which) {
  using U32 = typename W::U32;
  const auto fine = W::template cast<std::int32_t>(slot >> kFineShift) - static_cast<std::int32_t>(kFineBias);
  const auto bucket = W::template max<std::int32_t>(fine, W::template cast<std::int32_t>(slot >> kCoarseShift));
  const auto entry = W::table(tables.buckets, table * kBuckets + W::template cast<std::uint32_t>(bucket), which);
  const U32 low = W::template cast<std::uint32_t>(entry), high = W::template cast<std::uint32_t>(entry >> 32);
  const typename W::Bool is_first = slot < (low >> 16);
  const U32 edges = W::template select<std::uint32_t>(is_first, low, low >> 16 | high << 16);
  Found<W> found{(high >> 16) + W::template select<std::uint32_t>(is_first, U32(0u), U32(1u)), edges & 0xFFFFu, edges >> 16};
  typename W::Bool beyond = which & (slot >= found.end);
  while (W::any(beyond)) {
    found.symbol = found.symbol + W::template cast<std::uint32_t>(beyond);
    const U32 span = W::load(tables.spans, table * tables.row + found.symbol, beyond);
    found.start = W::template select<std::uint32_t>(beyond, span & 0xFFFFu, found.start);
    found.end = W::template select<std::uint32_t>(beyond, (span & 0xFFFFu) + (span >> 16), found.end);
    beyond = which & (slot >= found.end);
  }
  return found;
}

// Which batches of kAhead groups hold an escape, or of several batches together where a chunk has more than 1024.
template <typename W>
class EscapeMap {
 public:
  NVCODEC_LANES explicit EscapeMap(std::uint32_t count) : marks_(0u), shift_(0) {
    while ((count / (kAhead * kLanes)) >> shift_ >= 32 * kLanes) ++shift_;
  }

  NVCODEC_LANES void mark(std::uint32_t batch) {
    const std::uint32_t number = batch >> shift_;
    marks_ = W::template select<std::uint32_t>(W::lane() == number % kLanes, marks_ | 1u << number / kLanes, marks_);
  }
  NVCODEC_LANES bool has(std::uint32_t batch) const {
    const std::uint32_t number = batch >> shift_;
    return (W::of_lane(marks_, number % kLanes) >> number / kLanes & 1u) != 0;
  }
  NVCODEC_LANES bool has_any() const { return W::any(marks_ != 0u); }

 private:
  typename W::U32 marks_;
  std::uint32_t shift_;
};

// The states of a chunk on their way through its words.
template <typename W, typename Value, typename Index>
class LaneDecoder {
 public:
  using U32 = typename W::U32;
  using Bool = typename W::Bool;
  template <typename T>
  using Vec = typename W::template Vec<T>;

  NVCODEC_LANES LaneDecoder(const TableView& tables, const U32& states, const WordWindow<W>& words, std::uint64_t word_count,
                             std::uint32_t count)
      : tables_(tables),
        escapes_(count),
        count_(count),
        states_(states),
        words_(words),
        left_(word_count >> 32 == 0 ? static_cast<std::uint32_t>(word_count) : ~0u),
        furthest_(0u) {}

  // Writes unzigzagged table symbols; raw bits and escapes are not in them yet.
  NVCODEC_LANES Status run(const Index* indices, Value* values) {
    Vec<Index> tables[kAhead];
    load_ahead(indices, 0, tables);
    std::uint32_t first = 0;
    for (; first + kAhead * kLanes <= count_; first += kAhead * kLanes) {
      Vec<Index> next[kAhead];
      load_ahead(indices, first + kAhead * kLanes, next);
      NVCODEC_UNROLLED
      for (std::uint32_t g = 0; g < kAhead; ++g) {
        if (!group(tables[g], values + first + g * kLanes, Bool(true))) return Status::kWordsRunOut;
        tables[g] = next[g];
      }
      note_escapes(first);
    }
    NVCODEC_UNROLLED
    for (std::uint32_t g = 0; g < kAhead; ++g) {
      const std::uint32_t begin = first + g * kLanes;
      if (begin < count_ && !group(tables[g], values + begin, W::lane() + begin < count_)) return Status::kWordsRunOut;
    }
    note_escapes(first);
    return left_ == 0 ? Status::kGood : Status::kWordsLeftOver;
  }

  NVCODEC_LANES const U32& states() const { return states_; }
  NVCODEC_LANES const EscapeMap<W>& escapes() const { return escapes_; }

 private:
  NVCODEC_LANES void load_ahead(const Index* indices, std::uint32_t first, Vec<Index>* tables) const {
    NVCODEC_UNROLLED
    for (std::uint32_t g = 0; g < kAhead; ++g) {
      tables[g] = W::load(indices + first + g * kLanes, W::lane(), W::lane() + (first + g * kLanes) < count_);
    }
  }

  NVCODEC_LANES void note_escapes(std::uint32_t first) {
    if (!W::any(furthest_ == kProbabilityTotal)) return;
    escapes_.mark(first / (kAhead * kLanes));
    furthest_ = U32(0u);
  }

  // 32 symbols, or fewer at the end. False if the words run out.
  NVCODEC_LANES bool group(const Vec<Index>& index, Value* values, const Bool& which) {
    const U32 slot = states_ & (kProbabilityTotal - 1);
    const Found<W> found = find<W>(tables_, W::template cast<std::uint32_t>(index) - tables_.first, slot, which);
    const U32 state = (found.end - found.start) * (states_ >> kProbabilityBits) + slot - found.start;
    const Bool hungry = which & (state < kLow);
    const std::uint32_t mask = W::ballot(hungry), eaten = W::count(mask);
    if (eaten > left_) return false;
    const U32 fed = state << 16 | words_.peek(W::count_below(mask));
    states_ = W::template select<std::uint32_t>(which, W::template select<std::uint32_t>(hungry, fed, state), states_);
    left_ -= eaten;
    words_.skip(eaten);
    furthest_ = W::template max<std::uint32_t>(furthest_, W::template select<std::uint32_t>(which, found.end, U32(0u)));
    const U32 value = unzigzag_of<W>(found.symbol);
    W::store(values, W::lane(), W::template cast<Value>(value), which);
    return true;
  }

  const TableView& tables_;
  EscapeMap<W> escapes_;
  std::uint32_t count_;
  U32 states_;
  WordWindow<W> words_;
  std::uint32_t left_;  // words; as many as a number can hold if there are more, which no chunk takes
  U32 furthest_;  // end of a batch's furthest symbol: the escape's is the last slot's
};

}  // namespace nvcodec::warp_coder
