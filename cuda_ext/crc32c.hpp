// CRC32C (Castagnoli, RFC 3720 appendix B.4), the checksum of every chunk of an .nvc file.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nvcodec {

// Checksum of `size` bytes; pass the result of the bytes before as `value` to go on.
std::uint32_t crc32c(const std::uint8_t* data, std::size_t size, std::uint32_t value) noexcept;

}  // namespace nvcodec
