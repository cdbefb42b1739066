// Feeds the coder with true, damaged and random segments and chains; built with sanitizers by tools/fuzz_coder.sh.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <vector>

#include "chain.hpp"
#include "coder_tables.hpp"
#include "rans.hpp"
#include "segment.hpp"

namespace {

using Random = std::mt19937_64;

struct RawTables {
  std::vector<std::uint16_t> cumulative;
  std::vector<std::uint32_t> offsets{0};
  std::vector<std::uint8_t> raw_bits;
};

// Tables of 2 to 256 symbols with random frequencies.
RawTables make_tables(Random& random, std::size_t count) {
  RawTables tables;
  for (std::size_t t = 0; t < count; ++t) {
    const std::uint32_t symbols = t == 0 ? 2 : t == 1 ? 256 : 2 + static_cast<std::uint32_t>(random() % 255);
    std::uint32_t total = 0, left = nvcodec::kProbabilityTotal - symbols;
    for (std::uint32_t s = 0; s < symbols; ++s) {
      tables.cumulative.push_back(static_cast<std::uint16_t>(total));
      const std::uint32_t more = s + 1 == symbols ? left : static_cast<std::uint32_t>(random() % (left / 4 + 1));
      left -= more;
      total += 1 + more;
    }
    tables.cumulative.push_back(static_cast<std::uint16_t>(total));
    tables.offsets.push_back(static_cast<std::uint32_t>(tables.cumulative.size()));
    tables.raw_bits.push_back(static_cast<std::uint8_t>(random() % 3 == 0 ? random() % 17 : 0));
  }
  return tables;
}

void fail(const char* message) {
  std::fprintf(stderr, "%s\n", message);
  std::exit(1);
}

// Decodes from a buffer of exactly `data.size()` bytes, so that the sanitizer sees any read outside.
bool decodes(const std::vector<std::uint8_t>& data, const nvcodec::SegmentModel& model, std::vector<std::int32_t>& out) {
  out.assign(model.symbols, 0);
  try {
    nvcodec::decode_segment(data.data(), data.size(), model, out.data());
  } catch (const nvcodec::CodingError&) {
    return false;
  }
  return true;
}

std::vector<std::int32_t> random_values(Random& random, std::size_t count) {
  std::vector<std::int32_t> values(count);
  for (std::int32_t& value : values) value = static_cast<std::int32_t>(random()) >> (9 + random() % 23);
  return values;
}

void damage(Random& random, std::vector<std::uint8_t>& data) {
  const std::uint64_t kind = random() % 4;
  if (kind == 0) data.resize(random() % (data.size() + 1));
  if (kind == 1) data.push_back(static_cast<std::uint8_t>(random()));
  if (kind >= 2 && !data.empty()) data[random() % data.size()] ^= static_cast<std::uint8_t>(1u << random() % 8);
  if (kind == 3)
    for (std::size_t i = 0; i < data.size() && i < 12; ++i)
      if (random() % 3 == 0) data[i] = static_cast<std::uint8_t>(random());
}

// Decodes a chain in parts; a chain that passes must be what the encoder writes.
bool chain_decodes(Random& random, const std::vector<std::uint8_t>& data, const nvcodec::SegmentModel& model,
                   std::vector<std::int32_t>& out) {
  out.assign(model.symbols, 0);
  try {
    nvcodec::ChainCursor cursor = nvcodec::open_chain(data.data(), data.size());
    for (std::size_t done = 0; done < model.symbols;) {
      const std::size_t part = random() % (model.symbols - done + 1);
      nvcodec::decode_chain(cursor, {model.tables, model.indices + done, part}, out.data() + done);
      done += part;
    }
    nvcodec::finish_chain(cursor);
  } catch (const nvcodec::CodingError&) {
    return false;
  }
  if (nvcodec::encode_chain(out.data(), model) != data) fail("a chain has two forms");
  return true;
}

void chain_round(Random& random, const nvcodec::SegmentModel& model, const std::vector<std::int32_t>& values) {
  std::vector<std::uint8_t> data = nvcodec::encode_chain(values.data(), model);
  std::vector<std::int32_t> decoded;
  if (!chain_decodes(random, data, model, decoded) || decoded != values) fail("a chain did not come back");
  for (int i = 0; i < 8; ++i) {
    std::vector<std::uint8_t> damaged = data;
    damage(random, damaged);
    damaged.shrink_to_fit();
    chain_decodes(random, damaged, model, decoded);
  }
  for (std::uint8_t& byte : data) byte = static_cast<std::uint8_t>(random());
  chain_decodes(random, data, model, decoded);
}

void one_round(Random& random, const nvcodec::TableSet& tables) {
  constexpr std::uint32_t kLanes[] = {0, 3, 5};
  const std::size_t count = random() % (random() % 8 == 0 ? 4000 : 200);
  std::vector<std::uint16_t> indices(count);
  const bool single = random() % 2 == 0;
  const std::uint16_t common = static_cast<std::uint16_t>(random() % tables.size());
  for (std::uint16_t& index : indices) index = single ? common : static_cast<std::uint16_t>(random() % tables.size());
  const nvcodec::SegmentModel model{tables, indices.data(), count};
  const std::vector<std::int32_t> values = random_values(random, count);
  std::vector<std::uint8_t> data = nvcodec::encode_segment(values.data(), model, kLanes[random() % 3], 32 * (random() % 5));
  std::vector<std::int32_t> decoded;
  if (!decodes(data, model, decoded) || decoded != values) fail("a segment did not come back");
  for (int i = 0; i < 8; ++i) {
    std::vector<std::uint8_t> damaged = data;
    damage(random, damaged);
    damaged.shrink_to_fit();
    decodes(damaged, model, decoded);
  }
  for (std::uint8_t& byte : data) byte = static_cast<std::uint8_t>(random());
  if (!data.empty()) data[0] = static_cast<std::uint8_t>(random() % 32);
  decodes(data, model, decoded);
  chain_round(random, model, values);
}

}  // namespace

int main(int argc, char** argv) {
  const long seconds = argc > 1 ? std::atol(argv[1]) : 10;
  Random random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
  const std::time_t end = std::time(nullptr) + seconds;
  std::uint64_t rounds = 0;
  while (std::time(nullptr) < end) {
    const RawTables raw = make_tables(random, 12);
    const nvcodec::TableSet tables(raw.cumulative.data(), raw.cumulative.size(), raw.offsets.data(), raw.raw_bits.data(),
                                   raw.raw_bits.size());
    for (int i = 0; i < 50; ++i, ++rounds) one_round(random, tables);
  }
  std::printf("%llu rounds without a finding\n", static_cast<unsigned long long>(rounds));
  return 0;
}
