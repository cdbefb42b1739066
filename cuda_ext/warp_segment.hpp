// Segments by warps, written once for every kind of device: which tasks run, and what travels between it and the host.
//
// A Device has Array<T> (with data()), array<T>(count) uninitialised, upload and download (of elements; download waits), zero, and
// run(task, warps). HostDevice is the emulation.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <vector>

#include "warp_encode.hpp"
#include "warp_join.hpp"
#include "warp_layout.hpp"
#include "warp_split.hpp"
#include "warp_tables.hpp"

namespace nvcodec::warp_coder {

// Runs warps one after the other, lanes in lock step.
class HostDevice {
 public:
  template <typename T>
  class Array {
   public:
    // Filled with what a device's memory may hold, so that nothing can come to rely on zeros.
    explicit Array(std::size_t count) : items_(new T[count]) { std::memset(static_cast<void*>(items_.get()), 0xA5, count * sizeof(T)); }
    T* data() const noexcept { return items_.get(); }

   private:
    std::unique_ptr<T[]> items_;
  };

  template <typename T>
  Array<T> array(std::size_t count) {
    return Array<T>(count);
  }
  template <typename T>
  void upload(T* to, const T* from, std::size_t count) {
    std::copy_n(from, count, to);
  }
  template <typename T>
  void download(T* to, const T* from, std::size_t count) {
    std::copy_n(from, count, to);
  }
  template <typename T>
  void zero(T* items, std::size_t count) {
    std::fill_n(items, count, T{});
  }
#ifndef __CUDACC__
  template <typename Task>
  void run(const Task& task, std::uint64_t warps) {
    for (std::uint64_t k = 0; k < warps; ++k) task.template run<HostWarp>(k);
  }
#endif
};

// Tables where the device reads them.
template <typename Device>
class DeviceTables {
 public:
  DeviceTables(Device& device, const WarpTables& tables)
      : buckets_(put(device, tables.buckets)),
        spans_(put(device, tables.spans)),
        traits_(put(device, tables.traits)),
        row_(tables.row),
        host_traits_(tables.traits) {}

  std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(host_traits_.size()); }
  // The tables first ... last.
  TableView view(std::uint32_t first, std::uint32_t last) const {
    std::uint32_t most_raw_bits = 0;
    for (std::uint32_t t = first; t <= last; ++t) most_raw_bits = std::max<std::uint32_t>(most_raw_bits, host_traits_[t] & 0xFFu);
    return {buckets_.data() + std::size_t{first} * kBuckets, spans_.data() + std::size_t{first} * row_, traits_.data() + first,
            row_, first, last - first + 1, most_raw_bits};
  }

 private:
  template <typename T>
  using Array = typename Device::template Array<T>;

  template <typename T>
  static Array<T> put(Device& device, const std::vector<T>& items) {
    Array<T> array = device.template array<T>(items.size());
    device.upload(array.data(), items.data(), items.size());
    return array;
  }

  Array<std::uint64_t> buckets_;
  Array<std::uint32_t> spans_;
  Array<std::uint16_t> traits_;
  std::uint32_t row_;
  std::vector<std::uint16_t> host_traits_;
};

struct Survey {
  Extent extent;
  std::vector<TailBits> bits;  // one a chunk
};

// Looks at all indices, and values unless null. Throws CodingError for an index outside the tables.
template <typename Device, typename Value, typename Index>
Survey survey(Device& device, const DeviceTables<Device>& tables, const Cut<Index>& cut, const Value* values, std::size_t chunks) {
  Survey found{{0xFFFF, 0, 0}, std::vector<TailBits>(chunks)};
  auto extent = device.template array<Extent>(1);
  auto bits = device.template array<TailBits>(chunks);
  device.upload(extent.data(), &found.extent, 1);
  device.zero(bits.data(), chunks);
  const Tiling tiling = Tiling::of(cut.chunk_symbols);
  const SurveyTask<Value, Index> task{tables.view(0, tables.size() - 1), cut, values, tiling, extent.data(), bits.data()};
  device.run(task, chunks * std::uint64_t{tiling.tiles});
  device.download(&found.extent, extent.data(), 1);
  device.download(found.bits.data(), bits.data(), chunks);
  check(found.extent, tables.size());
  return found;
}

template <typename Index>
std::size_t chunks_of(const Cut<Index>& cut) {
  return static_cast<std::size_t>((cut.symbols + cut.chunk_symbols - 1) / cut.chunk_symbols);
}

// Indices and values lie on the device. False if the scalar coder is needed, see chunk_symbols_of. Throws CodingError.
template <typename Device, typename Value, typename Index>
bool decode_segment(Device& device, const DeviceTables<Device>& tables, const std::uint8_t* data, std::size_t size,
                    const Index* indices, std::uint64_t symbols, Value* values) {
  const std::uint64_t chunk_symbols = chunk_symbols_of(data, size, symbols);
  if (chunk_symbols == 0) return false;
  const Cut<Index> cut{indices, symbols, static_cast<std::uint32_t>(chunk_symbols)};
  const Survey known = survey<Device, Value>(device, tables, cut, nullptr, chunks_of(cut));
  const Layout layout = read_layout(data, size, known.bits);
  const std::size_t bytes = size - layout.body, words = (bytes + kSlack + 3) / 4, chunks = layout.places.size();
  auto body = device.template array<std::uint32_t>(words);
  auto places = device.template array<ChunkPlace>(chunks);
  auto statuses = device.template array<Status>(chunks);
  device.upload(reinterpret_cast<std::uint8_t*>(body.data()), data + layout.body, bytes);
  device.upload(places.data(), layout.places.data(), chunks);
  const DecodeTask<Value, Index> task{
      tables.view(known.extent.least, known.extent.most), cut, values, body.data(), static_cast<std::uint32_t>(words),
      static_cast<std::uint32_t>(kLanes * layout.chunks), places.data(), statuses.data()};
  device.run(task, chunks);
  std::vector<Status> outcome(chunks);
  device.download(outcome.data(), statuses.data(), chunks);
  check(outcome, layout);
  return true;
}

// The parts of a coded segment on the device. Everything before the tails is one run: states, then words.
template <typename Device>
struct CodedSegment {
  typename Device::template Array<std::uint32_t> front, tails;
  std::vector<std::uint32_t> word_counts;
  std::vector<ChunkPlace> places;

  std::vector<std::uint8_t> bytes(Device& device, std::uint64_t chunk_symbols) const {
    std::vector<std::uint8_t> out = header_of(places, word_counts, chunk_symbols);
    std::uint64_t front_bytes = 4 * kLanes * places.size();
    for (const std::uint32_t count : word_counts) front_bytes += 2 * std::uint64_t{count};
    const std::size_t head = out.size(), tail_bytes = stored_bytes(places);
    out.resize(head + front_bytes + tail_bytes);
    device.download(out.data() + head, reinterpret_cast<const std::uint8_t*>(front.data()), front_bytes);
    device.download(out.data() + head + front_bytes, reinterpret_cast<const std::uint8_t*>(tails.data()), tail_bytes);
    return out;
  }
};

template <typename Device, typename Value, typename Index>
CodedSegment<Device> encode_chunks(Device& device, const TableView& tables, const Cut<Index>& cut, const Value* values,
                                   std::vector<ChunkPlace> tail_places) {
  const std::size_t chunks = tail_places.size(), state_words = kLanes * chunks, tail_words = stored_bytes(tail_places) / 4 + 2;
  CodedSegment<Device> coded{device.template array<std::uint32_t>(state_words + (cut.symbols + 1) / 2),
                             device.template array<std::uint32_t>(tail_words), std::vector<std::uint32_t>(chunks),
                             std::move(tail_places)};
  auto places = device.template array<ChunkPlace>(chunks);
  auto seeds = device.template array<std::uint32_t>(kSeedWords * chunks);
  auto words = device.template array<std::uint16_t>(cut.symbols);
  auto word_counts = device.template array<std::uint32_t>(chunks);
  auto word_firsts = device.template array<std::uint64_t>(chunks);
  device.upload(places.data(), coded.places.data(), chunks);
  device.zero(seeds.data(), kSeedWords * chunks);
  device.zero(coded.tails.data(), tail_words);
  const Tiling tiling = Tiling::of(cut.chunk_symbols);
  auto* const run_of_all = reinterpret_cast<std::uint16_t*>(coded.front.data() + state_words);
  device.run(SplitTask<Value, Index>{tables, cut, values, places.data(), seeds.data(), coded.tails.data()}, chunks);
  device.run(EncodeTask<Value, Index>{tables, cut, values, seeds.data(), coded.front.data(), words.data(), word_counts.data()}, chunks);
  device.run(PlaceTask{word_counts.data(), word_firsts.data(), static_cast<std::uint32_t>(chunks)}, 1);
  device.run(PackTask<Index>{cut, tiling, words.data(), word_counts.data(), word_firsts.data(), run_of_all},
             chunks * std::uint64_t{tiling.tiles});
  device.download(coded.word_counts.data(), word_counts.data(), chunks);
  return coded;
}

// The bytes that the scalar coder writes for 32 lanes; chunk_symbols is a positive multiple of 32, or 0 for a single chunk.
// Throws CodingError for an index outside the tables, std::invalid_argument for what cannot be coded.
template <typename Device, typename Value, typename Index>
std::vector<std::uint8_t> encode_segment(Device& device, const DeviceTables<Device>& tables, const Value* values,
                                         const Index* indices, std::uint64_t symbols, std::uint64_t chunk_symbols) {
  if (chunk_symbols % kLanes != 0) throw std::invalid_argument("chunk_symbols must be a multiple of 32");
  if (symbols == 0) return {};
  if (chunk_symbols == 0 || chunk_symbols > symbols) chunk_symbols = symbols;
  if (chunk_symbols > kMostSymbols) throw std::invalid_argument("a chunk of more than 2^26 symbols is not for the warp coder");
  const Cut<Index> cut{indices, symbols, static_cast<std::uint32_t>(chunk_symbols)};
  const Survey known = survey(device, tables, cut, values, chunks_of(cut));
  if (known.extent.is_too_far != 0) throw std::invalid_argument("a symbol is too far out for its table");
  const TableView view = tables.view(known.extent.least, known.extent.most);
  return encode_chunks(device, view, cut, values, place_tails(known.bits)).bytes(device, chunk_symbols);
}

}  // namespace nvcodec::warp_coder
