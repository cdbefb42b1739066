// Drives a fuzz target where there is no libFuzzer:
//
//     fuzz_main fuzz SECONDS SEED FOLDER...   mutates the files of the folders at random
//     fuzz_main damage FOLDER...              each file, every flip of one bit of it and every prefix
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Bytes = std::vector<std::uint8_t>;
using Random = std::mt19937_64;
constexpr std::size_t kHeader = 9;

Bytes current;               // what runs
std::uint64_t executed = 0;  // how many have run

// The input at hand is kept when the target ends the program, by a sanitizer or by itself.
void save() {
  std::ofstream file("finding.bin", std::ios::binary);
  file.write(reinterpret_cast<const char*>(current.data()), static_cast<std::streamsize>(current.size()));
  std::fprintf(stderr, "run %llu: the input is in finding.bin\n", static_cast<unsigned long long>(executed));
}

void run(const Bytes& input) {
  current = input;
  const std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[input.size()]);
  if (!input.empty()) std::memcpy(exact.get(), input.data(), input.size());
  LLVMFuzzerTestOneInput(exact.get(), input.size());
  ++executed;
}

std::vector<Bytes> read_all(char** first, char** last) {
  std::vector<Bytes> all;
  for (; first < last; ++first)
    for (const auto& entry : std::filesystem::directory_iterator(*first)) {
      std::ifstream file(entry.path(), std::ios::binary);
      all.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
  if (all.empty()) {
    std::fprintf(stderr, "no inputs\n");
    std::exit(2);
  }
  return all;
}

// Every byte counts alike, but the first ones say what the rest is and are left alone more often than not.
std::size_t place(Random& random, std::size_t size) {
  const std::size_t kept = random() % 4 != 0 && size > kHeader ? kHeader : 0;
  return kept + random() % (size - kept);
}

void mutate(Random& random, const Bytes& other, Bytes& input) {
  for (std::uint64_t count = 1 + random() % 4; count > 0; --count) {
    if (input.empty()) input.push_back(0);
    const std::size_t at = place(random, input.size()), length = 1 + random() % 8;
    const auto here = input.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end = input.begin() + static_cast<std::ptrdiff_t>(at + std::min(length, input.size() - at));
    switch (random() % 8) {
      case 0: case 1: input[at] ^= static_cast<std::uint8_t>(1u << random() % 8); break;
      case 2: input[at] = static_cast<std::uint8_t>(random()); break;
      case 3: input[at] = (const std::uint8_t[]){0, 1, 127, 128, 255}[random() % 5]; break;
      case 4: input.erase(here, end); break;
      case 5: input.insert(here, length, static_cast<std::uint8_t>(random())); break;
      case 6: input.resize(at); break;
      default: if (at < other.size()) input.insert(here, other.begin() + static_cast<std::ptrdiff_t>(at), other.end()); break;
    }
  }
}

void fuzz(double seconds, std::uint64_t seed, const std::vector<Bytes>& inputs) {
  Random random(seed);
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  for (const Bytes& input : inputs) run(input);
  while (std::chrono::steady_clock::now() < end) {
    Bytes input = inputs[random() % inputs.size()];
    mutate(random, inputs[random() % inputs.size()], input);
    run(input);
  }
}

void damage(const std::vector<Bytes>& inputs) {
  for (Bytes input : inputs) {
    run(input);
    for (std::size_t bit = 0; bit < 8 * input.size(); ++bit) {
      input[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
      run(input);
      input[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    }
    while (!input.empty()) {
      input.pop_back();
      run(input);
    }
  }
}

}  // namespace

extern "C" void __sanitizer_set_death_callback(void (*callback)());

int main(int argc, char** argv) {
  __sanitizer_set_death_callback(save);
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "fuzz" && argc > 4) {
    fuzz(std::atof(argv[2]), std::strtoull(argv[3], nullptr, 10), read_all(argv + 4, argv + argc));
  } else if (mode == "damage" && argc > 2) {
    damage(read_all(argv + 2, argv + argc));
  } else {
    std::fprintf(stderr, "fuzz_main fuzz SECONDS SEED FOLDER... | fuzz_main damage FOLDER...\n");
    return 2;
  }
  std::printf("%llu runs without a finding\n", static_cast<unsigned long long>(executed));
  return 0;
}
