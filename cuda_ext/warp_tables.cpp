#include "warp_tables.hpp"

#include <algorithm>

namespace nvcodec::warp_coder {
namespace {

std::uint32_t first_slot(std::uint32_t bucket) {
  const std::uint32_t coarse = kFineSlots >> kCoarseShift;
  return bucket < coarse ? bucket << kCoarseShift : (bucket + kFineBias) << kFineShift;
}

void fill_buckets(const Table& table, std::uint64_t* buckets) {
  const std::uint16_t* const edges = table.cumulative;
  const std::uint32_t symbols = table.escape + 1;
  std::uint32_t symbol = 0;
  for (std::uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
    while (edges[symbol + 1] <= first_slot(bucket)) ++symbol;
    const std::uint64_t next_end = edges[std::min(symbol + 2, symbols)];
    buckets[bucket] = edges[symbol] | std::uint64_t{edges[symbol + 1]} << 16 | next_end << 32 | std::uint64_t{symbol} << 48;
  }
}

void fill_spans(const Table& table, std::uint32_t* spans) {
  for (std::uint32_t s = 0; s <= table.escape; ++s) {
    const std::uint32_t start = table.cumulative[s];
    spans[s] = start | (table.cumulative[s + 1] - start) << 16;
  }
}

}  // namespace

WarpTables::WarpTables(const std::uint16_t* cumulative, std::size_t cumulative_size, const std::uint32_t* offsets,
                       const std::uint8_t* raw_bits, std::size_t tables)
    : row(4) {
  const TableSet set(cumulative, cumulative_size, offsets, raw_bits, tables);
  for (std::size_t t = 0; t < tables; ++t) row = std::max(row, (set[t].escape + 4) / 4 * 4);
  buckets.resize(tables * kBuckets);
  spans.resize(tables * row);
  for (std::size_t t = 0; t < tables; ++t) {
    fill_buckets(set[t], buckets.data() + t * kBuckets);
    fill_spans(set[t], spans.data() + t * row);
    traits.push_back(static_cast<std::uint16_t>(set[t].raw_bits | set[t].escape << 8));
  }
}

}  // namespace nvcodec::warp_coder
