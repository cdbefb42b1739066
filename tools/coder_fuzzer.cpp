// The coder under a fuzzer: what one input does. Every instruction set must give what the scalar one gives, what decodes
// must be what the encoder writes, and a failed allocation must come out as std::bad_alloc. tools/fuzz_coder.sh builds it.
#include <cstdio>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>

#include "chain.hpp"
#include "coder_case.hpp"
#include "rans.hpp"
#include "segment.hpp"
#include "simd.hpp"

namespace {

using fuzz::Case;
using fuzz::Exact;
using nvcodec::CodingError;
using nvcodec::Effort;
using nvcodec::SegmentModel;

[[noreturn]] void fail(const char* message) {
  std::fprintf(stderr, "%s\n", message);
  std::abort();
}

// What a call gives: an array, or the words of its error.
template <typename T>
struct Outcome {
  Exact<T> data{0};
  std::string error;
  bool operator==(const Outcome& other) const { return error == other.error && data == other.data; }
};

template <typename T, typename Call>
Outcome<T> outcome_of(const Call& call) {
  try {
    return {call(), ""};
  } catch (const CodingError& error) {
    return {Exact<T>(0), std::to_string(static_cast<int>(error.kind)) + " " + error.what()};
  } catch (const std::invalid_argument& error) {
    return {Exact<T>(0), error.what()};
  }
}

// Lets the first allocation of a call fail, then a later one and so on until none is left to fail. Late ones are alike
// and slow to reach: not every one is tried.
template <typename T, typename Call>
void starve(const Outcome<T>& expected, const Call& call) {
  bool failed = true;
  for (std::size_t n = 1; failed; n += 1 + n / 16) {
    bool alike = true;
    fuzz::fail_allocation(n);
    try {
      alike = call() == expected;
    } catch (const std::bad_alloc&) {
    }
    fuzz::fail_allocation(0);
    failed = fuzz::allocation_failed();
    if (!alike) fail("without memory the outcome is another one");
  }
}

const std::vector<std::string>& names() {
  static const std::vector<std::string> all = nvcodec::simd_names();
  return all;
}

template <typename T, typename Call>
Outcome<T> same_everywhere(const Case& each, const Call& call) {
  Outcome<T> expected = call(Effort{nvcodec::kernels_of("scalar"), 1});
  for (const std::string& name : names())
    if (name != "scalar" && !(call(Effort{nvcodec::kernels_of(name), 1}) == expected)) fail("two instruction sets differ");
  const Effort most{nvcodec::kernels_of("auto"), each.threads};
  if (each.threads > 1 && !(call(most) == expected)) fail("threads change the outcome");
  if (each.starve) starve(expected, [&] { return call(most); });
  return expected;
}

template <typename Index>
SegmentModel<Index> checked(const Case& each, const Exact<Index>& indices, const Effort& effort) {
  SegmentModel<Index> model{*each.tables, indices.data(), indices.size()};
  nvcodec::check_indices(model, effort.kernels);
  return model;
}

template <typename Value, typename Index>
Outcome<std::uint8_t> encode(const Case& each, const Exact<Index>& indices, const Exact<Value>& values,
                             std::uint32_t lanes_log2, std::uint64_t chunk_symbols) {
  return same_everywhere<std::uint8_t>(each, [&](const Effort& effort) {
    return outcome_of<std::uint8_t>([&] {
      const SegmentModel<Index> model = checked(each, indices, effort);
      const nvcodec::EncodedSegment segment = nvcodec::encode_segment(values.data(), model, lanes_log2, chunk_symbols, effort);
      Exact<std::uint8_t> bytes(segment.size());
      segment.write(bytes.data());
      return bytes;
    });
  });
}

template <typename Value, typename Index>
Outcome<Value> decode(const Case& each, const Exact<Index>& indices, const Exact<std::uint8_t>& data) {
  return same_everywhere<Value>(each, [&](const Effort& effort) {
    return outcome_of<Value>([&] {
      const SegmentModel<Index> model = checked(each, indices, effort);
      Exact<Value> values(indices.size());
      nvcodec::decode_segment(data.data(), data.size(), model, values.data(), effort);
      return values;
    });
  });
}

// The chunk size that a segment which decodes names, 0 for a single chunk.
std::uint64_t chunk_size(const Exact<std::uint8_t>& data) {
  if (data.size() == 0 || (data.data()[0] & 8u) == 0) return 0;
  std::uint64_t units = 0;
  for (std::size_t i = 1; i < data.size() && i < 6; ++i) {
    units |= static_cast<std::uint64_t>(data.data()[i] & 0x7Fu) << (7 * (i - 1));
    if ((data.data()[i] & 0x80u) == 0) break;
  }
  return 32 * units;
}

template <typename Value, typename Index>
void try_segment(const Case& each) {
  const Exact<Index> indices(each.indices);
  if (each.has(fuzz::kRoundTrip)) {
    const Exact<Value> values(each.values);
    const Outcome<std::uint8_t> coded = encode(each, indices, values, each.lanes_log2, each.chunk_symbols);
    if (coded.error.empty() && !(decode<Value>(each, indices, coded.data) == Outcome<Value>{Exact<Value>(each.values), ""}))
      fail("a segment did not come back");
    return;
  }
  const Exact<std::uint8_t> data(each.payload);
  const Outcome<Value> decoded = decode<Value>(each, indices, data);
  if (!decoded.error.empty()) return;
  const std::uint32_t lanes_log2 = data.size() > 0 ? data.data()[0] & 7u : 0u;
  const Outcome<std::uint8_t> again = encode(each, indices, decoded.data, lanes_log2, chunk_size(data));
  if (!again.error.empty() || !(again.data == data)) fail("a segment has two forms");
}

using Chain = SegmentModel<std::uint16_t>;

Outcome<std::uint8_t> encode_chain(const Case& each, const Exact<std::uint16_t>& indices, const Exact<std::int32_t>& values) {
  return same_everywhere<std::uint8_t>(each, [&](const Effort& effort) {
    return outcome_of<std::uint8_t>(
        [&] { return Exact<std::uint8_t>(nvcodec::encode_chain(values.data(), checked(each, indices, effort))); });
  });
}

// In parts of `part` symbols.
Outcome<std::int32_t> decode_chain(const Case& each, const Exact<std::uint16_t>& indices, const Exact<std::uint8_t>& data,
                                   std::size_t part) {
  return same_everywhere<std::int32_t>(each, [&](const Effort& effort) {
    return outcome_of<std::int32_t>([&] {
      const Chain model = checked(each, indices, effort);
      Exact<std::int32_t> values(indices.size());
      nvcodec::ChainCursor cursor = nvcodec::open_chain(data.data(), data.size());
      for (std::size_t done = 0; done < model.symbols; done += part) {
        const std::size_t count = model.symbols - done < part ? model.symbols - done : part;
        nvcodec::decode_chain(cursor, {model.tables, model.indices + done, count, model.range}, values.data() + done);
      }
      nvcodec::finish_chain(cursor);
      return values;
    });
  });
}

void try_chain(const Case& each) {
  const Exact<std::uint16_t> indices(each.indices);
  const Outcome<std::uint8_t> data = each.has(fuzz::kRoundTrip)
                                         ? encode_chain(each, indices, Exact<std::int32_t>(each.values))
                                         : Outcome<std::uint8_t>{Exact<std::uint8_t>(each.payload), ""};
  if (!data.error.empty()) return;
  const Outcome<std::int32_t> decoded = decode_chain(each, indices, data.data, indices.size() + 1);
  if (!(decode_chain(each, indices, data.data, 1 + each.chunk_symbols / 8) == decoded)) fail("parts change a chain");
  if (each.has(fuzz::kRoundTrip) && !(decoded == Outcome<std::int32_t>{Exact<std::int32_t>(each.values), ""}))
    fail("a chain did not come back");
  if (decoded.error.empty() && !(encode_chain(each, indices, decoded.data) == data)) fail("a chain has two forms");
}

void starve_tables(const std::uint8_t* data, std::size_t size) {
  starve(Outcome<std::uint8_t>(), [&] {
    Case again;
    fuzz::read_case(data, size, again);
    return Outcome<std::uint8_t>();
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Case each;
  if (!fuzz::read_case(data, size, each)) return 0;
  if (each.starve) starve_tables(data, size);
  const bool wide = each.has(fuzz::kWideIndices);
  if (each.has(fuzz::kChain)) {
    try_chain(each);
  } else if (each.has(fuzz::kNarrowValues)) {
    for (std::int32_t& value : each.values) value = static_cast<std::int16_t>(value);
    wide ? try_segment<std::int16_t, std::uint16_t>(each) : try_segment<std::int16_t, std::uint8_t>(each);
  } else {
    wide ? try_segment<std::int32_t, std::uint16_t>(each) : try_segment<std::int32_t, std::uint8_t>(each);
  }
  return 0;
}
