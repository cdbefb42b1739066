#include "chain.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "rans.hpp"
#include "symbols.hpp"

namespace nvcodec {
namespace {

constexpr std::uint32_t kSlotMask = kProbabilityTotal - 1;
constexpr std::uint32_t kMaxTake = 16;  // most bits that one step carries

[[noreturn]] void throw_truncated() { throw CodingError(CodingError::Kind::kTruncated, "a chain ends too early"); }

// Codes backwards: what is put first is decoded last.
class ChainWriter {
 public:
  void put_symbol(const Table& table, std::uint32_t symbol) {
    const std::uint32_t start = table.cumulative[symbol];
    const std::uint32_t frequency = table.cumulative[symbol + 1] - start;
    if (state_ >= frequency << (32 - kProbabilityBits)) emit();
    state_ = (state_ / frequency << kProbabilityBits) + state_ % frequency + start;
  }

  // 1 to 16 bits.
  void put_bits(std::uint32_t value, std::uint32_t count) {
    if (state_ >= 1u << (32 - count)) emit();
    state_ = state_ << count | value;
  }

  std::vector<std::uint8_t> finish() {
    words_.push_back(static_cast<std::uint16_t>(state_ >> 16));
    words_.push_back(static_cast<std::uint16_t>(state_));
    std::vector<std::uint8_t> out(2 * words_.size());
    std::uint8_t* at = out.data();
    for (auto word = words_.rbegin(); word != words_.rend(); ++word) {
      *at++ = static_cast<std::uint8_t>(*word);
      *at++ = static_cast<std::uint8_t>(*word >> 8);
    }
    return out;
  }

 private:
  void emit() {
    words_.push_back(static_cast<std::uint16_t>(state_));
    state_ >>= 16;
  }

  std::uint32_t state_ = kStateLow;
  std::vector<std::uint16_t> words_;  // last one first
};

void put_escape(ChainWriter& out, std::uint32_t excess) {
  if (excess > kMaxExcess) throw std::invalid_argument("a symbol is too far out for its table");
  const std::uint32_t biased = excess + (1u << kEscapeOrder);
  const std::uint32_t prefix = floor_log2(biased) - kEscapeOrder;
  const std::uint32_t count = prefix + kEscapeOrder;
  const std::uint32_t low = biased & ((1u << count) - 1u);
  if (count > kMaxTake) out.put_bits(low >> kMaxTake, count - kMaxTake);
  out.put_bits(low & 0xFFFFu, std::min(count, kMaxTake));
  out.put_bits(1, 1);
  for (std::uint32_t i = 0; i < prefix; ++i) out.put_bits(0, 1);
}

void put_value(ChainWriter& out, const Table& table, std::int32_t value) {
  const std::uint32_t raw = static_cast<std::uint32_t>(value) & ((1u << table.raw_bits) - 1u);
  const std::uint32_t order = zigzag(value >> table.raw_bits);
  if (table.raw_bits > 0) out.put_bits(raw, table.raw_bits);
  if (order >= table.escape) put_escape(out, order - table.escape);
  out.put_symbol(table, std::min(order, table.escape));
}

// Brings a state that fell below 2^16 back with the next word.
void renew(ChainCursor& at) {
  if (at.state >= kStateLow) return;
  if (at.word == at.end) throw_truncated();
  at.state = at.state << 16 | load_le16(at.word);
  at.word += 2;
}

std::uint32_t take_symbol(ChainCursor& at, const Table& table) {
  const std::uint32_t slot = at.state & kSlotMask;
  const std::uint32_t symbol = table.find(slot);
  const std::uint32_t start = table.cumulative[symbol];
  at.state = (table.cumulative[symbol + 1] - start) * (at.state >> kProbabilityBits) + slot - start;
  renew(at);
  return symbol;
}

// 1 to 16 bits.
std::uint32_t take_bits(ChainCursor& at, std::uint32_t count) {
  const std::uint32_t value = at.state & ((1u << count) - 1u);
  at.state >>= count;
  renew(at);
  return value;
}

std::uint32_t take_escape(ChainCursor& at) {
  std::uint32_t prefix = 0;
  while (take_bits(at, 1) == 0)
    if (++prefix > kMaxEscapePrefix) throw_damaged("an Exp-Golomb code is too long");
  const std::uint32_t count = prefix + kEscapeOrder;
  std::uint32_t low = take_bits(at, std::min(count, kMaxTake));
  if (count > kMaxTake) low |= take_bits(at, count - kMaxTake) << kMaxTake;
  return (1u << count | low) - (1u << kEscapeOrder);
}

std::int32_t take_value(ChainCursor& at, const Table& table) {
  std::uint32_t order = take_symbol(at, table);
  if (order == table.escape) order += take_escape(at);
  std::int64_t value = unzigzag(order);
  if (table.raw_bits > 0) value = value * (std::int64_t{1} << table.raw_bits) + take_bits(at, table.raw_bits);
  if (value < std::numeric_limits<std::int32_t>::min() || value > std::numeric_limits<std::int32_t>::max())
    throw_damaged("a symbol of a chain does not fit 32 bits");
  return static_cast<std::int32_t>(value);
}

}  // namespace

std::vector<std::uint8_t> encode_chain(const std::int32_t* values, const SegmentModel<std::uint16_t>& model) {
  ChainWriter out;
  for (std::size_t i = model.symbols; i-- > 0;) put_value(out, model.tables[model.indices[i]], values[i]);
  return out.finish();
}

ChainCursor open_chain(const std::uint8_t* data, std::size_t size) {
  if (size < 4) throw_truncated();
  if (size % 2 != 0) throw_damaged("a chain has half a word");
  const std::uint32_t state = load_le16(data) | load_le16(data + 2) << 16;
  if (state < kStateLow) throw_damaged("the starting state of a chain is too small");
  return {data + 4, data + size, state};
}

void decode_chain(ChainCursor& cursor, const SegmentModel<std::uint16_t>& model, std::int32_t* values) {
  ChainCursor at = cursor;
  for (std::size_t i = 0; i < model.symbols; ++i) values[i] = take_value(at, model.tables[model.indices[i]]);
  cursor = at;
}

void finish_chain(const ChainCursor& cursor) {
  if (cursor.word != cursor.end) throw_damaged("a chain has words left over");
  if (cursor.state != kStateLow) throw_damaged("a chain does not end in its starting state");
}

}  // namespace nvcodec
