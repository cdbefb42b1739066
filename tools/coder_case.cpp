#include "coder_case.hpp"

#include <algorithm>
#include <limits>

#include "families.inc"  // written by coder_corpus.py: kGaussian*, kGgd*

namespace fuzz {
namespace {

using nvcodec::TableSet;

// SplitMix64: the same inputs mean the same everywhere.
struct Random {
  std::uint64_t state;
  std::uint64_t operator()() {
    std::uint64_t z = (state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
};

// Frequencies from flat to one that has nearly all; the last symbol is the escape.
void add_table(Random& random, std::vector<std::uint16_t>& cumulative) {
  constexpr std::uint32_t kSizes[] = {2, 3, 63, 64, 65, 128, 255, 256};
  const std::uint32_t symbols = random() % 2 ? kSizes[random() % 8] : 2 + static_cast<std::uint32_t>(random() % 255);
  const std::uint32_t shape = static_cast<std::uint32_t>(random() % 8), heavy = static_cast<std::uint32_t>(random() % symbols);
  std::vector<std::uint32_t> extra(symbols);
  std::uint32_t left = nvcodec::kProbabilityTotal - symbols;
  for (std::uint32_t s = 0; shape > 0 && s < symbols; ++s) {
    extra[s] = static_cast<std::uint32_t>(random() % (left / shape + 1));
    left -= extra[s];
  }
  extra[heavy] += left;
  std::uint32_t total = 0;
  for (const std::uint32_t more : extra) {
    cumulative.push_back(static_cast<std::uint16_t>(total));
    total += 1 + more;
  }
  cumulative.push_back(static_cast<std::uint16_t>(total));
}

std::shared_ptr<const TableSet> random_tables(std::uint64_t seed, std::size_t count) {
  Random random{seed};
  std::vector<std::uint16_t> cumulative;
  std::vector<std::uint32_t> offsets{0};
  std::vector<std::uint8_t> raw_bits;
  const std::uint64_t most_raw = (const std::uint64_t[]){1, 8, 17, 17}[random() % 4];
  for (std::size_t t = 0; t < count; ++t) {
    add_table(random, cumulative);
    offsets.push_back(static_cast<std::uint32_t>(cumulative.size()));
    raw_bits.push_back(static_cast<std::uint8_t>(random() % most_raw));
  }
  return std::make_shared<TableSet>(cumulative.data(), cumulative.size(), offsets.data(), raw_bits.data(), count);
}

template <std::size_t N, std::size_t M>
std::shared_ptr<const TableSet> family(const std::uint16_t (&cumulative)[N], const std::uint32_t* offsets,
                                       const std::uint8_t (&raw_bits)[M]) {
  return std::make_shared<TableSet>(cumulative, N, offsets, raw_bits, M);
}

std::shared_ptr<const TableSet> tables_of(Family which, std::uint64_t seed, std::size_t span) {
  static const auto gaussian = family(kGaussianCumulative, kGaussianOffsets, kGaussianRawBits);
  static const auto ggd = family(kGgdCumulative, kGgdOffsets, kGgdRawBits);
  if (which == kGaussian) return gaussian;
  if (which == kGgd) return ggd;
  return random_tables(seed, which == kOneTable ? 1 : std::min(span, kMostRandomTables));
}

// Index i of a pattern, before it is brought below the number of tables.
std::uint64_t index_of(Pattern pattern, std::uint64_t first, std::uint64_t span, std::uint64_t i, std::uint64_t count) {
  if (pattern == kScattered) return first + Random{first << 32 | i}() % span;
  return pattern == kRamp ? first + i * span / count : first;
}

std::int32_t extreme(std::uint64_t random) {
  const std::int32_t list[] = {std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max(),
                               -32768, 32767, -32769, 32768, 1 << 22, -(1 << 23), 255, -256};
  return list[random % (sizeof list / sizeof *list)];
}

// Styles: bytes, bytes with raw bits, wide values, bytes with an extreme one now and then.
std::vector<std::int32_t> values_of(const std::vector<std::uint8_t>& payload, std::uint32_t style, std::size_t count) {
  std::vector<std::int32_t> values(count);
  Random random{payload.size()};
  for (std::size_t i = 0; i < count && !payload.empty(); ++i) {
    const std::uint64_t noise = random();
    const std::int32_t byte = static_cast<std::int8_t>(payload[i % payload.size()]);
    values[i] = byte;
    if (style == 1) values[i] = byte * (1 << noise % 9) + static_cast<std::int32_t>(noise >> 60);
    if (style == 2) values[i] = byte * (1 << noise % 17);
    if (style == 3 && noise % 64 == 0) values[i] = extreme(noise >> 8);
  }
  return values;
}

}  // namespace

bool read_case(const std::uint8_t* data, std::size_t size, Case& out) {
  if (size < kHeader) return false;
  constexpr std::uint32_t kLanes[] = {5, 0, 3, 5}, kThreads[] = {1, 1, 1, 3};
  const auto word = [&](std::size_t at) { return static_cast<std::size_t>(data[at] | data[at + 1] << 8); };
  const std::size_t first = word(2), span = data[4] + std::size_t{1};
  const Pattern pattern = static_cast<Pattern>(data[0] >> 6);
  out.flags = data[0];
  out.starve = data[8] == kStarve;
  out.threads = kThreads[data[1] >> 2 & 3u];
  out.lanes_log2 = kLanes[data[1] >> 4 & 3u];
  out.chunk_symbols = 32u * data[5];
  out.tables = tables_of(static_cast<Family>(data[1] & 3u), first, span);
  const bool many = (word(6) & 0x8000u) != 0 && !out.starve;
  const std::size_t count = (word(6) & 0x7FFFu) % ((many ? kMostSymbols : kFewSymbols) + 1);
  std::size_t at = kHeader;
  for (std::size_t i = 0; i < count; ++i) {
    const bool listed = pattern == kListed && at + 2 <= size;
    std::uint64_t index = listed ? word(at) : index_of(pattern, first, span, i, count);
    if (listed) at += 2;
    const std::size_t most = out.has(kWideIndices) || out.has(kChain) ? 1u << 16 : 1u << 8;
    index %= out.has(kUnchecked) ? most : std::min(most, out.tables->size());
    out.indices.push_back(static_cast<std::uint16_t>(index));
  }
  out.payload.assign(data + at, data + size);
  if (out.has(kRoundTrip)) out.values = values_of(out.payload, data[1] >> 6, count);
  return true;
}

}  // namespace fuzz
