// Feeds warp, motion decoder and search with random sizes, fields and bytes; built with sanitizers by
// tools/fuzz_motion.sh.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <vector>

#include "coder_tables.hpp"
#include "motion_code.hpp"
#include "motion_search.hpp"
#include "rans.hpp"
#include "warp.hpp"

namespace {

using namespace nvcodec;
using Random = std::mt19937_64;

struct RawTables {
  std::vector<std::uint16_t> cumulative;
  std::vector<std::uint32_t> offsets{0};
  std::vector<std::uint8_t> raw_bits;
};

// 64 tables of flags, 160 of 3 to 34 symbols of falling frequency.
RawTables make_tables() {
  RawTables tables;
  for (std::uint32_t t = 0; t < kMotionTables; ++t) {
    const std::uint32_t symbols = t < 64 ? 3 : 3 + (t - 64) / 5;
    std::uint32_t total = 0, left = kProbabilityTotal - symbols;
    for (std::uint32_t s = 0; s < symbols; ++s) {
      tables.cumulative.push_back(static_cast<std::uint16_t>(total));
      const std::uint32_t more = s + 1 == symbols   ? left
                                 : t < 64 && s == 0 ? left / 64 * (63 - t)
                                                    : left / (2 + t / 32);
      left -= more;
      total += 1 + more;
    }
    tables.cumulative.push_back(static_cast<std::uint16_t>(total));
    tables.offsets.push_back(static_cast<std::uint32_t>(tables.cumulative.size()));
    tables.raw_bits.push_back(static_cast<std::uint8_t>(t < 190 ? 0 : (t - 190) / 4));
  }
  return tables;
}

template <typename Sample>
std::vector<Sample> noise(Random& random, int width, int height, unsigned top) {
  std::vector<Sample> plane(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  for (Sample& sample : plane) sample = static_cast<Sample>(random() % (top + 1));
  return plane;
}

template <typename Sample>
void warp_once(Random& random, int width, int height, const std::vector<Vector>& cells, int depth) {
  const VectorGrid grid{&cells[0].x, cells_of(height), cells_of(width)};
  for (const bool chroma : {false, true}) {
    const int w = chroma ? (width + 1) / 2 : width, h = chroma ? (height + 1) / 2 : height;
    const auto plane = noise<Sample>(random, w, h, (1u << depth) - 1);
    std::vector<Sample> out(plane.size());
    warp_plane(plane.data(), w, h, grid, chroma, out.data());
  }
}

// Decodes from a buffer of exactly the data's size. What is decoded must be coded back to a field that is equal.
bool decode_once(const std::vector<std::uint8_t>& data, const Vector* previous, int width, int height,
                 const TableSet& tables, std::vector<Vector>& out) {
  std::fill(out.begin(), out.end(), Vector{0, 0});
  try {
    decode_motion(data.data(), data.size(), previous, width, height, tables, out.data());
  } catch (const CodingError&) {
    return false;
  }
  const Cells cells{out.data(), previous, cells_of(height), cells_of(width)};
  const auto again = encode_motion(cells, width, height, tables);
  std::vector<Vector> back(out.size());
  decode_motion(again.data(), again.size(), previous, width, height, tables, back.data());
  if (!(back == out)) std::fprintf(stderr, "a field does not come back\n"), std::exit(1);
  return true;
}

void once(Random& random, const TableSet& tables) {
  const int width = 1 + static_cast<int>(random() % 100), height = 1 + static_cast<int>(random() % 70);
  const auto count = static_cast<std::size_t>(cells_of(width)) * static_cast<std::size_t>(cells_of(height));
  std::vector<Vector> field(count), wild(count), found(count), out(count);
  for (Vector& vector : wild)
    vector = {static_cast<std::int16_t>(random() % 8192 - 4096), static_cast<std::int16_t>(random() % 8192 - 4096)};
  warp_once<std::uint8_t>(random, width, height, wild, 8);
  warp_once<std::uint16_t>(random, width, height, wild, 10);
  const auto a = noise<std::uint8_t>(random, width, height, 255), b = noise<std::uint8_t>(random, width, height, 255);
  const Vector* const previous = random() % 2 ? wild.data() : nullptr;
  search_motion({a.data(), b.data(), width, height}, previous,
                {double(random() % 50), random() % 2 ? wild.data() : nullptr, 1 + static_cast<int>(random() % 3)},
                found.data());
  const Cells cells{found.data(), previous, cells_of(height), cells_of(width)};
  auto data = encode_motion(cells, width, height, tables);
  if (!decode_once(data, previous, width, height, tables, out) || !(out == found))
    std::fprintf(stderr, "a search does not come back\n"), std::exit(1);
  for (int k = 0; k < 20; ++k) {
    auto damaged = data;
    if (random() % 4 == 0) damaged.resize(random() % 200);
    const auto changes = 1 + random() % 4;
    for (std::uint64_t c = 0; c < changes && !damaged.empty(); ++c)
      damaged[random() % damaged.size()] = static_cast<std::uint8_t>(random());
    damaged.shrink_to_fit();
    decode_once(damaged, previous, width, height, tables, out);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 10;
  Random random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
  const RawTables raw = make_tables();
  const TableSet tables(raw.cumulative.data(), raw.cumulative.size(), raw.offsets.data(), raw.raw_bits.data(),
                        raw.raw_bits.size());
  std::uint64_t rounds = 0;
  for (const std::time_t start = std::time(nullptr); std::difftime(std::time(nullptr), start) < seconds; ++rounds)
    once(random, tables);
  std::printf("motion: %llu rounds\n", static_cast<unsigned long long>(rounds));
}
