// Integer probability tables in the form the coder reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace nvcodec {

constexpr std::uint32_t kProbabilityBits = 14;
constexpr std::uint32_t kProbabilityTotal = 1u << kProbabilityBits;
constexpr std::uint32_t kMaxAlphabet = 256;
constexpr std::uint32_t kMaxRawBits = 16;
constexpr std::uint32_t kBucketBits = 6;  // a bucket of the decoder spans 64 of the 16384 slots
constexpr std::uint32_t kBuckets = kProbabilityTotal >> kBucketBits;

// One table: symbol s owns the slots cumulative[s] .. cumulative[s + 1] - 1; the last symbol is the escape.
struct Table {
  const std::uint16_t* cumulative;
  const std::uint8_t* buckets;  // first symbol that reaches into each bucket
  std::uint32_t escape;
  std::uint32_t raw_bits;

  // The symbol that owns a slot below 2^14.
  std::uint32_t find(std::uint32_t slot) const noexcept {
    std::uint32_t symbol = buckets[slot >> kBucketBits];
    while (cumulative[symbol + 1] <= slot) ++symbol;
    return symbol;
  }
};

// An immutable, checked set of tables; safe to share between threads.
class TableSet {
 public:
  // Table t owns cumulative[offsets[t] .. offsets[t + 1]). Throws std::invalid_argument unless every table rises
  // strictly from 0 to 2^14 over 2 to 256 symbols and has at most 16 raw bits.
  TableSet(const std::uint16_t* cumulative, std::size_t cumulative_size, const std::uint32_t* offsets,
           const std::uint8_t* raw_bits, std::size_t tables);
  TableSet(const TableSet&) = delete;
  TableSet& operator=(const TableSet&) = delete;

  std::size_t size() const noexcept { return tables_.size(); }
  const Table& operator[](std::size_t index) const noexcept { return tables_[index]; }

 private:
  void add(std::uint32_t begin, std::uint32_t end, std::uint32_t raw_bits);

  std::vector<std::uint16_t> cumulative_;
  std::vector<std::uint8_t> buckets_;
  std::vector<Table> tables_;
};

}  // namespace nvcodec
