// Dot products of the formats with blocks of 32 (Q8_0, Q4_0, Q4_1, Q5_0, Q5_1) on AVX-512 VNNI and
// VBMI: four blocks a step. vpdpbusd multiplies u8 by s8: codes are u8, x is s8, and the zero point
// is subtracted once per lane, by the value from which the sum starts.
#if defined(__x86_64__)
#include <immintrin.h>

#include "few-tokens.h"

namespace hearth {
namespace {

// Lanes 4p … 4p + 3 of the result are value[p].
inline __m512 spread_four(const float* value) {
  const __m512i own = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
  return _mm512_permutevar_ps(_mm512_broadcast_f32x4(_mm_loadu_ps(value)), own);
}

// Sixteen f16 scales that belong to sixteen lanes.
inline __m512 scales_of(__m512i words) { return _mm512_cvtph_ps(_mm512_castsi512_si256(words)); }

// The dot product of each format; the last is that of any format with a minimum.
template <class Codec>
struct Q32Dot;

// Two blocks per register in the order of x; pairs of lanes are added so that one register has all
// four blocks.
template <>
struct Q32Dot<Q8_0> {
  using Format = Q8_0;
  static constexpr size_t kBytes = 4 * Q8_0::kBytes;
  using Sum = __m512;
  static Sum start() { return _mm512_setzero_ps(); }
  static float finish(Sum sum) { return _mm512_reduce_add_ps(sum); }

  static __m512i pair(const uint8_t* weights, const int8_t* q, const int32_t* start) {
    const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights + 2));
    const __m256i second = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights + 36));
    return dot(first, second, q, start);
  }

  // Of two blocks the first `blocks` are read; the others are zero.
  static __m512i part(const uint8_t* weights, size_t blocks, const int8_t* q,
                      const int32_t* start) {
    const __m256i first = _mm256_maskz_loadu_epi8(blocks > 0 ? ~0u : 0u, weights + 2);
    const __m256i second = _mm256_maskz_loadu_epi8(blocks > 1 ? ~0u : 0u, weights + 36);
    return dot(first, second, q, start);
  }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    const int8_t* q = x.q + index * kSuper;
    const int32_t* start = x.start128 + index * (kSuper / 4);
    add_dots(pair(weights, q, start), pair(weights + 68, q + 64, start + 16),
             _mm512_loadu_si512(weights), _mm512_loadu_si512(weights + 68), x.d + 4 * index, sum);
  }

  // A row of one to three blocks.
  static void add_short(const uint8_t* weights, size_t blocks, const Q8Row& x, Sum& sum) {
    const size_t after = blocks > 2 ? blocks - 2 : 0;
    // Scales are words 0 and 17 of each half.
    const __mmask32 scales = blocks > 1 ? 1u | 1u << 17 : 1u;
    add_dots(part(weights, blocks, x.q, x.start128),
             part(weights + 68, after, x.q + 64, x.start128 + 16),
             _mm512_maskz_loadu_epi16(scales, weights),
             _mm512_maskz_loadu_epi16(after > 0 ? 1u : 0u, weights + 68), x.d, sum);
  }

 private:
  static __m512i dot(__m256i first, __m256i second, const int8_t* q, const int32_t* start) {
    const __m512i code =
        _mm512_xor_si512(_mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1),
                         _mm512_set1_epi8(static_cast<char>(0x80)));
    return _mm512_dpbusd_epi32(_mm512_loadu_si512(start), code, _mm512_loadu_si512(q));
  }

  static void add_dots(__m512i first, __m512i second, __m512i words_first, __m512i words_second,
                       const float* x_scales, Sum& sum) {
    // 128-bit parts of the sum: blocks {0 0 2 2} twice, then {1 1 3 3} twice.
    const __m512i dots = _mm512_add_epi32(_mm512_unpacklo_epi64(first, second),
                                          _mm512_unpackhi_epi64(first, second));
    const __m512i pick = _mm512_castsi256_si512(
        _mm256_set_epi16(49, 49, 17, 17, 49, 49, 17, 17, 32, 32, 0, 0, 32, 32, 0, 0));
    const __m512i words = _mm512_permutex2var_epi16(words_first, pick, words_second);
    const __m512i own = _mm512_set_epi32(3, 3, 1, 1, 3, 3, 1, 1, 2, 2, 0, 0, 2, 2, 0, 0);
    const __m512 d = _mm512_permutevar_ps(_mm512_broadcast_f32x4(_mm_loadu_ps(x_scales)), own);
    sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots), _mm512_mul_ps(scales_of(words), d), sum);
  }
};

// Rows of a predictor's second matrix are often shorter than a step. With a padded copy each took
// 30 ns, most of it waiting for the copied bytes.
template <>
inline void add_short_row<Q32Dot<Q8_0>>(const uint8_t* weights, size_t bytes, const Q8Row& x,
                                        __m512& sum) {
  Q32Dot<Q8_0>::add_short(weights, bytes / Q8_0::kBytes, x, sum);
}

// Σ of four interleaved blocks: lanes 4b … 4b + 3 belong to block b.
inline __m512i dot_interleaved(__m512i start, __m512i low, __m512i high, const int8_t* q) {
  start = _mm512_dpbusd_epi32(start, low, _mm512_loadu_si512(q));
  return _mm512_dpbusd_epi32(start, high, _mm512_loadu_si512(q + 64));
}

inline __m512i low_nibbles(__m512i packed) {
  return _mm512_and_si512(packed, _mm512_set1_epi8(15));
}

inline __m512i high_nibbles(__m512i packed) { return low_nibbles(_mm512_srli_epi16(packed, 4)); }

// 72 bytes by two loads; bytes and scales are picked by two permutations.
template <>
struct Q32Dot<Q4_0> {
  using Format = Q4_0;
  static constexpr size_t kBytes = 4 * Q4_0::kBytes;
  using Sum = __m512;
  static Sum start() { return _mm512_setzero_ps(); }
  static float finish(Sum sum) { return _mm512_reduce_add_ps(sum); }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    // Byte 18 b + 2 + i of the step: of the first load if it is below 64, else of the load from 8.
    alignas(64) static constexpr uint8_t kNibbles[64] = {
        2,  3,  4,  5,  6,  7,  8,  9,  10,  11,  12,  13,  14,  15,  16,  17,
        20, 21, 22, 23, 24, 25, 26, 27, 28,  29,  30,  31,  32,  33,  34,  35,
        38, 39, 40, 41, 42, 43, 44, 45, 46,  47,  48,  49,  50,  51,  52,  53,
        56, 57, 58, 59, 60, 61, 62, 63, 120, 121, 122, 123, 124, 125, 126, 127};
    const __m512i head = _mm512_loadu_si512(weights);
    const __m512i tail = _mm512_loadu_si512(weights + 8);
    const __m512i packed = _mm512_permutex2var_epi8(head, _mm512_load_si512(kNibbles), tail);
    const __m512i dot =
        dot_interleaved(_mm512_loadu_si512(x.start8 + 16 * index), low_nibbles(packed),
                        high_nibbles(packed), x.interleaved + kSuper * index);
    const __m512i pick = _mm512_castsi256_si512(
        _mm256_set_epi16(27, 27, 27, 27, 18, 18, 18, 18, 9, 9, 9, 9, 0, 0, 0, 0));
    const __m512 scale = scales_of(_mm512_permutexvar_epi16(pick, head));
    sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot),
                          _mm512_mul_ps(scale, spread_four(x.d + 4 * index)), sum);
  }
};

// The sixteen bytes of nibbles of each of four blocks.
template <class Codec>
inline __m512i load_four_nibbles(const uint8_t* weights) {
  const uint8_t* p = weights + Codec::kNibbles;
  __m512i packed = _mm512_castsi128_si512(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  packed = _mm512_inserti32x4(
      packed, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + Codec::kBytes)), 1);
  packed = _mm512_inserti32x4(
      packed, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 2 * Codec::kBytes)), 2);
  return _mm512_inserti32x4(
      packed, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 3 * Codec::kBytes)), 3);
}

// One f16 of each of four blocks.
template <class Codec, size_t kOffset>
inline __m128 load_four_f16(const uint8_t* weights) {
  const uint8_t* p = weights + kOffset;
  return _mm_cvtph_ps(_mm_setr_epi16(
      static_cast<short>(load_u16(p)), static_cast<short>(load_u16(p + Codec::kBytes)),
      static_cast<short>(load_u16(p + 2 * Codec::kBytes)),
      static_cast<short>(load_u16(p + 3 * Codec::kBytes)), 0, 0, 0, 0));
}

inline __m512 spread_four(__m128 value) {
  const __m512i own = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
  return _mm512_permutexvar_ps(own, _mm512_castps128_ps512(value));
}

// Sets bit 4 of the codes whose bit is set in the blocks' u32: bits 0-15 belong to `low`, 16-31 to
// `high`.
template <class Codec>
inline void add_fifth_bits(const uint8_t* weights, __m512i& low, __m512i& high) {
  uint64_t low_bits = 0;
  uint64_t high_bits = 0;
  for (size_t b = 0; b < 4; ++b) {
    const uint64_t bits = load_u32(weights + b * Codec::kBytes + Codec::kHighBits);
    low_bits |= (bits & 0xffff) << (16 * b);
    high_bits |= (bits >> 16) << (16 * b);
  }
  const __m512i fifth = _mm512_set1_epi8(16);
  low = _mm512_mask_add_epi8(low, _cvtu64_mask64(low_bits), low, fifth);
  high = _mm512_mask_add_epi8(high, _cvtu64_mask64(high_bits), high, fifth);
}

// w = d (code − 16)
template <>
struct Q32Dot<Q5_0> {
  using Format = Q5_0;
  static constexpr size_t kBytes = 4 * Q5_0::kBytes;
  using Sum = __m512;
  static Sum start() { return _mm512_setzero_ps(); }
  static float finish(Sum sum) { return _mm512_reduce_add_ps(sum); }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    const __m512i packed = load_four_nibbles<Q5_0>(weights);
    __m512i low = low_nibbles(packed);
    __m512i high = high_nibbles(packed);
    add_fifth_bits<Q5_0>(weights, low, high);
    const __m512i start16 = _mm512_slli_epi32(_mm512_loadu_si512(x.start8 + 16 * index), 1);
    const __m512i dot = dot_interleaved(start16, low, high, x.interleaved + kSuper * index);
    const __m128 scale = _mm_mul_ps(load_four_f16<Q5_0, 0>(weights), _mm_loadu_ps(x.d + 4 * index));
    sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), spread_four(scale), sum);
  }
};

// The sums of formats with a minimum: Σ d d_x code·q and Σ m d_x Σq.
struct MinimumSum {
  __m512 dot;
  __m128 minimum;
};

// w = d · code + m, with four (Q4_1) or five (Q5_1) bits.
template <class Codec>
struct Q32Dot {
  using Format = Codec;
  static constexpr size_t kBytes = 4 * Codec::kBytes;
  static_assert(Codec::kHasMinimum, "formats with a zero point have dots of their own");
  using Sum = MinimumSum;
  static Sum start() { return {_mm512_setzero_ps(), _mm_setzero_ps()}; }
  static float finish(Sum sum) {
    return _mm512_reduce_add_ps(_mm512_add_ps(sum.dot, _mm512_zextps128_ps512(sum.minimum)));
  }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    const __m512i packed = load_four_nibbles<Codec>(weights);
    __m512i low = low_nibbles(packed);
    __m512i high = high_nibbles(packed);
    if constexpr (Codec::kBits == 5) add_fifth_bits<Codec>(weights, low, high);
    const __m512i dot =
        dot_interleaved(_mm512_setzero_si512(), low, high, x.interleaved + kSuper * index);
    const __m128 scale =
        _mm_mul_ps(load_four_f16<Codec, 0>(weights), _mm_loadu_ps(x.d + 4 * index));
    sum.dot = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), spread_four(scale), sum.dot);
    sum.minimum = _mm_fmadd_ps(load_four_f16<Codec, 2>(weights), _mm_loadu_ps(x.d_sum + 4 * index),
                               sum.minimum);
  }
};

// Rows of up to so many bytes (2048 columns) go in twos: 0.86 to 0.97 of the time of fours where
// memory is slow, 0.96 to 1.01 where it is fast. Rows of 4096 columns took 1.04 to 1.3 times as long
// (docs/measurements/experts.md).
constexpr size_t kTwoRowBytes = 2304;

void q8_0_gemv(const GemvTask& task) {
  if (task.w.row_bytes <= kTwoRowBytes) return two_row_gemv<Q32Dot<Q8_0>>(task);
  four_row_gemv<Q32Dot<Q8_0>>(task);
}

}  // namespace

void avx512::add_dots_32(Kernels& kernels) {
  add_dots<Q32Dot<Q8_0>>(kernels);
  weights_of(kernels, WeightType::kQ8_0).gemv = q8_0_gemv;
  add_dots<Q32Dot<Q4_0>>(kernels);
  add_dots<Q32Dot<Q4_1>>(kernels);
  add_dots<Q32Dot<Q5_0>>(kernels);
  add_dots<Q32Dot<Q5_1>>(kernels);
}

}  // namespace hearth
#endif
