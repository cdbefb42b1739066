#include "coder_tables.hpp"

#include <stdexcept>

namespace nvcodec {

TableSet::TableSet(const std::uint16_t* cumulative, std::size_t cumulative_size, const std::uint32_t* offsets,
                   const std::uint8_t* raw_bits, std::size_t tables)
    : cumulative_(cumulative, cumulative + cumulative_size), buckets_(tables * kBuckets) {
  tables_.reserve(tables);
  for (std::size_t t = 0; t < tables; ++t) {
    if (offsets[t] > offsets[t + 1] || offsets[t + 1] > cumulative_size)
      throw std::invalid_argument("table offsets do not fit the cumulative frequencies");
    add(offsets[t], offsets[t + 1], raw_bits[t]);
  }
}

void TableSet::add(std::uint32_t begin, std::uint32_t end, std::uint32_t raw_bits) {
  const std::uint32_t entries = end - begin;
  const std::uint16_t* row = cumulative_.data() + begin;
  if (entries < 3 || entries > kMaxAlphabet + 1 || row[0] != 0 || row[entries - 1] != kProbabilityTotal)
    throw std::invalid_argument("a table needs 2 to 256 frequencies that sum to 16384");
  for (std::uint32_t s = 0; s + 1 < entries; ++s)
    if (row[s] >= row[s + 1]) throw std::invalid_argument("a table has a frequency of zero");
  if (raw_bits > kMaxRawBits) throw std::invalid_argument("a table has more than 16 raw bits");

  std::uint8_t* buckets = buckets_.data() + tables_.size() * kBuckets;
  std::uint32_t symbol = 0;
  for (std::uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
    while (row[symbol + 1] <= bucket << kBucketBits) ++symbol;
    buckets[bucket] = static_cast<std::uint8_t>(symbol);
  }
  tables_.push_back({row, buckets, entries - 2, raw_bits});
}

}  // namespace nvcodec
