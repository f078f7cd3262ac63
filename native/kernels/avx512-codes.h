// Unpacks 64 weights in order, with AVX-512, to u8 codes as codecs.h has them: for the gemm and for
// rows as f32. Such a chunk is a quarter of a block of 256 or two blocks of 32.
// Internal to kernels/.
#pragma once

#include <immintrin.h>

#include "codecs.h"
#include "scales-x64.h"

namespace hearth {
namespace {

constexpr size_t kChunk = 64;

inline __m128i load_16(const uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

inline __m256i load_32(const uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

inline long long load_i64(const uint8_t* p) {
  long long value;
  std::memcpy(&value, p, sizeof value);
  return value;
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

// The values of a book plus 128: what its codes are.
inline __m128i book_codes(const int8_t* book) {
  const __m128i values = _mm_load_si128(reinterpret_cast<const __m128i*>(book));
  return _mm_xor_si128(values, _mm_set1_epi8(static_cast<char>(0x80)));
}

inline __m256i look_up_256(const int8_t* book, const uint8_t* packed) {
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(book_codes(book)), nibbles_256(packed));
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

inline __m256i block_codes(IQ4_NL, const uint8_t* b) { return look_up_256(IQ4_NL::kBook, b + 2); }
inline __m256i block_codes(MXFP4, const uint8_t* b) { return look_up_256(MXFP4::kBook, b + 1); }

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

// Two-bit codes: 32 bytes hold two chunks, the first in their bits 0-3.
inline __m512i pairs_of_chunk(const uint8_t* pairs, size_t part) {
  const __m512i bytes = _mm512_broadcast_i64x4(load_32(pairs + 32 * (part / 2)));
  const short shift = static_cast<short>(4 * (part % 2));
  const __m512i down = _mm512_inserti64x4(_mm512_set1_epi16(shift),
                                          _mm256_set1_epi16(static_cast<short>(shift + 2)), 1);
  return _mm512_and_si512(_mm512_srlv_epi16(bytes, down), _mm512_set1_epi8(3));
}

// Adds 4 to the codes of the low half where `high` has the bit `first` and to those of the upper
// half where it has the bit `second`.
inline __m512i third_bits(__m512i code, __m512i high, uint8_t first, uint8_t second) {
  const __m512i bits = _mm512_inserti64x4(_mm512_set1_epi8(static_cast<char>(first)),
                                          _mm256_set1_epi8(static_cast<char>(second)), 1);
  return _mm512_mask_add_epi8(code, _mm512_test_epi8_mask(high, bits), code, _mm512_set1_epi8(4));
}

inline __m512i chunk_codes(Q2_K, const uint8_t* b, size_t part) {
  return pairs_of_chunk(b + Q2_K::kPairs, part);
}

inline __m512i chunk_codes(Q3_K, const uint8_t* b, size_t part) {
  return third_bits(pairs_of_chunk(b + Q3_K::kPairs, part), _mm512_broadcast_i64x4(load_32(b)),
                    static_cast<uint8_t>(1u << (2 * part)), static_cast<uint8_t>(2u << (2 * part)));
}

inline __m512i chunk_codes(IQ4_XS, const uint8_t* b, size_t part) {
  const uint8_t* packed = b + IQ4_XS::kNibbles + 32 * part;
  return _mm512_inserti64x4(_mm512_castsi256_si512(look_up_256(IQ4_XS::kBook, packed)),
                            look_up_256(IQ4_XS::kBook, packed + 16), 1);
}

// Whether codes_64 and block_scales below know the type: all with blocks of 32, and the K-quants.
template <class Codec>
constexpr bool kHasChunks = Codec::kBlock == kGroup;
template <>
inline constexpr bool kHasChunks<Q2_K> = true;
template <>
inline constexpr bool kHasChunks<Q3_K> = true;
template <>
inline constexpr bool kHasChunks<Q4_K> = true;
template <>
inline constexpr bool kHasChunks<Q5_K> = true;
template <>
inline constexpr bool kHasChunks<Q6_K> = true;
template <>
inline constexpr bool kHasChunks<IQ4_XS> = true;

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

// Between lanes and the sixteen groups of a block, either way: lane 4p + j is that of group 4j + p.
inline __m512i across() {
  return _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
}

// Scales of the groups of a block of two-bit pairs, and its minima if it has some, across.
struct PairScales {
  __m512 scale;
  __m512 minimum;
};

// A table look-up uses the low four bits of a lane, so nibbles need no mask.
inline PairScales pair_scales(Q2_K, const uint8_t* b) {
  const __m512 value = _mm512_set_ps(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m128i order = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m512i both = _mm512_cvtepu8_epi32(_mm_shuffle_epi8(load_16(b), order));
  const __m128 d = _mm_cvtph_ps(_mm_cvtsi32_si128(static_cast<int>(load_u32(b + Q2_K::kScales))));
  const __m512 scale = _mm512_mul_ps(_mm512_broadcastss_ps(d), value);
  const __m512 minimum = _mm512_mul_ps(_mm512_broadcastss_ps(_mm_movehdup_ps(d)), value);
  return {_mm512_permutexvar_ps(both, scale),
          _mm512_permutexvar_ps(_mm512_srli_epi32(both, 4), minimum)};
}

// Each byte takes eight bits from any place of eight bytes: the scales' low four, then their high
// two at the place of bits 4 and 5. The eight bytes with the high bits begin two before them, as the
// block ends two behind.
inline PairScales pair_scales(Q3_K, const uint8_t* b) {
  const __m128i low_at = _mm_setr_epi8(0, 32, 4, 36, 8, 40, 12, 44, 16, 48, 20, 52, 24, 56, 28, 60);
  const __m128i high_at =
      _mm_setr_epi8(12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 42);
  const uint8_t* packed = b + Q3_K::kScales;
  const __m128i low = _mm_multishift_epi64_epi8(low_at, _mm_set1_epi64x(load_i64(packed)));
  const __m128i high = _mm_multishift_epi64_epi8(high_at, _mm_set1_epi64x(load_i64(packed + 6)));
  const __m128i six =
      _mm_or_si128(_mm_and_si128(low, _mm_set1_epi8(15)), _mm_and_si128(high, _mm_set1_epi8(0x30)));
  const __m512i centred = _mm512_cvtepi8_epi32(_mm_sub_epi8(six, _mm_set1_epi8(32)));
  const __m512 d = _mm512_set1_ps(_cvtsh_ss(load_u16(b + Q3_K::kD)));
  return {_mm512_mul_ps(_mm512_cvtepi32_ps(centred), d), _mm512_setzero_ps()};
}

// Scales and minima of one block, as Codec::unpack gives them.
template <class Codec>
void block_scales(const uint8_t* b, float* scale, float* minimum) {
  if constexpr (Codec::kBlock == 32) {
    scale[0] = _cvtsh_ss(load_u16(b));
    if constexpr (Codec::kHasMinimum) minimum[0] = -_cvtsh_ss(load_u16(b + 2));
  } else if constexpr (Codec::kSubGroup == kGroup) {
    unpack_k_scales(b, scale, minimum);
  } else {
    const __m512 values = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(load_16(b + 192)));
    _mm512_storeu_ps(scale, _mm512_mul_ps(values, _mm512_set1_ps(_cvtsh_ss(load_u16(b + 208)))));
  }
}

template <>
inline void block_scales<MXFP4>(const uint8_t* b, float* scale, float*) {
  scale[0] = half_of_e8m0(b[0]);
}

template <>
inline void block_scales<IQ4_XS>(const uint8_t* b, float* scale, float*) {
  _mm256_storeu_ps(scale, iq4_xs_scales(b));
}

template <>
inline void block_scales<Q2_K>(const uint8_t* b, float* scale, float* minimum) {
  const PairScales scales = pair_scales(Q2_K{}, b);
  _mm512_storeu_ps(scale, _mm512_permutexvar_ps(across(), scales.scale));
  _mm512_storeu_ps(minimum, _mm512_permutexvar_ps(across(), scales.minimum));
}

template <>
inline void block_scales<Q3_K>(const uint8_t* b, float* scale, float*) {
  _mm512_storeu_ps(scale, _mm512_permutexvar_ps(across(), pair_scales(Q3_K{}, b).scale));
}

}  // namespace
}  // namespace hearth
