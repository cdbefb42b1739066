// 32 rANS lanes as two vectors of 16: what decoding and encoding do with states and words, whatever the tables.
#pragma once

#include <immintrin.h>

#include "kernels.hpp"

namespace nvcodec {
namespace {

constexpr int kSlotMask = static_cast<int>(kProbabilityTotal) - 1;

// States, symbol starts and the like of 32 lanes.
struct Pair {
  __m512i low, high;
};

inline __m512i load_indices(const std::uint8_t* p) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline __m512i load_indices(const std::uint16_t* p) {
  return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}

inline __m512i load_words(const std::uint8_t* p) {
  return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}

// x where it is at least 2^16, else x * 2^16 + the next word.
inline __m512i refill(__m512i x, __mmask16 small, const std::uint8_t* words) {
  return _mm512_mask_or_epi32(x, small, _mm512_slli_epi32(x, 16), _mm512_maskz_expand_epi32(small, load_words(words)));
}

inline const std::uint8_t* refill(Pair& x, const std::uint8_t* words) {
  const __m512i low = _mm512_set1_epi32(0x10000);
  const __mmask16 a = _mm512_cmplt_epu32_mask(x.low, low), b = _mm512_cmplt_epu32_mask(x.high, low);
  x.low = refill(x.low, a, words);
  words += 2 * _mm_popcnt_u32(a);
  x.high = refill(x.high, b, words);
  return words + 2 * _mm_popcnt_u32(b);
}

inline Pair load_states(const std::uint32_t* states) { return {_mm512_loadu_si512(states), _mm512_loadu_si512(states + 16)}; }

inline void store_states(std::uint32_t* states, const Pair& x) {
  _mm512_storeu_si512(states, x.low);
  _mm512_storeu_si512(states + 16, x.high);
}

// A state without its symbol, before its word.
inline __m512i step(__m512i x, __m512i slot, __m512i start, __m512i end) {
  const __m512i frequency = _mm512_sub_epi32(end, start);
  const __m512i product = _mm512_mullo_epi32(frequency, _mm512_srli_epi32(x, kProbabilityBits));
  return _mm512_add_epi32(product, _mm512_sub_epi32(slot, start));
}

inline void put_symbols(std::uint8_t* symbols, __m512i symbol) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(symbols), _mm512_cvtepi32_epi8(symbol));
}

// The words of 16 lanes that are full, in lane order, below `words`; returns where they begin.
inline std::uint16_t* emit(std::uint16_t* words, __m512i x, __mmask16 full) {
  const std::uint32_t count = static_cast<std::uint32_t>(_mm_popcnt_u32(full));
  words -= count;
  const __m256i packed = _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(full, x));
  _mm256_mask_storeu_epi16(words, static_cast<__mmask16>((1u << count) - 1u), packed);
  return words;
}

// x / frequency by floats, a little too small: exact or one below, which the remainder tells.
inline __m512i push(__m512i x, __m512i start, __m512i frequency) {
  const __m512 divisor = _mm512_cvtepi32_ps(frequency);
  const __m512 rough = _mm512_rcp14_ps(divisor);
  const __m512 error = _mm512_fnmadd_ps(divisor, rough, _mm512_set1_ps(1.9999990f));
  const __m512 reciprocal = _mm512_mul_ps(rough, error);
  const __m512i quotient = _mm512_cvttps_epi32(_mm512_mul_ps(_mm512_cvtepu32_ps(x), reciprocal));
  const __m512i rest = _mm512_sub_epi32(x, _mm512_mullo_epi32(quotient, frequency));
  const __m512i next = _mm512_add_epi32(_mm512_slli_epi32(quotient, kProbabilityBits), _mm512_add_epi32(rest, start));
  const __mmask16 below = _mm512_cmpge_epu32_mask(rest, frequency);
  const __m512i more = _mm512_sub_epi32(_mm512_set1_epi32(kProbabilityTotal), frequency);
  return _mm512_mask_add_epi32(next, below, next, more);
}

inline __mmask16 full(__m512i x, __m512i frequency) {
  return _mm512_cmpge_epu32_mask(x, _mm512_slli_epi32(frequency, 32 - kProbabilityBits));
}

inline __m512i shorten(__m512i x, __mmask16 full) { return _mm512_mask_srli_epi32(x, full, x, 16); }

// A group of symbols onto the states, given where each begins and ends.
inline std::uint16_t* encode_pair(Pair& x, const Pair& start, const Pair& end, std::uint16_t* words) {
  const __m512i low = _mm512_sub_epi32(end.low, start.low), high = _mm512_sub_epi32(end.high, start.high);
  const __mmask16 full_low = full(x.low, low), full_high = full(x.high, high);
  words = emit(emit(words, x.high, full_high), x.low, full_low);
  x = {push(shorten(x.low, full_low), start.low, low), push(shorten(x.high, full_high), start.high, high)};
  return words;
}

}  // namespace
}  // namespace nvcodec
