// What must be known of all symbols before chunks can be coded: the range of table indices, the lengths of tails.
#pragma once

#include "warp_args.hpp"

namespace nvcodec::warp_coder {

struct Extent {
  std::uint32_t least, most;  // table index
  std::uint32_t is_too_far;   // 1 if a value is too far out for its table
};

struct TailBits {
  std::uint64_t raw, escape;
};

// Tiles of a chunk, counted through all chunks.
struct Tiling {
  std::uint32_t tiles;  // of a chunk

  static Tiling of(std::uint32_t chunk_symbols) { return {(chunk_symbols + kTile - 1) / kTile}; }
  NVCODEC_LANES std::uint64_t chunk(std::uint64_t tile) const { return tile / tiles; }
  NVCODEC_LANES std::uint32_t begin(std::uint64_t tile) const { return static_cast<std::uint32_t>(tile % tiles) * kTile; }
  NVCODEC_LANES static std::uint32_t end(std::uint32_t begin, std::uint32_t count) {
    return count - begin < kTile ? count : begin + kTile;
  }
};

template <typename W>
struct Escape {
  typename W::Bool is_escaped, is_too_far;
  typename W::U32 biased, prefix, length;  // of the code; length 0 for others
};

// The escape codes of values. Lanes that are not of `which` have none.
template <typename W>
NVCODEC_LANES Escape<W> escape_of(const typename W::U32& value, const Trait<W>& trait, const typename W::Bool& which) {
  using U32 = typename W::U32;
  const U32 order = zigzag_of<W>(shifted_down<W>(value, trait.raw));
  Escape<W> code;
  code.is_escaped = which & (order >= trait.escape);
  const U32 excess = W::template select<std::uint32_t>(code.is_escaped, order - trait.escape, U32(0u));
  code.is_too_far = excess > kMaxExcess;
  code.biased = W::template min<std::uint32_t>(excess, U32(kMaxExcess)) + (1u << kEscapeOrder);
  code.prefix = W::floor_log2(code.biased) - kEscapeOrder;
  code.length = W::template select<std::uint32_t>(code.is_escaped, (code.prefix << 1) + (kEscapeOrder + 1), U32(0u));
  return code;
}

// Surveys one tile. Without values it looks at indices alone. The view must begin at table 0.
template <typename Value, typename Index>
struct SurveyTask {
  TableView tables;
  Cut<Index> cut;
  const Value* values;
  Tiling tiling;
  Extent* extent;
  TailBits* tails;  // one a chunk, zero before

  template <typename W>
  NVCODEC_LANES void run(std::uint64_t tile) const {
    using U32 = typename W::U32;
    const std::uint64_t chunk = tiling.chunk(tile), base = cut.first(chunk);
    const std::uint32_t begin = tiling.begin(tile), count = cut.count(chunk);
    if (begin >= count) return;
    const std::uint32_t end = Tiling::end(begin, count);
    U32 least(0xFFFFu), most(0u), raw(0u), escape(0u);
    typename W::Bool is_too_far(false);
    NVCODEC_UNROLLED_4
    for (std::uint32_t first = begin; first < end; first += kLanes) {
      const U32 i = W::lane() + first;
      const typename W::Bool which = i < end;
      const U32 index = W::template cast<std::uint32_t>(W::load(cut.indices + base, i, which));
      least = W::template min<std::uint32_t>(least, W::template select<std::uint32_t>(which, index, U32(0xFFFFu)));
      most = W::template max<std::uint32_t>(most, index);
      const Trait<W> trait = traits_of<W>(tables, W::template min<std::uint32_t>(index, U32(tables.tables - 1)), which);
      raw = raw + trait.raw;
      if (values == nullptr) continue;
      const U32 value = W::template cast<std::uint32_t>(W::load(values + base, i, which));
      const Escape<W> code = escape_of<W>(value, trait, which);
      escape = escape + code.length;
      is_too_far = is_too_far | code.is_too_far;
    }
    note<W>(chunk, least, most, raw, escape, W::any(is_too_far));
  }

  const void* staged() const { return nullptr; }
  std::size_t staged_bytes() const { return 0; }

 private:
  template <typename W>
  NVCODEC_LANES void note(std::uint64_t chunk, typename W::U32 least, typename W::U32 most, const typename W::U32& raw,
                          const typename W::U32& escape, bool is_too_far) const {
    for (std::uint32_t step = kLanes / 2; step > 0; step /= 2) {
      least = W::template min<std::uint32_t>(least, W::shuffle(least, W::lane() ^ step));
      most = W::template max<std::uint32_t>(most, W::shuffle(most, W::lane() ^ step));
    }
    W::lower(&extent->least, W::of_lane(least, 0));
    W::raise(&extent->most, W::of_lane(most, 0));
    if (is_too_far) W::raise(&extent->is_too_far, 1);
    if (tables.most_raw_bits != 0) W::add_to(&tails[chunk].raw, total_of<W>(raw));
    if (values != nullptr) W::add_to(&tails[chunk].escape, total_of<W>(escape));
  }
};

}  // namespace nvcodec::warp_coder
