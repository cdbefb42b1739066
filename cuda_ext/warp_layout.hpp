// Header and index of a segment of 32 lanes, on the host. bitstream/CODER.md, section 3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "warp_args.hpp"
#include "warp_survey.hpp"

namespace nvcodec::warp_coder {

// Symbols of a chunk if the segment is one for warps; 0 for other lanes, for what is impossible from its first bytes on, and
// for sizes beyond kMostSymbols. The scalar coder takes those and says what is wrong with them.
std::uint64_t chunk_symbols_of(const std::uint8_t* data, std::size_t size, std::uint64_t symbols);

struct Layout {
  std::size_t body;    // where states begin
  std::size_t chunks;  // that there should be
  std::vector<ChunkPlace> places;  // those of which all is there
  bool has_more;       // bytes behind the last tail
};

// Of a segment that chunk_symbols_of takes, whose tails have so many raw bits. Throws CodingError.
Layout read_layout(const std::uint8_t* data, std::size_t size, const std::vector<TailBits>& bits);

// Throws CodingError for the first chunk that is damaged, or for chunks that are missing or bytes too many.
void check(const std::vector<Status>& statuses, const Layout& layout);

// Throws CodingError for an index outside the tables.
void check(const Extent& extent, std::uint32_t tables);

// Places of tails that are to be written one behind the other; words have none yet.
std::vector<ChunkPlace> place_tails(const std::vector<TailBits>& bits);

// Bytes of the tails that are stored, by the last place.
std::uint64_t stored_bytes(const std::vector<ChunkPlace>& places);

// What stands before the states.
std::vector<std::uint8_t> header_of(const std::vector<ChunkPlace>& places, const std::vector<std::uint32_t>& word_counts,
                                    std::uint64_t chunk_symbols);

}  // namespace nvcodec::warp_coder
