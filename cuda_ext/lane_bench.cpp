#include "lane_bench.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "lanes.hpp"
#include "rans.hpp"
#include "simd.hpp"

namespace nb = nanobind;

namespace nvcodec {
namespace {

template <typename T>
using Vector = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// Whole chunks of 32 lanes, a batch of kSideBySide after the other, in memory that is there already.
class LaneBench {
 public:
  LaneBench(Vector<std::uint8_t> symbols, Vector<std::uint8_t> indices, const TableSet& tables, std::size_t chunk_symbols,
            const std::string& simd)
      : tables_(tables), kernels_(kernels_of(simd)), chunk_(chunk_symbols), chunks_(chunk_ > 0 ? symbols.size() / chunk_ : 0),
        symbols_(symbols.data(), symbols.data() + symbols.size()), indices_(indices.data(), indices.data() + indices.size()),
        decoded_(symbols.size()), words_(new std::uint16_t[chunks_ * (chunk_ + kGroup)]()), jobs_() {
    if (chunks_ == 0 || chunk_ % kGroup != 0 || symbols.size() != indices.size())
      throw std::invalid_argument("chunks must be whole groups of 32 and at least one is needed");
    range_ = kernels_.narrow.range(indices_.data(), indices_.size());
    if (range_.last >= tables.size()) throw std::invalid_argument("a table index is out of range");
    for (std::size_t i = 0; i < symbols_.size(); ++i)
      if (symbols_[i] > tables[indices_[i]].escape) throw std::invalid_argument("a symbol is not of its table");
    encode();
  }

  void encode() {
    jobs_.clear();
    for (std::size_t k = 0; k < chunks_; ++k) {
      jobs_.push_back({model(k), symbols_.data() + k * chunk_, {}, words_end(k)});
      jobs_.back().states.fill(kStateLow);
    }
    for (std::size_t k = 0; k < chunks_; k += kSideBySide) encode_lanes(&jobs_[k], std::min(kSideBySide, chunks_ - k), kernels_);
  }

  void decode() {
    for (std::size_t first = 0; first < chunks_; first += kSideBySide) {
      const std::size_t count = std::min(kSideBySide, chunks_ - first);
      std::vector<DecodeJob<std::uint8_t>> batch;
      for (std::size_t k = first; k < first + count; ++k) {
        const std::uint16_t* words = jobs_[k].words;  // as a little-endian machine stores them
        batch.push_back({model(k), jobs_[k].states, reinterpret_cast<const std::uint8_t*>(words),
                         static_cast<std::uint64_t>(words_end(k) - words), decoded_.data() + k * chunk_});
      }
      decode_lanes(batch.data(), count, kernels_);
      for (const auto& job : batch)
        if (job.damage != nullptr) throw_damaged(job.damage);
    }
  }

  bool matches() const { return std::equal(decoded_.begin(), decoded_.begin() + static_cast<std::ptrdiff_t>(coded()), symbols_.begin()); }

  std::size_t coded() const { return chunks_ * chunk_; }

  // What words and final states hold; nothing is counted for where lanes start.
  double bits() const {
    double total = 0;
    for (std::size_t k = 0; k < chunks_; ++k) {
      total += 16.0 * static_cast<double>(words_end(k) - jobs_[k].words);
      for (const std::uint32_t state : jobs_[k].states) total += std::log2(static_cast<double>(state)) - 16;
    }
    return total;
  }

 private:
  ChunkModel<std::uint8_t> model(std::size_t k) const { return {tables_, indices_.data() + k * chunk_, chunk_, kMaxLanes, range_}; }
  std::uint16_t* words_end(std::size_t k) const { return words_.get() + (k + 1) * (chunk_ + kGroup); }

  const TableSet& tables_;
  const Kernels& kernels_;
  std::size_t chunk_, chunks_;
  std::vector<std::uint8_t> symbols_, indices_, decoded_;
  std::unique_ptr<std::uint16_t[]> words_;
  std::vector<EncodeJob<std::uint8_t>> jobs_;
  IndexRange range_{};
};

// Seconds that a fixed chain of products takes: longer than its best where something else has the core or its clock.
double clock_probe() {
  constexpr int kProducts = 100000;
  const auto begin = std::chrono::steady_clock::now();
  volatile std::uint64_t seed = 3;
  std::uint64_t value = seed;
  for (int i = 0; i < kProducts; ++i) value = value * value + 1;
  seed = value;
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

void bind_lane_bench(nb::module_& module) {
  nb::class_<LaneBench>(module, "LaneBench", "The rANS pass alone, over table symbols in memory that is there already.")
      .def(nb::init<Vector<std::uint8_t>, Vector<std::uint8_t>, const TableSet&, std::size_t, const std::string&>(),
           nb::arg("symbols").noconvert(), nb::arg("indices").noconvert(), nb::arg("tables"), nb::arg("chunk_symbols"),
           nb::arg("simd"), nb::keep_alive<1, 4>())
      .def("encode", &LaneBench::encode)
      .def("decode", &LaneBench::decode)
      .def("matches", &LaneBench::matches, "Whether the last decoding gave the symbols.")
      .def("coded", &LaneBench::coded, "Symbols in whole chunks.")
      .def("bits", &LaneBench::bits, "Bits in words and states, less what the states start with.");
  module.def("clock_probe", &clock_probe, "Seconds that a fixed chain of products takes now.");
}

}  // namespace nvcodec
