#include "segment.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "parallel.hpp"

namespace nvcodec {
namespace {

constexpr std::uint8_t kLanesMask = 0x07, kChunkedFlag = 0x08, kExtraFlag = 0x10, kReservedMask = 0xE0;
constexpr std::uint64_t kChunkUnit = 32;  // chunk sizes are multiples of this many symbols

[[noreturn]] void throw_format(const std::string& message) { throw CodingError(CodingError::Kind::kFormat, message); }
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

template <typename Index>
ChunkModel<Index> chunk_model(const SegmentModel<Index>& model, std::uint32_t lanes, std::uint64_t chunk_symbols, std::uint64_t k) {
  const std::uint64_t first = k * chunk_symbols;
  const std::uint64_t symbols = std::min<std::uint64_t>(chunk_symbols, model.symbols - first);
  return {model.tables, model.indices + first, static_cast<std::size_t>(symbols), lanes, model.range};
}

template <typename Index>
std::uint64_t raw_bytes(const ChunkModel<Index>& model, const Kernels& kernels) {
  return (of_width<Index>(kernels).raw_bits(model.tables.view(), model.range, model.indices, model.symbols) + 7) / 8;
}

template <typename Index>
void read_chunked_index(Cursor& in, const SegmentModel<Index>& model, const Kernels& kernels, Layout& layout) {
  const std::uint64_t units = in.varint();
  layout.chunk_symbols = units * kChunkUnit;
  if (units == 0 || layout.chunk_symbols >= model.symbols) throw_format("a segment has an impossible chunk size");
  const std::uint64_t chunks = (model.symbols + layout.chunk_symbols - 1) / layout.chunk_symbols;
  if (chunks * (2 + 4 * layout.lanes) > in.left) throw_truncated();
  for (std::uint64_t k = 0; k < chunks; ++k) {
    layout.words.push_back(in.varint());
    const std::uint64_t raw = raw_bytes(chunk_model(model, layout.lanes, layout.chunk_symbols, k), kernels);
    layout.tails.push_back(raw + in.varint());
  }
}

// Only the tail of a single chunk is told; its words are what is left.
template <typename Index>
void read_single_index(Cursor& in, const SegmentModel<Index>& model, bool has_extra, const Kernels& kernels, Layout& layout) {
  layout.chunk_symbols = model.symbols;
  std::uint64_t tail = raw_bytes(chunk_model(model, layout.lanes, model.symbols, 0), kernels);
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

template <typename Index>
Layout read_layout(Cursor& in, const SegmentModel<Index>& model, const Kernels& kernels) {
  const std::uint8_t header = *in.take(1);
  const std::uint32_t lanes_log2 = header & kLanesMask;
  if ((header & kReservedMask) != 0 || (lanes_log2 != 0 && lanes_log2 != 3 && lanes_log2 != 5))
    throw_format("a segment has an unknown header");
  Layout layout{1u << lanes_log2, 0, {}, {}};
  const bool has_extra = (header & kExtraFlag) != 0;
  if ((header & kChunkedFlag) != 0) {
    if (has_extra) throw_format("a segment has an unknown header");
    read_chunked_index(in, model, kernels, layout);
  } else {
    read_single_index(in, model, has_extra, kernels, layout);
  }
  return layout;
}

std::uint64_t extra_of(const ChunkCode& chunk) { return chunk.tail.size() - (chunk.raw_bits + 7) / 8; }

std::vector<std::uint8_t> header_bytes(const std::vector<ChunkCode>& chunks, std::uint32_t lanes_log2, std::uint64_t chunk_symbols) {
  std::vector<std::uint8_t> out;
  const bool chunked = chunks.size() > 1;
  const std::uint64_t single_extra = chunked ? 0 : extra_of(chunks[0]);
  out.push_back(static_cast<std::uint8_t>(lanes_log2 | (chunked ? kChunkedFlag : 0) | (single_extra > 0 ? kExtraFlag : 0)));
  if (single_extra > 0) put_varint(out, single_extra);
  if (!chunked) return out;
  put_varint(out, chunk_symbols / kChunkUnit);
  for (const ChunkCode& chunk : chunks) {
    put_varint(out, chunk.words.size());
    put_varint(out, extra_of(chunk));
  }
  return out;
}

std::uint8_t* store(std::uint8_t* out, const std::uint16_t* words, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    out[2 * i] = static_cast<std::uint8_t>(words[i]);
    out[2 * i + 1] = static_cast<std::uint8_t>(words[i] >> 8);
  }
  return out + 2 * count;
}

std::size_t stored_tail(const ChunkCode& chunk, std::uint32_t lanes) {
  return chunk.tail.size() - seeded_bytes(chunk.tail.size(), lanes);
}

std::size_t batches_of(std::size_t chunks) { return (chunks + kSideBySide - 1) / kSideBySide; }

// Where the parts of each chunk lie. Cut short where a tail is not all there.
std::vector<ChunkBytes> locate(Cursor& in, const Layout& layout) {
  const std::size_t chunks = layout.words.size();
  const std::uint8_t* states = in.take(4 * layout.lanes * chunks);
  std::uint64_t words_total = 0;
  for (const std::uint64_t words : layout.words) words_total += 2 * words;
  const std::uint8_t* words = in.take(words_total);
  std::vector<ChunkBytes> all;
  for (std::size_t k = 0; k < chunks; ++k) {
    const std::uint64_t stored = layout.tails[k] - seeded_bytes(layout.tails[k], layout.lanes);
    if (stored > in.left) break;
    all.push_back({states + 4 * layout.lanes * k, words, layout.words[k], in.take(stored), layout.tails[k]});
    words += 2 * layout.words[k];
  }
  return all;
}

}  // namespace

EncodedSegment::EncodedSegment(std::vector<ChunkCode> chunks, std::uint32_t lanes_log2, std::uint64_t chunk_symbols)
    : chunks_(std::move(chunks)), header_(header_bytes(chunks_, lanes_log2, chunk_symbols)), lanes_(1u << lanes_log2) {
  size_ = header_.size() + 4 * lanes_ * chunks_.size();
  for (const ChunkCode& chunk : chunks_) size_ += 2 * chunk.words.size() + stored_tail(chunk, lanes_);
}

void EncodedSegment::write(std::uint8_t* out) const noexcept {
  out = std::copy(header_.begin(), header_.end(), out);
  for (const ChunkCode& chunk : chunks_)
    for (std::uint32_t lane = 0; lane < lanes_; ++lane) {
      const std::uint32_t state = chunk.states[lane];
      const std::uint16_t halves[2] = {static_cast<std::uint16_t>(state), static_cast<std::uint16_t>(state >> 16)};
      out = store(out, halves, 2);
    }
  for (const ChunkCode& chunk : chunks_) out = store(out, chunk.words.data(), chunk.words.size());
  for (const ChunkCode& chunk : chunks_)
    out = std::copy(chunk.tail.end() - static_cast<std::ptrdiff_t>(stored_tail(chunk, lanes_)), chunk.tail.end(), out);
}

template <typename Index>
void check_indices(SegmentModel<Index>& model, const Kernels& kernels) {
  if (model.symbols == 0) return;
  model.range = of_width<Index>(kernels).range(model.indices, model.symbols);
  if (model.range.last >= model.tables.size())
    throw_format("a table index is outside the " + std::to_string(model.tables.size()) + " tables of the family");
}

template <typename Value, typename Index>
EncodedSegment encode_segment(const Value* values, const SegmentModel<Index>& model, std::uint32_t lanes_log2,
                              std::uint64_t chunk_symbols, const Effort& effort) {
  if (lanes_log2 != 0 && lanes_log2 != 3 && lanes_log2 != 5) throw std::invalid_argument("lanes_log2 must be 0, 3 or 5");
  if (chunk_symbols % kChunkUnit != 0) throw std::invalid_argument("chunk_symbols must be a multiple of 32");
  if (model.symbols == 0) return {};
  if (chunk_symbols == 0 || chunk_symbols > model.symbols) chunk_symbols = model.symbols;
  const std::uint32_t lanes = 1u << lanes_log2;
  std::vector<ChunkCode> codes((model.symbols + chunk_symbols - 1) / chunk_symbols);
  std::vector<Scratch> scratch(thread_count(batches_of(codes.size()), effort.threads));
  for_each_in_parallel(batches_of(codes.size()), scratch.size(), [&](std::size_t batch, std::size_t thread) {
    const std::size_t first = batch * kSideBySide, count = std::min(kSideBySide, codes.size() - first);
    std::vector<ChunkModel<Index>> parts;
    const Value* places[kSideBySide];
    for (std::size_t k = 0; k < count; ++k) {
      parts.push_back(chunk_model(model, lanes, chunk_symbols, first + k));
      places[k] = values + (first + k) * chunk_symbols;
    }
    encode_chunks(places, parts.data(), codes.data() + first, count, effort.kernels, scratch[thread]);
  });
  return {std::move(codes), lanes_log2, chunk_symbols};
}

template <typename Value, typename Index>
void decode_segment(const std::uint8_t* data, std::size_t size, const SegmentModel<Index>& model, Value* values,
                    const Effort& effort) {
  Cursor in{data, size};
  if (model.symbols == 0) {
    if (size != 0) throw_damaged("a segment of no symbols has bytes");
    return;
  }
  const Layout layout = read_layout(in, model, effort.kernels);
  const std::vector<ChunkBytes> chunks = locate(in, layout);
  std::vector<Scratch> scratch(thread_count(batches_of(chunks.size()), effort.threads));
  for_each_in_parallel(batches_of(chunks.size()), scratch.size(), [&](std::size_t batch, std::size_t thread) {
    const std::size_t first = batch * kSideBySide, count = std::min(kSideBySide, chunks.size() - first);
    std::vector<ChunkModel<Index>> parts;
    Value* places[kSideBySide];
    for (std::size_t k = 0; k < count; ++k) {
      parts.push_back(chunk_model(model, layout.lanes, layout.chunk_symbols, first + k));
      places[k] = values + (first + k) * layout.chunk_symbols;
    }
    decode_chunks(chunks.data() + first, parts.data(), places, count, effort.kernels, scratch[thread]);
  });
  if (chunks.size() < layout.words.size()) throw_truncated();
  if (in.left != 0) throw_damaged("a segment has bytes left over");
}

template void check_indices(SegmentModel<std::uint8_t>&, const Kernels&);
template void check_indices(SegmentModel<std::uint16_t>&, const Kernels&);

#define NVCODEC_SEGMENT(Value, Index)                                                                               \
  template EncodedSegment encode_segment(const Value*, const SegmentModel<Index>&, std::uint32_t, std::uint64_t,    \
                                         const Effort&);                                                            \
  template void decode_segment(const std::uint8_t*, std::size_t, const SegmentModel<Index>&, Value*, const Effort&);
NVCODEC_SEGMENT(std::int16_t, std::uint8_t)
NVCODEC_SEGMENT(std::int16_t, std::uint16_t)
NVCODEC_SEGMENT(std::int32_t, std::uint8_t)
NVCODEC_SEGMENT(std::int32_t, std::uint16_t)

}  // namespace nvcodec
