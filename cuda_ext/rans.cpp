#include "rans.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>

#include "bits.hpp"
#include "symbols.hpp"

namespace nvcodec {
namespace {

constexpr std::size_t kSlack = 8;  // bytes behind the end that kernels touch

void put_escape(BitWriter& bits, std::uint32_t excess) {
  const std::uint32_t biased = excess + (1u << kEscapeOrder);
  const std::uint32_t prefix = floor_log2(biased) - kEscapeOrder;
  bits.put(1u << prefix, prefix + 1);
  const std::uint32_t low = prefix + kEscapeOrder;
  bits.put(biased & ((1u << low) - 1u), low);
}

std::uint32_t take_bits(BitReader& bits, std::uint32_t count) {
  std::uint32_t value = 0;
  if (!bits.take(count, value)) throw_damaged("the raw and escape bits of a segment run out");
  return value;
}

std::uint32_t take_escape(BitReader& bits) {
  std::uint32_t prefix = 0;
  while (take_bits(bits, 1) == 0)
    if (++prefix > kMaxEscapePrefix) throw_damaged("an Exp-Golomb code is too long");
  const std::uint32_t low = prefix + kEscapeOrder;
  return (1u << low | take_bits(bits, low)) - (1u << kEscapeOrder);
}

template <typename Value, typename Index>
auto split_of(const Kernels& kernels) {
  const IndexKernels<Index>& part = of_width<Index>(kernels);
  if constexpr (std::is_same_v<Value, std::int16_t>) return part.split16;
  else return part.split32;
}

template <typename Value, typename Index>
auto join_of(const Kernels& kernels) {
  const IndexKernels<Index>& part = of_width<Index>(kernels);
  if constexpr (std::is_same_v<Value, std::int16_t>) return part.join16;
  else return part.join32;
}

// How far beyond the alphabet of its table a value lies.
std::uint32_t excess_of(std::int32_t value, const Table& table) {
  const std::uint32_t excess = zigzag(value >> table.raw_bits) - table.escape;
  if (excess > kMaxExcess) throw std::invalid_argument("a symbol is too far out for its table");
  return excess;
}

// Splits values into table symbols and the tail: all raw bits first, so that their place follows from the indices.
template <typename Value, typename Index>
std::vector<std::uint8_t> split_values(const Value* values, const ChunkModel<Index>& model, std::uint64_t raw_bits,
                                       std::uint8_t* symbols, const Kernels& kernels) {
  std::vector<std::uint8_t> tail(raw_bits / 8 + 1 + kSlack);
  BitRun raw{tail.data(), 0};
  std::vector<std::uint32_t> excesses;
  std::uint16_t escaped[kBlock];
  for (std::size_t at = 0; at < model.symbols; at += kBlock) {
    const std::size_t count = std::min(kBlock, model.symbols - at);
    const std::size_t found = split_of<Value, Index>(kernels)(model.tables.view(), model.range, values + at, model.indices + at, count,
                                                              symbols + at, raw, escaped);
    for (std::size_t e = 0; e < found; ++e)
      excesses.push_back(excess_of(values[at + escaped[e]], model.tables[model.indices[at + escaped[e]]]));
  }
  BitWriter bits(std::move(tail), raw_bits);
  for (const std::uint32_t excess : excesses) put_escape(bits, excess);
  return bits.finish();
}

void seed_states(ChunkCode& code, std::uint32_t lanes) {
  const std::size_t seeded = seeded_bytes(code.tail.size(), lanes);
  std::fill_n(code.states.begin(), lanes, kStateLow);
  for (std::size_t i = 0; i < seeded; ++i)
    code.states[i / 2] |= static_cast<std::uint32_t>(code.tail[i]) << (8 * (i & 1));
}

// False if one is too small.
bool load_states(const std::uint8_t* bytes, std::uint32_t lanes, States& states) {
  bool good = true;
  for (std::uint32_t lane = 0; lane < lanes; ++lane) {
    states[lane] = load_le16(bytes + 4 * lane) | load_le16(bytes + 4 * lane + 2) << 16;
    good = good && states[lane] >= kStateLow;
  }
  return good;
}

// The tail as one string of bytes, what rode in the states and then what is stored, and zeros to read beyond.
std::vector<std::uint8_t> join_tail(const ChunkBytes& bytes, const States& states, std::uint32_t lanes) {
  const std::uint64_t seeded = seeded_bytes(bytes.tail_bytes, lanes);
  std::array<std::uint8_t, 2 * kMaxLanes> seeds{};
  for (std::uint32_t lane = 0; lane < lanes; ++lane) {
    if (states[lane] >> 16 != 1) throw_damaged("a segment does not end in its starting state");
    seeds[2 * lane] = static_cast<std::uint8_t>(states[lane]);
    seeds[2 * lane + 1] = static_cast<std::uint8_t>(states[lane] >> 8);
  }
  for (std::uint64_t i = seeded; i < 2 * lanes; ++i)
    if (seeds[i] != 0) throw_damaged("a segment does not end in its starting state");
  std::vector<std::uint8_t> tail(bytes.tail_bytes + kSlack);
  std::copy_n(seeds.begin(), seeded, tail.begin());
  if (bytes.tail_bytes > seeded) std::memcpy(tail.data() + seeded, bytes.tail, bytes.tail_bytes - seeded);
  return tail;
}

template <typename Value>
Value narrow(std::int64_t value) {
  if (value < std::numeric_limits<Value>::min() || value > std::numeric_limits<Value>::max())
    throw_damaged(sizeof(Value) == 2 ? "a symbol of a segment does not fit 16 bits" : "a symbol of a segment does not fit 32 bits");
  return static_cast<Value>(value);
}

// An escaped symbol, whose low bits are in `value` already, with its excess.
template <typename Value>
Value escaped_value(Value value, const Table& table, BitReader& escapes) {
  const std::int64_t high = unzigzag(table.escape + take_escape(escapes));
  const std::int64_t low = value & ((std::int64_t{1} << table.raw_bits) - 1);
  return narrow<Value>(high * (std::int64_t{1} << table.raw_bits) + low);
}

// Raw bits and escapes into place: table symbols become values.
template <typename Value, typename Index>
void join_values(std::vector<std::uint8_t>& tail, const ChunkModel<Index>& model, const std::uint8_t* symbols,
                 Value* values, const Kernels& kernels) {
  const std::uint64_t raw_bits = of_width<Index>(kernels).raw_bits(model.tables.view(), model.range, model.indices, model.symbols);
  if (raw_bits > 8 * (tail.size() - kSlack)) throw_damaged("the raw and escape bits of a segment run out");
  BitReader escapes(tail.data(), tail.size() - kSlack, raw_bits);
  BitRun raw{tail.data(), 0};
  std::uint16_t escaped[kBlock];
  for (std::size_t at = 0; at < model.symbols; at += kBlock) {
    const std::size_t count = std::min(kBlock, model.symbols - at);
    bool fits = true;
    const std::size_t found = join_of<Value, Index>(kernels)(model.tables.view(), model.range, symbols + at, model.indices + at, count,
                                                             values + at, raw, escaped, fits);
    for (std::size_t e = 0; e < found; ++e) {
      Value& value = values[at + escaped[e]];
      value = escaped_value(value, model.tables[model.indices[at + escaped[e]]], escapes);
    }
    if (!fits) throw_damaged("a symbol of a segment does not fit 16 bits");
  }
  if (!escapes.only_padding_left()) throw_damaged("a segment has raw or escape bits left over");
}

template <typename Index>
void reserve(Scratch& scratch, const ChunkModel<Index>* models, std::size_t count, bool with_words) {
  std::size_t most = 0;
  for (std::size_t k = 0; k < count; ++k) most = std::max(most, models[k].symbols);
  scratch.reserve(count, most, with_words);
}

}  // namespace

void throw_damaged(const char* message) { throw CodingError(CodingError::Kind::kDamaged, message); }

template <typename Value, typename Index>
void encode_chunks(const Value* const* values, const ChunkModel<Index>* models, ChunkCode* codes, std::size_t count,
                   const Kernels& kernels, Scratch& scratch) {
  reserve(scratch, models, count, true);
  std::vector<EncodeJob<Index>> jobs;
  for (std::size_t k = 0; k < count; ++k) {
    const ChunkModel<Index>& model = models[k];
    codes[k].raw_bits = of_width<Index>(kernels).raw_bits(model.tables.view(), model.range, model.indices, model.symbols);
    codes[k].tail = split_values(values[k], model, codes[k].raw_bits, scratch.symbols(k), kernels);
    seed_states(codes[k], model.lanes);
    jobs.push_back({model, scratch.symbols(k), codes[k].states, scratch.words_end(k)});
  }
  encode_lanes(jobs.data(), count, kernels);
  for (std::size_t k = 0; k < count; ++k) {
    codes[k].states = jobs[k].states;
    codes[k].words.assign(jobs[k].words, scratch.words_end(k));
  }
}

template <typename Value, typename Index>
void decode_chunks(const ChunkBytes* bytes, const ChunkModel<Index>* models, Value* const* values, std::size_t count,
                   const Kernels& kernels, Scratch& scratch) {
  reserve(scratch, models, count, false);
  std::vector<DecodeJob<Index>> jobs;
  for (States states{}; jobs.size() < count && load_states(bytes[jobs.size()].states, models[0].lanes, states);) {
    const std::size_t k = jobs.size();
    jobs.push_back({models[k], states, bytes[k].words, bytes[k].word_count, scratch.symbols(k)});
  }
  if (!jobs.empty()) decode_lanes(jobs.data(), jobs.size(), kernels);
  for (std::size_t k = 0; k < jobs.size(); ++k) {
    if (jobs[k].damage != nullptr) throw_damaged(jobs[k].damage);
    std::vector<std::uint8_t> tail = join_tail(bytes[k], jobs[k].states, models[k].lanes);
    join_values(tail, models[k], jobs[k].symbols, values[k], kernels);
  }
  if (jobs.size() < count) throw_damaged("a starting state of a segment is too small");
}

#define NVCODEC_CHUNKS(Value, Index)                                                                            \
  template void encode_chunks(const Value* const*, const ChunkModel<Index>*, ChunkCode*, std::size_t, const Kernels&, Scratch&); \
  template void decode_chunks(const ChunkBytes*, const ChunkModel<Index>*, Value* const*, std::size_t, const Kernels&, Scratch&);
NVCODEC_CHUNKS(std::int16_t, std::uint8_t)
NVCODEC_CHUNKS(std::int16_t, std::uint16_t)
NVCODEC_CHUNKS(std::int32_t, std::uint8_t)
NVCODEC_CHUNKS(std::int32_t, std::uint16_t)

}  // namespace nvcodec
