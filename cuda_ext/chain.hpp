// A chain: symbols, raw bits and escape codes in one rANS state, for payloads whose table indices become known in
// parts. bitstream/CODER.md, section 9, is normative.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "segment.hpp"

namespace nvcodec {

// Where a decoder stands in a chain. Points into the chain's bytes and does not own them.
struct ChainCursor {
  const std::uint8_t* word;  // the next one
  const std::uint8_t* end;
  std::uint32_t state;
};

// Throws std::invalid_argument for a value too far out for its table.
std::vector<std::uint8_t> encode_chain(const std::int32_t* values, const SegmentModel<std::uint16_t>& model);

// The start of a chain of `size` bytes. Throws CodingError.
ChainCursor open_chain(const std::uint8_t* data, std::size_t size);

// Writes model.symbols values, reads nothing outside the chain and allocates nothing. Throws CodingError, and then
// leaves the cursor where it was.
void decode_chain(ChainCursor& cursor, const SegmentModel<std::uint16_t>& model, std::int32_t* values);

// Throws CodingError unless the chain ends here.
void finish_chain(const ChainCursor& cursor);

}  // namespace nvcodec
