// The coder's loops in plain C++: what every machine has, and what the vector versions are held against.
#include "kernel_blocks.hpp"

namespace nvcodec {
namespace {

constexpr std::uint32_t kStateFull = 1u << 16;

// Moves a state on, without its word; returns the table symbol. Arithmetic instead of branches: neither choice can be
// foreseen. The walk is rare.
inline std::uint32_t step(std::uint32_t& x, const TableView& tables, std::size_t table) {
  const std::uint32_t slot = x & (kProbabilityTotal - 1);
  const std::int32_t coarse = static_cast<std::int32_t>(slot >> kCoarseShift);
  const std::int32_t fine = static_cast<std::int32_t>(slot >> kFineShift) - static_cast<std::int32_t>(kFineBias);
  const Bucket& bucket = tables.buckets[table * kBuckets + static_cast<std::size_t>(coarse > fine ? coarse : fine)];
  const std::uint32_t second = slot >= bucket.end, mask = 0u - second;
  std::uint32_t symbol = bucket.symbol + second;
  std::uint32_t start = bucket.start + ((bucket.end - std::uint32_t{bucket.start}) & mask);
  std::uint32_t end = bucket.end + ((bucket.next_end - std::uint32_t{bucket.end}) & mask);
  if (__builtin_expect(slot >= end, 0)) {
    const std::uint16_t* row = tables.rows + table * tables.row;
    while (row[symbol + 1] <= slot) ++symbol;
    start = row[symbol];
    end = row[symbol + 1];
  }
  x = (end - start) * (x >> kProbabilityBits) + slot - start;
  return symbol;
}

// Pointers and states are kept in locals: a store of a byte may change anything that has an address elsewhere.
template <typename Index>
void decode_run(const TableView& tables, DecodeRun& run) {
  const TableView local = tables;
  const Index* indices = static_cast<const Index*>(run.indices);
  const std::uint8_t *words = run.words, *last = run.end - 2 * kGroup;
  std::uint8_t* symbols = run.symbols;
  std::uint32_t states[kGroup];
  std::memcpy(states, run.states, sizeof states);
  for (; run.groups > 0 && words <= last; --run.groups, indices += kGroup, symbols += kGroup) {
    for (std::size_t lane = 0; lane < kGroup; ++lane) {
      const std::size_t table = indices[lane];
      std::uint32_t x = states[lane];
      const std::uint32_t symbol = step(x, local, table), longer = x << 16 | load_le16(words);
      const std::uint32_t small = 0u - static_cast<std::uint32_t>(x < kStateFull);
      states[lane] = x ^ ((x ^ longer) & small);
      words += 2 & small;
      symbols[lane] = static_cast<std::uint8_t>(symbol);
    }
  }
  std::memcpy(run.states, states, sizeof states);
  run = {run.states, words, run.end, indices, symbols, run.groups};
}

template <typename Index>
void decode(const TableView& tables, DecodeRun* runs, std::size_t count) {
  for (std::size_t r = 0; r < count; ++r)
    if (static_cast<std::size_t>(runs[r].end - runs[r].words) >= 2 * kGroup) decode_run<Index>(tables, runs[r]);
}

template <typename Index>
void encode(const TableView& tables, EncodeRun* runs, std::size_t count) {
  for (EncodeRun* run = runs; run < runs + count; ++run) {
    const Index* indices = static_cast<const Index*>(run->indices);
    for (; run->groups > 0; --run->groups) {
      for (std::size_t lane = kGroup; lane-- > 0;) {
        const std::uint16_t* bounds = tables.rows + static_cast<std::size_t>(*--indices) * tables.row + *--run->symbols;
        const std::uint32_t start = bounds[0], frequency = bounds[1] - start;
        std::uint32_t x = run->states[lane];
        const bool full = x >= frequency << (32 - kProbabilityBits);
        run->words[-1] = static_cast<std::uint16_t>(x);
        run->words -= full ? 1 : 0;
        x = full ? x >> 16 : x;
        run->states[lane] = (x / frequency << kProbabilityBits) + x % frequency + start;
      }
    }
    run->indices = indices;
  }
}

template <typename Index>
constexpr IndexKernels<Index> kernels() {
  return {&decode<Index>, &encode<Index>,
          &split_block<std::int16_t, Index>, &split_block<std::int32_t, Index>,
          &join_block<std::int16_t, Index>, &join_block<std::int32_t, Index>,
          &count_raw_bits<Index>, &find_range<Index>};
}

}  // namespace

const Kernels kScalarKernels{"scalar", kernels<std::uint8_t>(), kernels<std::uint16_t>(), nullptr, nullptr};

}  // namespace nvcodec
