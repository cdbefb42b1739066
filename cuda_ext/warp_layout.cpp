#include "warp_layout.hpp"

#include <string>

#include "rans.hpp"

namespace nvcodec::warp_coder {
namespace {

constexpr std::uint8_t kLanesLog2 = 5, kLanesMask = 0x07, kChunkedFlag = 0x08, kExtraFlag = 0x10, kReservedMask = 0xE0;
constexpr std::uint64_t kStateBytes = 4 * kLanes;
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 33;  // of a segment: places of its words fit 32 bits

[[noreturn]] void throw_truncated() { throw CodingError(CodingError::Kind::kTruncated, "a segment ends too early"); }
[[noreturn]] void throw_format(const std::string& message) { throw CodingError(CodingError::Kind::kFormat, message); }

struct Cursor {
  const std::uint8_t* data;
  std::uint64_t left;

  void skip(std::uint64_t count) {
    if (count > left) throw_truncated();
    data += count;
    left -= count;
  }

  // LEB128 below 2^32 in its shortest form.
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (std::uint32_t shift = 0; shift < 35; shift += 7) {
      skip(1);
      const std::uint8_t byte = data[-1];
      value |= static_cast<std::uint64_t>(byte & 0x7Fu) << shift;
      if (byte & 0x80u) continue;
      if (value >> 32 != 0 || (byte == 0 && shift > 0)) break;
      return value;
    }
    throw_format("a segment has a malformed number");
  }
};

std::uint64_t stored_of(std::uint64_t tail_bytes) { return tail_bytes - seeded_bytes(tail_bytes, kLanes); }

ChunkPlace place_of(std::uint64_t extra, const TailBits& bits) { return {0, 0, 0, (bits.raw + 7) / 8 + extra, bits.raw}; }

std::vector<ChunkPlace> read_chunked_index(Cursor& in, const std::vector<TailBits>& bits) {
  std::vector<ChunkPlace> places;
  for (const TailBits& part : bits) {
    const std::uint64_t words = in.varint();
    places.push_back(place_of(in.varint(), part));
    places.back().word_count = words;
  }
  return places;
}

// Only the tail of a single chunk is told; its words are what is left.
std::vector<ChunkPlace> read_single_index(Cursor& in, bool has_extra, const TailBits& bits) {
  const std::uint64_t extra = has_extra ? in.varint() : 0;
  if (has_extra && extra == 0) throw_format("a segment signals escape bytes and has none");
  ChunkPlace place = place_of(extra, bits);
  const std::uint64_t fixed = kStateBytes + stored_of(place.tail_bytes);
  if (fixed > in.left) throw_truncated();
  if ((in.left - fixed) % 2 != 0) throw_damaged("a segment has half a word");
  place.word_count = (in.left - fixed) / 2;
  return {place};
}

// Where words and tails lie in the body. Cut short where a tail is not all there.
void locate(Cursor& in, Layout& layout) {
  in.skip(kStateBytes * layout.chunks);
  std::uint64_t words = 0, tail = kStateBytes * layout.chunks;
  for (ChunkPlace& place : layout.places) {
    place.word_first = words;
    words += place.word_count;
  }
  in.skip(2 * words);
  tail += 2 * words;
  std::size_t there = 0;
  for (; there < layout.places.size(); ++there) {
    ChunkPlace& place = layout.places[there];
    const std::uint64_t stored = stored_of(place.tail_bytes);
    if (stored > in.left) break;
    place.tail_first = tail;
    tail += stored;
    in.skip(stored);
  }
  layout.places.resize(there);
  layout.has_more = in.left != 0;
}

void put_varint(std::vector<std::uint8_t>& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
  out.push_back(static_cast<std::uint8_t>(value));
}

const char* message_of(Status status) {
  switch (status) {
    case Status::kStateTooSmall: return "a starting state of a segment is too small";
    case Status::kWordsRunOut: return "the words of a segment run out";
    case Status::kWordsLeftOver: return "a segment has words left over";
    case Status::kWrongEnd: return "a segment does not end in its starting state";
    case Status::kBitsRunOut: return "the raw and escape bits of a segment run out";
    case Status::kPrefixTooLong: return "an Exp-Golomb code is too long";
    case Status::kBeyond16: return "a symbol of a segment does not fit 16 bits";
    case Status::kBeyond32: return "a symbol of a segment does not fit 32 bits";
    case Status::kBitsLeftOver: return "a segment has raw or escape bits left over";
    default: return "a chunk of a segment was not decoded";
  }
}

}  // namespace

std::uint64_t chunk_symbols_of(const std::uint8_t* data, std::size_t size, std::uint64_t symbols) {
  if (symbols == 0 || size == 0 || size > kMostBytes || (data[0] & (kLanesMask | kReservedMask)) != kLanesLog2) return 0;
  if ((data[0] & kChunkedFlag) == 0) return symbols <= kMostSymbols ? symbols : 0;
  if ((data[0] & kExtraFlag) != 0) return 0;
  Cursor in{data + 1, size - 1};
  try {
    const std::uint64_t chunk_symbols = in.varint() * kLanes;
    if (chunk_symbols == 0 || chunk_symbols >= symbols || chunk_symbols > kMostSymbols) return 0;
    const std::uint64_t chunks = (symbols + chunk_symbols - 1) / chunk_symbols;
    return chunks * (2 + kStateBytes) <= in.left ? chunk_symbols : 0;
  } catch (const CodingError&) {
    return 0;
  }
}

Layout read_layout(const std::uint8_t* data, std::size_t size, const std::vector<TailBits>& bits) {
  Cursor in{data + 1, size - 1};
  Layout layout{0, bits.size(), {}, false};
  if ((data[0] & kChunkedFlag) != 0) {
    in.varint();  // the chunk size
    layout.places = read_chunked_index(in, bits);
  } else {
    layout.places = read_single_index(in, (data[0] & kExtraFlag) != 0, bits[0]);
  }
  layout.body = size - in.left;
  locate(in, layout);
  return layout;
}

void check(const std::vector<Status>& statuses, const Layout& layout) {
  for (const Status status : statuses)
    if (status != Status::kGood) throw_damaged(message_of(status));
  if (layout.places.size() < layout.chunks) throw_truncated();
  if (layout.has_more) throw_damaged("a segment has bytes left over");
}

void check(const Extent& extent, std::uint32_t tables) {
  if (extent.most >= tables) throw_format("a table index is outside the " + std::to_string(tables) + " tables of the family");
}

std::vector<ChunkPlace> place_tails(const std::vector<TailBits>& bits) {
  std::vector<ChunkPlace> places;
  std::uint64_t at = 0;
  for (const TailBits& part : bits) {
    const std::uint64_t tail_bytes = (part.raw + part.escape + 7) / 8;
    places.push_back({0, 0, at, tail_bytes, part.raw});
    at += stored_of(tail_bytes);
  }
  return places;
}

std::uint64_t stored_bytes(const std::vector<ChunkPlace>& places) {
  return places.back().tail_first + stored_of(places.back().tail_bytes);
}

std::vector<std::uint8_t> header_of(const std::vector<ChunkPlace>& places, const std::vector<std::uint32_t>& word_counts,
                                    std::uint64_t chunk_symbols) {
  const auto extra_of = [](const ChunkPlace& place) { return place.tail_bytes - (place.raw_bits + 7) / 8; };
  std::vector<std::uint8_t> out;
  if (places.size() == 1) {
    const std::uint64_t extra = extra_of(places[0]);
    out.push_back(static_cast<std::uint8_t>(kLanesLog2 | (extra > 0 ? kExtraFlag : 0)));
    if (extra > 0) put_varint(out, extra);
    return out;
  }
  out.push_back(kLanesLog2 | kChunkedFlag);
  put_varint(out, chunk_symbols / kLanes);
  for (std::size_t k = 0; k < places.size(); ++k) {
    put_varint(out, word_counts[k]);
    put_varint(out, extra_of(places[k]));
  }
  return out;
}

}  // namespace nvcodec::warp_coder
