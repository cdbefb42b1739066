#include "segment.hpp"

#include <algorithm>
#include <stdexcept>

#include "rans.hpp"

namespace nvcodec {
namespace {

constexpr std::uint8_t kLanesMask = 0x07, kChunkedFlag = 0x08, kExtraFlag = 0x10, kReservedMask = 0xE0;
constexpr std::uint64_t kChunkUnit = 32;  // chunk sizes are multiples of this many symbols

[[noreturn]] void throw_format(const char* message) { throw CodingError(CodingError::Kind::kFormat, message); }
[[noreturn]] void throw_truncated() { throw CodingError(CodingError::Kind::kTruncated, "a segment ends too early"); }

void put_varint(std::vector<std::uint8_t>& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
  out.push_back(static_cast<std::uint8_t>(value));
}

// Bytes taken from the front, each checked to be there.
struct Cursor {
  const std::uint8_t* data;
  std::uint64_t left;

  const std::uint8_t* take(std::uint64_t count) {
    if (count > left) throw_truncated();
    const std::uint8_t* taken = data;
    data += count;
    left -= count;
    return taken;
  }

  // LEB128 below 2^32 in its shortest form.
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (std::uint32_t shift = 0; shift < 35; shift += 7) {
      const std::uint8_t byte = *take(1);
      value |= static_cast<std::uint64_t>(byte & 0x7Fu) << shift;
      if (byte & 0x80u) continue;
      if (value >> 32 != 0 || (byte == 0 && shift > 0)) break;
      return value;
    }
    throw_format("a segment has a malformed number");
  }
};

struct Layout {
  std::uint32_t lanes;
  std::uint64_t chunk_symbols;
  std::vector<std::uint64_t> words;  // one a chunk
  std::vector<std::uint64_t> tails;  // bytes, the seeded part included
};

ChunkModel chunk_model(const SegmentModel& model, std::uint32_t lanes, std::uint64_t chunk_symbols, std::uint64_t k) {
  const std::uint64_t first = k * chunk_symbols;
  return {model.tables, model.indices + first, static_cast<std::size_t>(std::min<std::uint64_t>(chunk_symbols, model.symbols - first)),
          lanes};
}

std::uint64_t raw_bytes(const ChunkModel& model) { return (raw_bit_count(model) + 7) / 8; }

void read_chunked_index(Cursor& in, const SegmentModel& model, Layout& layout) {
  const std::uint64_t units = in.varint();
  layout.chunk_symbols = units * kChunkUnit;
  if (units == 0 || layout.chunk_symbols >= model.symbols) throw_format("a segment has an impossible chunk size");
  const std::uint64_t chunks = (model.symbols + layout.chunk_symbols - 1) / layout.chunk_symbols;
  if (chunks * (2 + 4 * layout.lanes) > in.left) throw_truncated();
  for (std::uint64_t k = 0; k < chunks; ++k) {
    layout.words.push_back(in.varint());
    layout.tails.push_back(raw_bytes(chunk_model(model, layout.lanes, layout.chunk_symbols, k)) + in.varint());
  }
}

// Only the tail of a single chunk is told; its words are what is left.
void read_single_index(Cursor& in, const SegmentModel& model, bool has_extra, Layout& layout) {
  layout.chunk_symbols = model.symbols;
  std::uint64_t tail = raw_bytes({model.tables, model.indices, model.symbols, layout.lanes});
  if (has_extra) {
    const std::uint64_t extra = in.varint();
    if (extra == 0) throw_format("a segment signals escape bytes and has none");
    tail += extra;
  }
  const std::uint64_t fixed = 4 * layout.lanes + tail - seeded_bytes(tail, layout.lanes);
  if (fixed > in.left) throw_truncated();
  if ((in.left - fixed) % 2 != 0) throw_damaged("a segment has half a word");
  layout.words.push_back((in.left - fixed) / 2);
  layout.tails.push_back(tail);
}

Layout read_layout(Cursor& in, const SegmentModel& model) {
  const std::uint8_t header = *in.take(1);
  const std::uint32_t lanes_log2 = header & kLanesMask;
  if ((header & kReservedMask) != 0 || (lanes_log2 != 0 && lanes_log2 != 3 && lanes_log2 != 5))
    throw_format("a segment has an unknown header");
  Layout layout{1u << lanes_log2, 0, {}, {}};
  const bool has_extra = (header & kExtraFlag) != 0;
  if ((header & kChunkedFlag) != 0) {
    if (has_extra) throw_format("a segment has an unknown header");
    read_chunked_index(in, model, layout);
  } else {
    read_single_index(in, model, has_extra, layout);
  }
  return layout;
}

void append(std::vector<std::uint8_t>& out, const std::vector<std::uint16_t>& words) {
  for (const std::uint16_t word : words) {
    out.push_back(static_cast<std::uint8_t>(word));
    out.push_back(static_cast<std::uint8_t>(word >> 8));
  }
}

std::vector<std::uint8_t> header_bytes(const std::vector<ChunkCode>& chunks, const std::vector<std::uint64_t>& extra,
                                       std::uint32_t lanes_log2, std::uint64_t chunk_symbols) {
  std::vector<std::uint8_t> out;
  const bool chunked = chunks.size() > 1;
  const bool has_extra = !chunked && extra[0] > 0;
  out.push_back(static_cast<std::uint8_t>(lanes_log2 | (chunked ? kChunkedFlag : 0) | (has_extra ? kExtraFlag : 0)));
  if (has_extra) put_varint(out, extra[0]);
  if (!chunked) return out;
  put_varint(out, chunk_symbols / kChunkUnit);
  for (std::size_t k = 0; k < chunks.size(); ++k) {
    put_varint(out, chunks[k].words.size());
    put_varint(out, extra[k]);
  }
  return out;
}

void append_bodies(std::vector<std::uint8_t>& out, const std::vector<ChunkCode>& chunks, std::uint32_t lanes) {
  for (const ChunkCode& chunk : chunks)
    for (std::uint32_t lane = 0; lane < lanes; ++lane)
      append(out, {static_cast<std::uint16_t>(chunk.states[lane]), static_cast<std::uint16_t>(chunk.states[lane] >> 16)});
  for (const ChunkCode& chunk : chunks) append(out, chunk.words);
  for (const ChunkCode& chunk : chunks)
    out.insert(out.end(), chunk.tail.begin() + static_cast<std::ptrdiff_t>(seeded_bytes(chunk.tail.size(), lanes)),
               chunk.tail.end());
}

}  // namespace

std::vector<std::uint8_t> encode_segment(const std::int32_t* values, const SegmentModel& model,
                                         std::uint32_t lanes_log2, std::uint64_t chunk_symbols) {
  if (lanes_log2 != 0 && lanes_log2 != 3 && lanes_log2 != 5) throw std::invalid_argument("lanes_log2 must be 0, 3 or 5");
  if (chunk_symbols % kChunkUnit != 0) throw std::invalid_argument("chunk_symbols must be a multiple of 32");
  if (model.symbols == 0) return {};
  if (chunk_symbols == 0 || chunk_symbols > model.symbols) chunk_symbols = model.symbols;
  const std::uint32_t lanes = 1u << lanes_log2;
  std::vector<ChunkCode> chunks;
  std::vector<std::uint64_t> extra;
  for (std::uint64_t k = 0; k * chunk_symbols < model.symbols; ++k) {
    const ChunkModel part = chunk_model(model, lanes, chunk_symbols, k);
    chunks.push_back(encode_chunk(values + k * chunk_symbols, part));
    extra.push_back(chunks.back().tail.size() - raw_bytes(part));
  }
  std::vector<std::uint8_t> out = header_bytes(chunks, extra, lanes_log2, chunk_symbols);
  append_bodies(out, chunks, lanes);
  return out;
}

void decode_segment(const std::uint8_t* data, std::size_t size, const SegmentModel& model, std::int32_t* values) {
  Cursor in{data, size};
  if (model.symbols == 0) {
    if (size != 0) throw_damaged("a segment of no symbols has bytes");
    return;
  }
  const Layout layout = read_layout(in, model);
  const std::size_t chunks = layout.words.size();
  const std::uint8_t* states = in.take(4 * layout.lanes * chunks);
  std::uint64_t words_total = 0;
  for (const std::uint64_t words : layout.words) words_total += 2 * words;
  const std::uint8_t* words = in.take(words_total);
  for (std::size_t k = 0; k < chunks; ++k) {
    const std::uint64_t stored = layout.tails[k] - seeded_bytes(layout.tails[k], layout.lanes);
    const ChunkBytes bytes{states + 4 * layout.lanes * k, words, layout.words[k], in.take(stored), layout.tails[k]};
    words += 2 * layout.words[k];
    decode_chunk(bytes, chunk_model(model, layout.lanes, layout.chunk_symbols, k), values + k * layout.chunk_symbols);
  }
  if (in.left != 0) throw_damaged("a segment has bytes left over");
}

}  // namespace nvcodec
