#include "rans.hpp"

#include <algorithm>
#include <limits>

#include "bits.hpp"
#include "symbols.hpp"

namespace nvcodec {
namespace {

constexpr std::uint32_t kSlotMask = kProbabilityTotal - 1;

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

// Splits values into table symbols and the tail: all raw bits first, so that their place follows from the indices.
std::vector<std::uint8_t> split_values(const std::int32_t* values, const ChunkModel& model, std::uint8_t* symbols) {
  BitWriter bits;
  std::vector<std::uint32_t> escapes;
  for (std::size_t i = 0; i < model.symbols; ++i) {
    const Table& table = model.tables[model.indices[i]];
    const std::uint32_t order = zigzag(values[i] >> table.raw_bits);
    if (table.raw_bits > 0) bits.put(static_cast<std::uint32_t>(values[i]) & ((1u << table.raw_bits) - 1u), table.raw_bits);
    symbols[i] = static_cast<std::uint8_t>(std::min(order, table.escape));
    if (order < table.escape) continue;
    if (order - table.escape > kMaxExcess) throw std::invalid_argument("a symbol is too far out for its table");
    escapes.push_back(order - table.escape);
  }
  for (const std::uint32_t excess : escapes) put_escape(bits, excess);
  return bits.finish();
}

void seed_states(ChunkCode& code, std::uint32_t lanes) {
  const std::size_t seeded = seeded_bytes(code.tail.size(), lanes);
  std::fill_n(code.states.begin(), lanes, kStateLow);
  for (std::size_t i = 0; i < seeded; ++i)
    code.states[i / 2] |= static_cast<std::uint32_t>(code.tail[i]) << (8 * (i & 1));
}

// The rANS pass of the decoder: table symbols into `values`, final states into `states`.
void decode_symbols(const ChunkBytes& bytes, const ChunkModel& model, std::uint32_t* states, std::int32_t* values) {
  const std::uint32_t lane_mask = model.lanes - 1;
  const std::uint8_t* word = bytes.words;
  const std::uint8_t* const end = bytes.words + 2 * bytes.word_count;
  for (std::size_t i = 0; i < model.symbols; ++i) {
    const Table& table = model.tables[model.indices[i]];
    std::uint32_t& state = states[i & lane_mask];
    const std::uint32_t slot = state & kSlotMask;
    const std::uint32_t symbol = table.find(slot);
    const std::uint32_t start = table.cumulative[symbol];
    std::uint32_t next = (table.cumulative[symbol + 1] - start) * (state >> kProbabilityBits) + slot - start;
    if (next < kStateLow) {
      if (word == end) throw_damaged("the words of a segment run out");
      next = next << 16 | load_le16(word);
      word += 2;
    }
    state = next;
    values[i] = static_cast<std::int32_t>(symbol);
  }
  if (word != end) throw_damaged("a segment has words left over");
}

// The tail as one string of bytes: what rode in the states, then what is stored.
std::vector<std::uint8_t> join_tail(const ChunkBytes& bytes, const std::uint32_t* states, std::uint32_t lanes) {
  const std::uint64_t seeded = seeded_bytes(bytes.tail_bytes, lanes);
  std::array<std::uint8_t, 2 * kMaxLanes> seeds{};
  for (std::uint32_t lane = 0; lane < lanes; ++lane) {
    if (states[lane] >> 16 != 1) throw_damaged("a segment does not end in its starting state");
    seeds[2 * lane] = static_cast<std::uint8_t>(states[lane]);
    seeds[2 * lane + 1] = static_cast<std::uint8_t>(states[lane] >> 8);
  }
  for (std::uint64_t i = seeded; i < 2 * lanes; ++i)
    if (seeds[i] != 0) throw_damaged("a segment does not end in its starting state");
  std::vector<std::uint8_t> tail(seeds.begin(), seeds.begin() + static_cast<std::ptrdiff_t>(seeded));
  tail.insert(tail.end(), bytes.tail, bytes.tail + (bytes.tail_bytes - seeded));
  return tail;
}

// Raw bits and escapes into place: table symbols become values.
void join_values(const std::vector<std::uint8_t>& tail, std::uint64_t raw_bits, const ChunkModel& model,
                 std::int32_t* values) {
  BitReader raw(tail.data(), tail.size(), 0), escapes(tail.data(), tail.size(), raw_bits);
  for (std::size_t i = 0; i < model.symbols; ++i) {
    const Table& table = model.tables[model.indices[i]];
    std::uint32_t order = static_cast<std::uint32_t>(values[i]);
    if (order == table.escape) order += take_escape(escapes);
    std::int64_t value = unzigzag(order);
    if (table.raw_bits > 0) value = value * (std::int64_t{1} << table.raw_bits) + take_bits(raw, table.raw_bits);
    if (value < std::numeric_limits<std::int32_t>::min() || value > std::numeric_limits<std::int32_t>::max())
      throw_damaged("a symbol of a segment does not fit 32 bits");
    values[i] = static_cast<std::int32_t>(value);
  }
  if (!escapes.only_padding_left()) throw_damaged("a segment has raw or escape bits left over");
}

}  // namespace

void throw_damaged(const char* message) { throw CodingError(CodingError::Kind::kDamaged, message); }

std::uint64_t raw_bit_count(const ChunkModel& model) noexcept {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < model.symbols; ++i) total += model.tables[model.indices[i]].raw_bits;
  return total;
}

ChunkCode encode_chunk(const std::int32_t* values, const ChunkModel& model) {
  ChunkCode code;
  std::vector<std::uint8_t> symbols(model.symbols);
  code.tail = split_values(values, model, symbols.data());
  seed_states(code, model.lanes);
  for (std::size_t i = model.symbols; i-- > 0;) {
    const Table& table = model.tables[model.indices[i]];
    const std::uint32_t start = table.cumulative[symbols[i]];
    const std::uint32_t frequency = table.cumulative[symbols[i] + 1u] - start;
    std::uint32_t& state = code.states[i & (model.lanes - 1)];
    if (state >= frequency << (32 - kProbabilityBits)) {
      code.words.push_back(static_cast<std::uint16_t>(state));
      state >>= 16;
    }
    state = (state / frequency << kProbabilityBits) + state % frequency + start;
  }
  std::reverse(code.words.begin(), code.words.end());
  return code;
}

void decode_chunk(const ChunkBytes& bytes, const ChunkModel& model, std::int32_t* values) {
  std::array<std::uint32_t, kMaxLanes> states{};
  for (std::uint32_t lane = 0; lane < model.lanes; ++lane) {
    states[lane] = load_le16(bytes.states + 4 * lane) | load_le16(bytes.states + 4 * lane + 2) << 16;
    if (states[lane] < kStateLow) throw_damaged("a starting state of a segment is too small");
  }
  decode_symbols(bytes, model, states.data(), values);
  const std::uint64_t raw_bits = raw_bit_count(model);
  if (raw_bits > 8 * bytes.tail_bytes) throw_damaged("the raw and escape bits of a segment run out");
  join_values(join_tail(bytes, states.data(), model.lanes), raw_bits, model, values);
}

}  // namespace nvcodec
