// Raw bits and escape codes out of the values of a chunk, each lane's where sums over the lanes before say.
#pragma once

#include "warp_survey.hpp"

namespace nvcodec::warp_coder {

// The tail of a chunk, zero before: its front in `seeds`, the rest in `tails` from bit `first` on.
template <typename W>
class TailWriter {
 public:
  using U32 = typename W::U32;
  using U64 = typename W::template Vec<std::uint64_t>;
  using Bool = typename W::Bool;

  NVCODEC_LANES TailWriter(std::uint32_t* seeds, std::uint32_t* tails, std::uint64_t first)
      : seeds_(seeds), tails_(tails), first_(first) {}

  // Numbers of at most 32 bits; all places are at least `least`.
  NVCODEC_LANES void put(const U32& place, const U32& number, const Bool& which, std::uint32_t least) const {
    if (least >= kSeedBits) {
      store(W::template cast<std::uint64_t>(place) + (first_ - kSeedBits), number, which);
      return;
    }
    const U64 wide = W::template cast<std::uint64_t>(number) << W::template cast<std::uint64_t>(place & 31u);
    put_word(place >> 5, W::template cast<std::uint32_t>(wide), which);
    put_word((place >> 5) + 1u, W::template cast<std::uint32_t>(wide >> 32), which);
  }

 private:
  NVCODEC_LANES void put_word(const U32& word, const U32& bits, const Bool& which) const {
    W::or_into(seeds_, W::template cast<std::uint64_t>(word), bits, which & (word < kSeedWords));
    store(W::template cast<std::uint64_t>(word << 5) + (first_ - kSeedBits), bits, which & (word >= kSeedWords));
  }

  NVCODEC_LANES void store(const U64& bit, const U32& number, const Bool& which) const {
    const U64 wide = W::template cast<std::uint64_t>(number) << (bit & 31u);
    const U32 low = W::template cast<std::uint32_t>(wide), high = W::template cast<std::uint32_t>(wide >> 32);
    W::or_into(tails_, bit >> 5, low, which & (low != 0u));
    W::or_into(tails_, (bit >> 5) + 1u, high, which & (high != 0u));
  }

  std::uint32_t* seeds_;
  std::uint32_t* tails_;
  std::uint64_t first_;
};

// Writes the tail of chunk k. Seeds and tails must be zero before.
template <typename Value, typename Index>
struct SplitTask {
  TableView tables;
  Cut<Index> cut;
  const Value* values;
  const ChunkPlace* places;
  std::uint32_t* seeds;  // kSeedWords a chunk
  std::uint32_t* tails;

  template <typename W>
  NVCODEC_LANES void run(std::uint64_t chunk) const {
    const ChunkPlace place = places[chunk];
    const TailWriter<W> writer(seeds + kSeedWords * chunk, tails, 8 * place.tail_first);
    if (place.tail_bytes == 0) return;
    const std::uint32_t count = cut.count(chunk);
    const Value* const from = values + cut.first(chunk);
    const Index* const indices = cut.indices + cut.first(chunk);
    Item<W, Value, Index> now[kAhead], next[kAhead];
    std::uint32_t raw_at = 0, escape_at = static_cast<std::uint32_t>(place.raw_bits);
    load<W>(from, indices, 0, count, now);
    for (std::uint32_t first = 0; first < count; first += kAhead * kLanes) {
      load<W>(from, indices, first + kAhead * kLanes, count, next);
      NVCODEC_UNROLLED
      for (std::uint32_t g = 0; g < kAhead; ++g) {
        split<W>(now[g], W::lane() + (first + g * kLanes) < count, writer, raw_at, escape_at);
        now[g] = next[g];
      }
    }
  }

  const void* staged() const { return nullptr; }
  std::size_t staged_bytes() const { return 0; }

 private:
  template <typename W>
  static NVCODEC_LANES void load(const Value* values, const Index* indices, std::uint32_t first, std::uint32_t count,
                                 Item<W, Value, Index>* items) {
    NVCODEC_UNROLLED
    for (std::uint32_t g = 0; g < kAhead; ++g) {
      const typename W::Bool which = W::lane() + (first + g * kLanes) < count;
      items[g].value = W::load(values + first + g * kLanes, W::lane(), which);
      items[g].index = W::load(indices + first + g * kLanes, W::lane(), which);
    }
  }

  // One group; moves both places on.
  template <typename W>
  NVCODEC_LANES void split(const Item<W, Value, Index>& item, const typename W::Bool& which, const TailWriter<W>& writer,
                           std::uint32_t& raw_at, std::uint32_t& escape_at) const {
    const typename W::U32 value = W::template cast<std::uint32_t>(item.value);
    const Trait<W> trait = traits_of<W>(tables, W::template cast<std::uint32_t>(item.index) - tables.first, which);
    const Before<W> raw = sums_before<W>(trait.raw);
    if (raw.total != 0) writer.put(raw.below + raw_at, value & low_bits<W>(trait.raw), trait.raw != 0u, raw_at);
    raw_at += raw.total;
    escape_at += put_escapes<W>(writer, escape_of<W>(value, trait, which), escape_at);
  }

  template <typename W>
  static NVCODEC_LANES std::uint32_t put_escapes(const TailWriter<W>& writer, const Escape<W>& code, std::uint32_t at) {
    if (!W::any(code.is_escaped)) return 0;
    const Before<W> length = sums_before<W>(code.length);
    const auto low = code.biased & low_bits<W>(code.prefix + kEscapeOrder);
    writer.put(length.below + code.prefix + at, low << 1 | 1u, code.is_escaped, at);
    return length.total;
  }
};

}  // namespace nvcodec::warp_coder
