// Integer probability tables in the forms the coders read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace nvcodec {

constexpr std::uint32_t kProbabilityBits = 14;
constexpr std::uint32_t kProbabilityTotal = 1u << kProbabilityBits;
constexpr std::uint32_t kMaxAlphabet = 256;
constexpr std::uint32_t kMaxRawBits = 16;

// A bucket of slots as decoders look it up: the first symbol that reaches into it, where that one begins and ends, and
// where the next one ends. Buckets span 256 slots below kFineSlots and 32 above, where the rare symbols are.
struct Bucket {
  std::uint16_t start, end, next_end, symbol;
};
constexpr std::uint32_t kCoarseShift = 8, kFineShift = 5;
constexpr std::uint32_t kFineSlots = 14336;
constexpr std::uint32_t kFineBias = (kFineSlots >> kFineShift) - (kFineSlots >> kCoarseShift);
constexpr std::uint32_t kBuckets = (kProbabilityTotal >> kFineShift) - kFineBias;

constexpr std::uint32_t bucket_of(std::uint32_t slot) noexcept {
  return slot < kFineSlots ? slot >> kCoarseShift : (slot >> kFineShift) - kFineBias;
}

// One table: symbol s owns the slots cumulative[s] .. cumulative[s + 1] - 1; the last symbol is the escape.
struct Table {
  const std::uint16_t* cumulative;
  const Bucket* buckets;
  std::uint32_t escape;
  std::uint32_t raw_bits;

  // The symbol that owns a slot below 2^14.
  std::uint32_t find(std::uint32_t slot) const noexcept {
    std::uint32_t symbol = buckets[bucket_of(slot)].symbol;
    while (cumulative[symbol + 1] <= slot) ++symbol;
    return symbol;
  }
};

// Tables as kernels read them. It has no functions on purpose: the linker could give one that was compiled for another
// instruction set.
struct TableView {
  const Bucket* buckets;  // kBuckets a table
  const std::uint16_t* rows;     // cumulative frequencies, `row` of them a table; start and end of a symbol in 32 bits
  const std::uint8_t* raw_bits;  // this and `escapes`: one a table, and 64 bytes more
  const std::uint8_t* escapes;
  std::uint32_t row;
  std::uint32_t most_raw_bits;
};

// An immutable, checked set of tables; safe to share between threads.
class TableSet {
 public:
  // Table t owns cumulative[offsets[t] .. offsets[t + 1]). Throws std::invalid_argument unless every table rises
  // strictly from 0 to 2^14 over 2 to 256 symbols and has at most 16 raw bits, or for more than 2^15 tables.
  TableSet(const std::uint16_t* cumulative, std::size_t cumulative_size, const std::uint32_t* offsets,
           const std::uint8_t* raw_bits, std::size_t tables);
  TableSet(const TableSet&) = delete;
  TableSet& operator=(const TableSet&) = delete;

  std::size_t size() const noexcept { return tables_.size(); }
  const Table& operator[](std::size_t index) const noexcept { return tables_[index]; }

  const TableView& view() const noexcept { return view_; }

 private:
  void add(const std::uint16_t* cumulative, std::uint32_t entries, std::uint32_t raw_bits);

  std::vector<std::uint16_t> rows_;
  std::vector<Bucket> buckets_;
  std::vector<std::uint8_t> raw_bits_, escapes_;
  std::vector<Table> tables_;
  TableView view_{};
};

}  // namespace nvcodec
