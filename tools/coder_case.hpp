// What one input of the coder's fuzzer means. tools/coder_corpus.py writes such inputs.
//
//     byte 0     flags below
//     byte 1     bits 0-1 family, 2-3 threads (1, 1, 1, 3), 4-5 lanes (32, 1, 8, 32),
//                6-7 style of the values
//     bytes 2-3  first table, or what random tables and indices follow from
//     byte 4     tables that indices span, less one
//     byte 5     chunk size in units of 32
//     bytes 6-7  symbols; modulo kFewSymbols + 1, or with the top bit kMostSymbols + 1: few are faster
//     byte 8     kStarve: with too little memory, which is slow and therefore rare
//     the rest   two bytes an index if the pattern is kListed, then the payload: a segment, a chain or values
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "coder_tables.hpp"

namespace fuzz {

constexpr std::uint8_t kRoundTrip = 1, kChain = 2, kWideIndices = 4, kNarrowValues = 8, kUnchecked = 16;
constexpr std::uint8_t kStarve = 0x5A;
constexpr std::size_t kHeader = 9, kFewSymbols = 600, kMostSymbols = 4500, kMostRandomTables = 80;
enum Pattern { kConstant, kScattered, kRamp, kListed };
enum Family { kGaussian, kGgd, kOneTable, kRandomTables };

// Memory of exactly so many elements, so that the sanitizer sees any access outside.
template <typename T>
class Exact {
 public:
  explicit Exact(std::size_t size) : data_(new T[size]()), size_(size) {}
  template <typename Other>
  explicit Exact(const std::vector<Other>& from) : Exact(from.size()) {
    for (std::size_t i = 0; i < size_; ++i) data_[i] = static_cast<T>(from[i]);
  }
  T* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  bool operator==(const Exact& other) const {
    return size_ == other.size_ && (size_ == 0 || std::memcmp(data(), other.data(), size_ * sizeof(T)) == 0);
  }

 private:
  std::unique_ptr<T[]> data_;
  std::size_t size_;
};

struct Case {
  std::uint8_t flags = 0;
  bool starve = false;
  std::shared_ptr<const nvcodec::TableSet> tables;
  std::vector<std::uint16_t> indices;
  std::size_t threads = 1;
  std::uint32_t lanes_log2 = 0;
  std::uint64_t chunk_symbols = 0;
  std::vector<std::uint8_t> payload;
  std::vector<std::int32_t> values;  // of a round trip

  bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
};

// Reads an input; false if it is shorter than its header.
bool read_case(const std::uint8_t* data, std::size_t size, Case& out);

// Makes the n-th allocation from now fail with std::bad_alloc, on any thread; 0 stops that. Tells whether one has failed.
void fail_allocation(std::size_t n);
bool allocation_failed();

}  // namespace fuzz
