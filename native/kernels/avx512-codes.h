// Unpacks 64 weights in order, with AVX-512, to u8 codes as codecs.h has them: for the gemm and for
// rows as f32. Such a chunk is a quarter of a block of 256 or two blocks of 32.
// Internal to kernels/.
#pragma once

#include <immintrin.h>

#include "codecs.h"

namespace hearth {
namespace {

constexpr size_t kChunk = 64;

inline __m128i load_16(const uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

inline __m256i load_32(const uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

inline __m256i nibbles_256(const uint8_t* packed) {
  const __m128i bytes = load_16(packed);
  const __m256i both =
      _mm256_inserti128_si256(_mm256_castsi128_si256(bytes), _mm_srli_epi16(bytes, 4), 1);
  return _mm256_and_si256(both, _mm256_set1_epi8(15));
}

inline __m256i fifth_bits_256(__m256i code, const uint8_t* bits) {
  return _mm256_mask_add_epi8(code, _cvtu32_mask32(load_u32(bits)), code, _mm256_set1_epi8(16));
}

// Codes of one block of 32.
inline __m256i block_codes(Q8_0, const uint8_t* b) {
  return _mm256_xor_si256(load_32(b + 2), _mm256_set1_epi8(static_cast<char>(0x80)));
}
inline __m256i block_codes(Q4_0, const uint8_t* b) { return nibbles_256(b + 2); }
inline __m256i block_codes(Q4_1, const uint8_t* b) { return nibbles_256(b + 4); }
inline __m256i block_codes(Q5_0, const uint8_t* b) {
  return fifth_bits_256(nibbles_256(b + 6), b + 2);
}
inline __m256i block_codes(Q5_1, const uint8_t* b) {
  return fifth_bits_256(nibbles_256(b + 8), b + 4);
}

// Codes of chunk `part` (0 … 3) of a block of 256.
inline __m512i nibbles_of_chunk(const uint8_t* packed) {
  const __m256i bytes = load_32(packed);
  const __m512i both =
      _mm512_inserti64x4(_mm512_castsi256_si512(bytes), _mm256_srli_epi16(bytes, 4), 1);
  return _mm512_and_si512(both, _mm512_set1_epi8(15));
}

inline __m512i chunk_codes(Q4_K, const uint8_t* b, size_t part) {
  return nibbles_of_chunk(b + 16 + 32 * part);
}

inline __m512i chunk_codes(Q5_K, const uint8_t* b, size_t part) {
  const __m512i high = _mm512_broadcast_i64x4(load_32(b + 16));
  const char first = static_cast<char>(1u << (2 * part));
  const char second = static_cast<char>(2u << (2 * part));
  const __m512i bits = _mm512_inserti64x4(_mm512_set1_epi8(first), _mm256_set1_epi8(second), 1);
  const __m512i code = nibbles_of_chunk(b + 48 + 32 * part);
  return _mm512_mask_add_epi8(code, _mm512_test_epi8_mask(high, bits), code, _mm512_set1_epi8(16));
}

// Chunks 0 and 2 are the low nibbles of 64 bytes, chunks 1 and 3 the high nibbles. Bits 4-5 of the
// codes of group j (of 32) are bits 2j and 2j + 1 of 32 further bytes.
inline __m512i chunk_codes(Q6_K, const uint8_t* b, size_t part) {
  const __m512i bytes = _mm512_loadu_si512(b + 64 * (part / 2));
  const __m512i nibble = _mm512_set1_epi8(15);
  const __m512i low = _mm512_and_si512(part % 2 ? _mm512_srli_epi16(bytes, 4) : bytes, nibble);
  const __m512i top = _mm512_broadcast_i64x4(load_32(b + 128 + 32 * (part / 2)));
  const short shift = static_cast<short>(4 * (part % 2));
  const __m512i down = _mm512_inserti64x4(_mm512_set1_epi16(shift),
                                          _mm256_set1_epi16(static_cast<short>(shift + 2)), 1);
  const __m512i pair = _mm512_and_si512(_mm512_srlv_epi16(top, down), _mm512_set1_epi8(3));
  return _mm512_or_si512(low, _mm512_slli_epi16(pair, 4));
}

// 64 codes from column 64 · chunk on. Not `both`: only 32 columns are left, and the upper half is
// the zero point.
template <class Codec>
__m512i codes_64(const uint8_t* row, size_t chunk, bool both) {
  if constexpr (Codec::kBlock == kKBlock) {
    (void)both;
    return chunk_codes(Codec{}, row + chunk / 4 * Codec::kBytes, chunk % 4);
  } else {
    const uint8_t* b = row + 2 * chunk * Codec::kBytes;
    const __m256i none = _mm256_set1_epi8(static_cast<char>(Codec::kZero));
    const __m256i second = both ? block_codes(Codec{}, b + Codec::kBytes) : none;
    return _mm512_inserti64x4(_mm512_castsi256_si512(block_codes(Codec{}, b)), second, 1);
  }
}

// Scales and minima of one block, as Codec::unpack gives them.
template <class Codec>
void block_scales(const uint8_t* b, float* scale, float* minimum) {
  if constexpr (Codec::kBlock == 32) {
    scale[0] = _cvtsh_ss(load_u16(b));
    if constexpr (Codec::kHasMinimum) minimum[0] = -_cvtsh_ss(load_u16(b + 2));
  } else if constexpr (Codec::kHasMinimum) {
    unpack_k_scales(b, scale, minimum);
  } else {
    const __m512 values = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(load_16(b + 192)));
    _mm512_storeu_ps(scale, _mm512_mul_ps(values, _mm512_set1_ps(_cvtsh_ss(load_u16(b + 208)))));
  }
}

}  // namespace
}  // namespace hearth
