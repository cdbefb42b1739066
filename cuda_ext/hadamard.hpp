// Sum of absolute Hadamard coefficients of a difference of two squares: nearer to what coding it takes than the sum of
// absolute differences, and on the same scale where the difference is noise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace nvcodec {

// Of 8x8 samples, over 8: the slow twin. Sums stay within 64 * 255.
inline int transformed_cell_slow(const std::uint8_t* a, std::ptrdiff_t a_stride, const std::uint8_t* b,
                                 std::ptrdiff_t b_stride) {
  int rows[8][8];
  for (int y = 0; y < 8; ++y)
    for (int x = 0; x < 8; ++x) rows[y][x] = a[y * a_stride + x] - b[y * b_stride + x];
  for (int pass = 0; pass < 2; ++pass)
    for (int line = 0; line < 8; ++line)
      for (int half = 1; half < 8; half *= 2)
        for (int k = 0; k < 8; ++k) {
          if (k & half) continue;
          int& low = pass ? rows[line][k] : rows[k][line];
          int& high = pass ? rows[line][k + half] : rows[k + half][line];
          const int sum = low + high;
          high = low - high;
          low = sum;
        }
  int total = 0;
  for (const auto& row : rows)
    for (const int value : row) total += std::abs(value);
  return (total + 4) >> 3;
}

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector) && __has_builtin(__builtin_convertvector)
#define NVCODEC_VECTORS 1
#endif
#endif

#ifdef NVCODEC_VECTORS
namespace hadamard {

typedef std::int16_t Row __attribute__((vector_size(16)));
typedef std::uint8_t Samples __attribute__((vector_size(8)));
typedef std::int32_t Wide __attribute__((vector_size(32)));

inline Row load(const std::uint8_t* from) {
  Samples samples;
  __builtin_memcpy(&samples, from, sizeof samples);
  return __builtin_convertvector(samples, Row);
}

inline void butterflies(Row (&rows)[8]) {
  for (int half = 1; half < 8; half *= 2)
    for (int k = 0; k < 8; ++k) {
      if (k & half) continue;
      const Row sum = rows[k] + rows[k + half];
      rows[k + half] = rows[k] - rows[k + half];
      rows[k] = sum;
    }
}

inline void transpose(Row (&rows)[8]) {
  Row mixed[8];
  for (int pass = 0; pass < 3; ++pass) {  // each interleaves rows k and k + 4
    for (int k = 0; k < 4; ++k) {
      mixed[2 * k] = __builtin_shufflevector(rows[k], rows[k + 4], 0, 8, 1, 9, 2, 10, 3, 11);
      mixed[2 * k + 1] = __builtin_shufflevector(rows[k], rows[k + 4], 4, 12, 5, 13, 6, 14, 7, 15);
    }
    for (int k = 0; k < 8; ++k) rows[k] = mixed[k];
  }
}

}  // namespace hadamard

inline int transformed_cell(const std::uint8_t* a, std::ptrdiff_t a_stride, const std::uint8_t* b,
                            std::ptrdiff_t b_stride) {
  hadamard::Row rows[8];
  for (int y = 0; y < 8; ++y) rows[y] = hadamard::load(a + y * a_stride) - hadamard::load(b + y * b_stride);
  hadamard::butterflies(rows);
  hadamard::transpose(rows);
  hadamard::butterflies(rows);
  hadamard::Wide total{};
  for (const hadamard::Row& row : rows) total += __builtin_convertvector(row < 0 ? -row : row, hadamard::Wide);
  int sum = 0;
  for (int k = 0; k < 8; ++k) sum += total[k];
  return (sum + 4) >> 3;
}
#else
inline int transformed_cell(const std::uint8_t* a, std::ptrdiff_t a_stride, const std::uint8_t* b,
                            std::ptrdiff_t b_stride) {
  return transformed_cell_slow(a, a_stride, b, b_stride);
}
#endif

// Of a square of 8 or 16 samples.
template <int Side>
inline int transformed_difference(const std::uint8_t* a, std::ptrdiff_t a_stride, const std::uint8_t* b,
                                  std::ptrdiff_t b_stride) {
  int sum = 0;
  for (int y = 0; y < Side; y += 8)
    for (int x = 0; x < Side; x += 8)
      sum += transformed_cell(a + y * a_stride + x, a_stride, b + y * b_stride + x, b_stride);
  return sum;
}

}  // namespace nvcodec
