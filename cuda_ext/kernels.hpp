// The inner loops of the coder, in one version for each instruction set; all of them give the same symbols and bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "coder_tables.hpp"

namespace nvcodec {

constexpr std::size_t kGroup = 32;      // symbols that 32 lanes take in a row
constexpr std::size_t kSideBySide = 4;  // runs that one call moves along together
constexpr std::size_t kBlock = 4096;    // most symbols of one call that splits or joins values

// 32 lanes on their way through a chunk. Kernels move the pointers on and count `groups` down.
struct DecodeRun {
  std::uint32_t* states;  // 32
  const std::uint8_t* words;
  const std::uint8_t* end;  // of what may be read
  const void* indices;      // table of each symbol, of the width that the kernel is for
  std::uint8_t* symbols;
  std::size_t groups;  // whole groups that are left
};

struct EncodeRun {
  std::uint32_t* states;
  std::uint16_t* words;  // the word written last; there is room for `groups * 32` and 32 more below
  const void* indices;   // behind those of the last group
  const std::uint8_t* symbols;
  std::size_t groups;
};

// Bits read or written at a place; eight bytes behind the last one may be touched.
struct BitRun {
  std::uint8_t* data;
  std::uint64_t position;
};

// The lowest and the highest table index of a segment.
struct IndexRange {
  std::uint32_t first, last;
};

// What is left of values when their table symbols are known, and the other way round. At most kBlock symbols a call.
// `escaped` takes the numbers of those whose symbol is the escape (their values come without the excess), and how many
// there are is returned. `fits` becomes false if a value does not fit its type.
template <typename Value, typename Index>
using Split = std::size_t (*)(const TableView&, IndexRange, const Value* values, const Index* indices, std::size_t count,
                              std::uint8_t* symbols, BitRun& raw, std::uint16_t* escaped);
template <typename Value, typename Index>
using Join = std::size_t (*)(const TableView&, IndexRange, const std::uint8_t* symbols, const Index* indices, std::size_t count,
                             Value* values, BitRun& raw, std::uint16_t* escaped, bool& fits);

// For table indices of one width.
template <typename Index>
struct IndexKernels {
  // Until a run has no group left, or less than a group may take (64 bytes) to read. 1 to kSideBySide runs.
  void (*decode)(const TableView&, DecodeRun* runs, std::size_t count);
  // Until a run has no group left.
  void (*encode)(const TableView&, EncodeRun* runs, std::size_t count);
  Split<std::int16_t, Index> split16;
  Split<std::int32_t, Index> split32;
  Join<std::int16_t, Index> join16;
  Join<std::int32_t, Index> join32;
  std::uint64_t (*raw_bits)(const TableView&, IndexRange, const Index* indices, std::size_t count);
  IndexRange (*range)(const Index* indices, std::size_t count);  // count >= 1
};

struct Kernels {
  const char* name;
  IndexKernels<std::uint8_t> narrow;
  IndexKernels<std::uint16_t> wide;
  // As decode and encode, where all symbols have one table of at most 64 symbols; null if there is no such kernel.
  void (*decode_one)(const Table&, DecodeRun* runs, std::size_t count);
  void (*encode_one)(const Table&, EncodeRun* runs, std::size_t count);
};

constexpr std::uint32_t kMostOfOne = 64;  // symbols of a table that decode_one and encode_one take

extern const Kernels kScalarKernels;
#ifdef NVCODEC_X86
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#endif

}  // namespace nvcodec
