// Dot products of the K-quants (blocks of 256) on AVX-512 VNNI: one block a step.
// Layouts: codecs.h.
#if defined(__x86_64__)
#include <immintrin.h>

#include "few-tokens.h"
#include "k-scales.h"

namespace hearth {
namespace {

// The sums of formats with minima: Σ d d_x code·q, two lanes for each group, and Σ m d_x Σq.
struct KSum {
  __m512 dot;
  __m256 minimum;
};

// Groups 2k lie in the low nibbles of 32 bytes, groups 2k + 1 in their high nibbles. Part k of a
// register (128 bits) is made to hold half of the k-th of these: the products of a group's halves
// fall into the same four lanes, and those of even and odd groups are added together.
template <class Codec>
struct KDot {
  using Format = Codec;
  static constexpr size_t kBytes = Codec::kBytes;
  using Sum = KSum;
  static Sum start() { return {_mm512_setzero_ps(), _mm256_setzero_ps()}; }
  static float finish(Sum sum) {
    return _mm512_reduce_add_ps(_mm512_sub_ps(sum.dot, _mm512_zextps256_ps512(sum.minimum)));
  }

  // Parts 0 and 2 of both, and parts 1 and 3 of both.
  static __m512i even_parts(__m512i low, __m512i high) {
    return _mm512_shuffle_i32x4(low, high, 0x88);
  }
  static __m512i odd_parts(__m512i low, __m512i high) {
    return _mm512_shuffle_i32x4(low, high, 0xdd);
  }

  // Adds 16 to the codes of part k where sixteen bytes have bit 2k, or bit 2k + 1.
  static __m512i add_fifth(__m512i code, const uint8_t* high, bool is_odd) {
    const __m512i even_bits =
        _mm512_set_epi32(0x40404040, 0x40404040, 0x40404040, 0x40404040, 0x10101010, 0x10101010,
                         0x10101010, 0x10101010, 0x04040404, 0x04040404, 0x04040404, 0x04040404,
                         0x01010101, 0x01010101, 0x01010101, 0x01010101);
    const __m512i bits = is_odd ? _mm512_add_epi8(even_bits, even_bits) : even_bits;
    const __m512i bytes =
        _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(high)));
    return _mm512_mask_add_epi8(code, _mm512_test_epi8_mask(bytes, bits), code,
                                _mm512_set1_epi8(16));
  }

  // Codes of even groups from half of their elements.
  static __m512i even_codes(__m512i packed, const uint8_t* high) {
    const __m512i code = _mm512_and_si512(packed, _mm512_set1_epi8(15));
    return Codec::kBits == 5 ? add_fifth(code, high, false) : code;
  }
  // Of odd groups; those of four bits stay 16-fold, which spares a shift.
  static __m512i odd_codes(__m512i packed, const uint8_t* high) {
    const __m512i nibble = _mm512_set1_epi8(15);
    if constexpr (Codec::kBits == 4) return _mm512_andnot_si512(nibble, packed);
    return add_fifth(_mm512_and_si512(_mm512_srli_epi16(packed, 4), nibble), high, true);
  }

  // Lanes 2g and 2g + 1: the dot product of group g, 16-fold where its codes are.
  static __m512i dots(const uint8_t* weights, const int8_t* interleaved) {
    const __m512i head = _mm512_loadu_si512(weights + Codec::kNibbles);
    const __m512i tail = _mm512_loadu_si512(weights + Codec::kNibbles + 64);
    const __m512i first = even_parts(head, tail);
    const __m512i second = odd_parts(head, tail);
    // x: elements 0-15 of groups 0-3, elements 16-31 of them, then those of groups 4-7.
    const __m512i x_first = _mm512_loadu_si512(interleaved);
    const __m512i x_second = _mm512_loadu_si512(interleaved + 64);
    const __m512i x_first_high = _mm512_loadu_si512(interleaved + kSuper);
    const __m512i x_second_high = _mm512_loadu_si512(interleaved + kSuper + 64);
    const uint8_t* high = weights + 16;
    __m512i even = _mm512_dpbusd_epi32(_mm512_setzero_si512(), even_codes(first, high),
                                       even_parts(x_first, x_first_high));
    even = _mm512_dpbusd_epi32(even, even_codes(second, high + 16),
                               even_parts(x_second, x_second_high));
    __m512i odd = _mm512_dpbusd_epi32(_mm512_setzero_si512(), odd_codes(first, high),
                                      odd_parts(x_first, x_first_high));
    odd =
        _mm512_dpbusd_epi32(odd, odd_codes(second, high + 16), odd_parts(x_second, x_second_high));
    return _mm512_add_epi32(_mm512_unpacklo_epi64(even, odd), _mm512_unpackhi_epi64(even, odd));
  }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    const __m128i head = _mm_loadu_si128(reinterpret_cast<const __m128i*>(weights));
    const __m128i bytes = k_scale_bytes(head);
    const __m128 d = _mm_cvtph_ps(head);
    constexpr float kOdd = Codec::kBits == 4 ? 1.0f / 16 : 1.0f;
    const __m256 x_d = _mm256_mul_ps(_mm256_loadu_ps(x.d + 8 * index),
                                     _mm256_setr_ps(1, kOdd, 1, kOdd, 1, kOdd, 1, kOdd));
    const __m256 scale = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
    const __m256 factor = _mm256_mul_ps(_mm256_mul_ps(scale, x_d), _mm256_broadcastss_ps(d));
    const __m512i own = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
    const __m512 dot = _mm512_cvtepi32_ps(dots(weights, x.interleaved + index * kKBlock));
    sum.dot =
        _mm512_fmadd_ps(dot, _mm512_permutexvar_ps(own, _mm512_castps256_ps512(factor)), sum.dot);
    const __m256 minimum =
        _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_unpackhi_epi64(bytes, bytes)));
    sum.minimum = _mm256_fmadd_ps(_mm256_mul_ps(minimum, _mm256_loadu_ps(x.d_sum + 8 * index)),
                                  _mm256_broadcastss_ps(_mm_movehdup_ps(d)), sum.minimum);
  }
};

// Four lanes hold one group of 16; the zero point 32 is subtracted through d · Σ q of the group.
template <>
struct KDot<Q6_K> {
  using Format = Q6_K;
  static constexpr size_t kBytes = Q6_K::kBytes;
  using Sum = __m512;
  static Sum start() { return _mm512_setzero_ps(); }
  static float finish(Sum sum) { return _mm512_reduce_add_ps(sum); }

  static __m512 dot(__m512i code, const int8_t* q) {
    return _mm512_cvtepi32_ps(
        _mm512_dpbusd_epi32(_mm512_setzero_si512(), code, _mm512_loadu_si512(q)));
  }

  // 128 elements: low nibbles are the first 64, high nibbles the last; their bits 4-5 lie in 32
  // bytes, two per part.
  static void add_half(const uint8_t* weights, const int8_t* q, size_t half, __m512 factor,
                       Sum& sum) {
    const __m512i packed = _mm512_loadu_si512(weights + 64 * half);
    const __m512i top = _mm512_broadcast_i64x4(
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights + 128 + 32 * half)));
    const __m512i up = _mm512_inserti64x4(_mm512_set1_epi16(4), _mm256_set1_epi16(2), 1);
    const __m512i down = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi16(2), 1);
    const __m512i nibble = _mm512_set1_epi8(15);
    const __m512i pair = _mm512_set1_epi8(0x30);
    const __m512i low = _mm512_or_si512(_mm512_and_si512(packed, nibble),
                                        _mm512_and_si512(_mm512_sllv_epi16(top, up), pair));
    const __m512i high = _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi16(packed, 4), nibble),
                                         _mm512_and_si512(_mm512_srlv_epi16(top, down), pair));
    const __m512i own = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    const __m512i first = _mm512_add_epi32(own, _mm512_set1_epi32(static_cast<int>(8 * half)));
    const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(4));
    sum = _mm512_fmadd_ps(dot(low, q), _mm512_permutexvar_ps(first, factor), sum);
    sum = _mm512_fmadd_ps(dot(high, q + 64), _mm512_permutexvar_ps(second, factor), sum);
  }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(weights + 192));
    const __m512 scale = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes)),
                                       _mm512_set1_ps(_cvtsh_ss(load_u16(weights + 208))));
    const __m512i twice = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
    const __m512 d =
        _mm512_permutexvar_ps(twice, _mm512_castps256_ps512(_mm256_loadu_ps(x.d + 8 * index)));
    const __m512 factor = _mm512_mul_ps(scale, d);
    add_half(weights, x.q + index * kKBlock, 0, factor, sum);
    add_half(weights, x.q + index * kKBlock + 128, 1, factor, sum);
    const __m512 zero = _mm512_mul_ps(scale, _mm512_set1_ps(32));
    sum = _mm512_fnmadd_ps(zero, _mm512_loadu_ps(x.d_sum16 + 16 * index), sum);
  }
};

}  // namespace

void avx512::add_dots_k(Kernels& kernels) {
  add_dots<KDot<Q4_K>>(kernels);
  add_dots<KDot<Q5_K>>(kernels);
  add_dots<KDot<Q6_K>>(kernels);
}

}  // namespace hearth
#endif
