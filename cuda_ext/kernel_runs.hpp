// Moves several runs of 32 lanes along together, for a coder of one group that is given. Internal linkage, as all kernels.
//
// A coder has a type `Lanes` with states in registers, `load` and `store` for them, `kStride`, the bytes of a group's
// indices (0 if it reads none), and `decode` or `encode` of a group, which return where the words go on.
#pragma once

#include "kernels.hpp"

namespace nvcodec {
namespace {

inline const std::uint8_t* bytes_of(const void* indices) { return static_cast<const std::uint8_t*>(indices); }

template <typename Run>
std::size_t fewest_groups(const Run* runs, std::size_t count) {
  std::size_t groups = runs[0].groups;
  for (std::size_t r = 1; r < count; ++r) groups = runs[r].groups < groups ? runs[r].groups : groups;
  return groups;
}

template <int kRuns, typename Coder>
void decode_runs(const Coder& coder, DecodeRun* runs, std::size_t groups) {
  typename Coder::Lanes x[kRuns];
  const std::uint8_t* words[kRuns];
  for (int r = 0; r < kRuns; ++r) x[r] = coder.load(runs[r].states), words[r] = runs[r].words;
  std::size_t done = 0;
  for (bool room = true; room && done < groups; ++done) {
    for (int r = 0; r < kRuns; ++r) {
      const void* indices = bytes_of(runs[r].indices) + Coder::kStride * done;
      words[r] = coder.decode(x[r], indices, runs[r].symbols + kGroup * done, words[r]);
      room &= static_cast<std::size_t>(runs[r].end - words[r]) >= 2 * kGroup;
    }
  }
  for (int r = 0; r < kRuns; ++r) {
    coder.store(runs[r].states, x[r]);
    runs[r] = {runs[r].states, words[r], runs[r].end, bytes_of(runs[r].indices) + Coder::kStride * done,
               runs[r].symbols + kGroup * done, runs[r].groups - done};
  }
}

template <int kRuns, typename Coder>
void encode_runs(const Coder& coder, EncodeRun* runs, std::size_t groups) {
  typename Coder::Lanes x[kRuns];
  std::uint16_t* words[kRuns];
  for (int r = 0; r < kRuns; ++r) x[r] = coder.load(runs[r].states), words[r] = runs[r].words;
  for (std::size_t g = 1; g <= groups; ++g)
    for (int r = 0; r < kRuns; ++r) {
      const void* indices = bytes_of(runs[r].indices) - Coder::kStride * g;
      words[r] = coder.encode(x[r], indices, runs[r].symbols - kGroup * g, words[r]);
    }
  for (int r = 0; r < kRuns; ++r) {
    coder.store(runs[r].states, x[r]);
    runs[r] = {runs[r].states, words[r], bytes_of(runs[r].indices) - Coder::kStride * groups,
               runs[r].symbols - kGroup * groups, runs[r].groups - groups};
  }
}

template <typename Coder>
void decode_with(const Coder& coder, DecodeRun* runs, std::size_t count) {
  for (std::size_t r = 0; r < count; ++r)
    if (static_cast<std::size_t>(runs[r].end - runs[r].words) < 2 * kGroup) return;
  const std::size_t groups = fewest_groups(runs, count);
  switch (count) {
    case 1: return decode_runs<1>(coder, runs, groups);
    case 2: return decode_runs<2>(coder, runs, groups);
    case 3: return decode_runs<3>(coder, runs, groups);
    default: return decode_runs<4>(coder, runs, groups);
  }
}

template <typename Coder>
void encode_with(const Coder& coder, EncodeRun* runs, std::size_t count) {
  const std::size_t groups = fewest_groups(runs, count);
  switch (count) {
    case 1: return encode_runs<1>(coder, runs, groups);
    case 2: return encode_runs<2>(coder, runs, groups);
    case 3: return encode_runs<3>(coder, runs, groups);
    default: return encode_runs<4>(coder, runs, groups);
  }
}

}  // namespace
}  // namespace nvcodec
