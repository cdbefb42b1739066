#include "lanes.hpp"

#include <algorithm>
#include <cstring>

#include "symbols.hpp"

namespace nvcodec {
namespace {

constexpr std::uint32_t kSlotMask = kProbabilityTotal - 1;
constexpr std::size_t kGroupBytes = 2 * kGroup;  // most that a group takes of the words
constexpr char kShort[] = "the words of a segment run out", kLong[] = "a segment has words left over";

// The readable form of both directions, for any number of lanes: symbols `first` up to but without `last`.
template <typename Index>
void encode_each(EncodeJob<Index>& job, std::size_t first, std::size_t last) {
  for (std::size_t i = last; i-- > first;) {
    const Table& table = job.model.tables[job.model.indices[i]];
    const std::uint32_t start = table.cumulative[job.symbols[i]];
    const std::uint32_t frequency = table.cumulative[job.symbols[i] + 1u] - start;
    std::uint32_t& state = job.states[i & (job.model.lanes - 1)];
    if (state >= frequency << (32 - kProbabilityBits)) {
      *--job.words = static_cast<std::uint16_t>(state);
      state >>= 16;
    }
    state = (state / frequency << kProbabilityBits) + state % frequency + start;
  }
}

template <typename Index>
void decode_each(DecodeJob<Index>& job, std::size_t first) {
  const std::uint8_t* const end = job.words + 2 * job.word_count;
  for (std::size_t i = first; i < job.model.symbols; ++i) {
    const Table& table = job.model.tables[job.model.indices[i]];
    std::uint32_t& state = job.states[i & (job.model.lanes - 1)];
    const std::uint32_t slot = state & kSlotMask, symbol = table.find(slot), start = table.cumulative[symbol];
    std::uint32_t next = (table.cumulative[symbol + 1] - start) * (state >> kProbabilityBits) + slot - start;
    if (next < kStateLow) {
      if (job.words == end) {
        job.damage = kShort;
        return;
      }
      next = next << 16 | load_le16(job.words);
      job.words += 2;
    }
    state = next;
    job.symbols[i] = static_cast<std::uint8_t>(symbol);
  }
  job.word_count = static_cast<std::uint64_t>(end - job.words) / 2;
  if (job.word_count != 0) job.damage = kLong;
}

// A table that a kernel can keep in registers, if all symbols have it and there is such a kernel.
template <typename Index>
const Table* one_table(const ChunkModel<Index>& model, bool has_kernel) {
  if (!has_kernel || model.range.first != model.range.last) return nullptr;
  const Table& table = model.tables[model.indices[0]];
  return table.escape < kMostOfOne ? &table : nullptr;
}

// Takes finished runs out of the first `count`; returns how many are left.
template <typename Run, typename Done>
std::size_t keep(Run* runs, std::size_t count, const Done& done) {
  return static_cast<std::size_t>(std::remove_if(runs, runs + count, done) - runs);
}

// A run with the job it belongs to, and zeros behind the last words so that a group can always be read.
template <typename Index>
struct Reading {
  DecodeRun run;
  DecodeJob<Index>* job;
  std::array<std::uint8_t, 2 * kGroupBytes> padded;
  const std::uint8_t* origin;  // of the padded copy
  bool is_padded;

  bool has_room() const { return static_cast<std::size_t>(run.end - run.words) >= kGroupBytes; }

  void pad() {
    const std::size_t left = static_cast<std::size_t>(run.end - run.words);
    padded.fill(0);
    if (left > 0) std::memcpy(padded.data(), run.words, left);
    origin = run.words;
    is_padded = true;
    run.words = padded.data();
    run.end = padded.data() + padded.size();
  }

  // Words taken so far, beyond the true end perhaps.
  std::uint64_t taken() const {
    const std::ptrdiff_t bytes = is_padded ? (origin - job->words) + (run.words - padded.data()) : run.words - job->words;
    return static_cast<std::uint64_t>(bytes) / 2;
  }
};

// Whole groups of 32, as many runs at a time as there are.
template <typename Index>
void decode_groups(Reading<Index>* readings, std::size_t count, const Kernels& kernels, const Table* one) {
  Reading<Index>* active[kSideBySide];
  for (std::size_t r = 0; r < count; ++r) active[r] = readings + r;
  for (;;) {
    for (std::size_t r = 0; r < count; ++r)
      if (!active[r]->has_room() && !active[r]->is_padded) active[r]->pad();
    count = keep(active, count, [](const Reading<Index>* each) { return each->run.groups == 0 || !each->has_room(); });
    if (count == 0) return;
    DecodeRun runs[kSideBySide];
    for (std::size_t r = 0; r < count; ++r) runs[r] = active[r]->run;
    if (one != nullptr) {
      kernels.decode_one(*one, runs, count);
    } else {
      of_width<Index>(kernels).decode(active[0]->job->model.tables.view(), runs, count);
    }
    for (std::size_t r = 0; r < count; ++r) active[r]->run = runs[r];
  }
}

template <typename Index>
void finish(const Reading<Index>& reading) {
  DecodeJob<Index>& job = *reading.job;
  const std::uint64_t taken = reading.taken();
  if (reading.run.groups != 0 || taken > job.word_count) {
    job.damage = kShort;
    return;
  }
  job.words += 2 * taken;
  job.word_count -= taken;
  decode_each(job, job.model.symbols / kGroup * kGroup);
}

template <typename Index>
struct Writing {
  EncodeRun run;
  EncodeJob<Index>* job;
};

// What comes last in a chunk, less than a group, and the place for what is before it. Fewer lanes are coded at once.
template <typename Index>
Writing<Index> begin(EncodeJob<Index>& job) {
  const std::size_t symbols = job.model.symbols, whole = job.model.lanes == kGroup ? symbols / kGroup * kGroup : 0;
  encode_each(job, whole, symbols);
  return {{job.states.data(), job.words, job.model.indices + whole, job.symbols + whole, whole / kGroup}, &job};
}

}  // namespace

template <>
const IndexKernels<std::uint8_t>& of_width(const Kernels& kernels) {
  return kernels.narrow;
}
template <>
const IndexKernels<std::uint16_t>& of_width(const Kernels& kernels) {
  return kernels.wide;
}

template <typename Index>
void decode_lanes(DecodeJob<Index>* jobs, std::size_t count, const Kernels& kernels) {
  if (jobs[0].model.lanes != kGroup) {
    for (std::size_t j = 0; j < count; ++j) decode_each(jobs[j], 0);
    return;
  }
  Reading<Index> readings[kSideBySide];
  for (std::size_t j = 0; j < count; ++j) {
    DecodeJob<Index>& job = jobs[j];
    readings[j].run = {job.states.data(), job.words, job.words + 2 * job.word_count, job.model.indices, job.symbols,
                       job.model.symbols / kGroup};
    readings[j].job = &job;
    readings[j].is_padded = false;
  }
  decode_groups(readings, count, kernels, one_table(jobs[0].model, kernels.decode_one != nullptr));
  for (std::size_t j = 0; j < count; ++j) finish(readings[j]);
}

template <typename Index>
void encode_lanes(EncodeJob<Index>* jobs, std::size_t count, const Kernels& kernels) {
  Writing<Index> left[kSideBySide];
  for (std::size_t j = 0; j < count; ++j) left[j] = begin(jobs[j]);
  const Table* one = one_table(jobs[0].model, kernels.encode_one != nullptr);
  const auto is_done = [](const Writing<Index>& each) { return each.run.groups == 0; };
  while ((count = keep(left, count, is_done)) > 0) {
    EncodeRun runs[kSideBySide];
    for (std::size_t r = 0; r < count; ++r) runs[r] = left[r].run;
    if (one != nullptr) {
      kernels.encode_one(*one, runs, count);
    } else {
      of_width<Index>(kernels).encode(jobs[0].model.tables.view(), runs, count);
    }
    for (std::size_t r = 0; r < count; ++r) {
      left[r].run = runs[r];
      left[r].job->words = runs[r].words;
    }
  }
}

template void encode_lanes(EncodeJob<std::uint8_t>*, std::size_t, const Kernels&);
template void encode_lanes(EncodeJob<std::uint16_t>*, std::size_t, const Kernels&);
template void decode_lanes(DecodeJob<std::uint8_t>*, std::size_t, const Kernels&);
template void decode_lanes(DecodeJob<std::uint16_t>*, std::size_t, const Kernels&);

}  // namespace nvcodec
