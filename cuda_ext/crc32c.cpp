#include "crc32c.hpp"

#include <array>

namespace nvcodec {
namespace {

using Table = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr std::uint32_t kReflectedPolynomial = 0x82F63B78u;

// table[k][b]: the effect of byte b followed by k zero bytes, so that eight bytes are taken at once.
Table make_table() {
  Table table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1u) ? kReflectedPolynomial : 0u);
    table[0][byte] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k)
    for (std::size_t byte = 0; byte < 256; ++byte)
      table[k][byte] = (table[k - 1][byte] >> 8) ^ table[0][table[k - 1][byte] & 0xFFu];
  return table;
}

const Table kTable = make_table();

std::uint32_t load_le32(const std::uint8_t* p) noexcept {
  return static_cast<std::uint32_t>(p[0]) | static_cast<std::uint32_t>(p[1]) << 8 |
         static_cast<std::uint32_t>(p[2]) << 16 | static_cast<std::uint32_t>(p[3]) << 24;
}

}  // namespace

std::uint32_t crc32c(const std::uint8_t* data, std::size_t size, std::uint32_t value) noexcept {
  std::uint32_t crc = ~value;
  for (; size >= 8; data += 8, size -= 8) {
    const std::uint32_t low = crc ^ load_le32(data);
    const std::uint32_t high = load_le32(data + 4);
    crc = kTable[7][low & 0xFFu] ^ kTable[6][low >> 8 & 0xFFu] ^ kTable[5][low >> 16 & 0xFFu] ^ kTable[4][low >> 24] ^
          kTable[3][high & 0xFFu] ^ kTable[2][high >> 8 & 0xFFu] ^ kTable[1][high >> 16 & 0xFFu] ^ kTable[0][high >> 24];
  }
  for (; size > 0; ++data, --size) crc = (crc >> 8) ^ kTable[0][(crc ^ *data) & 0xFFu];
  return ~crc;
}

}  // namespace nvcodec
