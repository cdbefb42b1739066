#include "coder_tables.hpp"

#include <algorithm>
#include <stdexcept>

namespace nvcodec {
namespace {

constexpr std::size_t kMaxTables = 1u << 15;  // kernels multiply table indices as signed 16-bit numbers

void check(const std::uint16_t* row, std::uint32_t entries, std::uint32_t raw_bits) {
  if (entries < 3 || entries > kMaxAlphabet + 1 || row[0] != 0 || row[entries - 1] != kProbabilityTotal)
    throw std::invalid_argument("a table needs 2 to 256 frequencies that sum to 16384");
  for (std::uint32_t s = 0; s + 1 < entries; ++s)
    if (row[s] >= row[s + 1]) throw std::invalid_argument("a table has a frequency of zero");
  if (raw_bits > kMaxRawBits) throw std::invalid_argument("a table has more than 16 raw bits");
}

std::uint32_t first_slot(std::uint32_t bucket) {
  const std::uint32_t coarse = kFineSlots >> kCoarseShift;
  return bucket < coarse ? bucket << kCoarseShift : (bucket + kFineBias) << kFineShift;
}

void fill_buckets(const std::uint16_t* row, std::uint32_t symbols, Bucket* buckets) {
  std::uint32_t symbol = 0;
  for (std::uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
    while (row[symbol + 1] <= first_slot(bucket)) ++symbol;
    buckets[bucket] = {row[symbol], row[symbol + 1], row[std::min(symbol + 2, symbols)], static_cast<std::uint16_t>(symbol)};
  }
}

}  // namespace

TableSet::TableSet(const std::uint16_t* cumulative, std::size_t cumulative_size, const std::uint32_t* offsets,
                   const std::uint8_t* raw_bits, std::size_t tables) {
  if (tables > kMaxTables) throw std::invalid_argument("there are more than 32768 tables");
  for (std::size_t t = 0; t < tables; ++t) {
    if (offsets[t] > offsets[t + 1] || offsets[t + 1] > cumulative_size)
      throw std::invalid_argument("table offsets do not fit the cumulative frequencies");
    const std::uint32_t entries = offsets[t + 1] - offsets[t];
    check(cumulative + offsets[t], entries, raw_bits[t]);
    view_.row = std::max(view_.row, entries);
    view_.most_raw_bits = std::max<std::uint32_t>(view_.most_raw_bits, raw_bits[t]);
  }
  const std::size_t traits = tables + 64;
  raw_bits_.resize(traits);
  escapes_.resize(traits);
  buckets_.resize(tables * kBuckets);
  rows_.resize(tables * view_.row + 1);
  tables_.reserve(tables);
  view_.buckets = buckets_.data();
  view_.rows = rows_.data();
  view_.raw_bits = raw_bits_.data();
  view_.escapes = escapes_.data();
  for (std::size_t t = 0; t < tables; ++t) add(cumulative + offsets[t], offsets[t + 1] - offsets[t], raw_bits[t]);
}

void TableSet::add(const std::uint16_t* cumulative, std::uint32_t entries, std::uint32_t raw_bits) {
  const std::size_t t = tables_.size();
  std::uint16_t* row = rows_.data() + t * view_.row;
  Bucket* buckets = buckets_.data() + t * kBuckets;
  std::copy(cumulative, cumulative + entries, row);
  fill_buckets(row, entries - 1, buckets);
  raw_bits_[t] = static_cast<std::uint8_t>(raw_bits);
  escapes_[t] = static_cast<std::uint8_t>(entries - 2);
  tables_.push_back({row, buckets, entries - 2, raw_bits});
}

}  // namespace nvcodec
