// Dot products of the K-quants (blocks of 256) on AVX-512 VNNI: one block a step.
// Layouts: codecs.h.
#if defined(__x86_64__)
#include <immintrin.h>

#include "avx512.h"
#include "four-rows.h"
#include "k-scales.h"

namespace hearth {
namespace {

inline __m512i load_halves(const int8_t* first, const int8_t* second) {
  const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first));
  const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(second));
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

// Eight values in the low lanes and eight in the high ones.
inline __m512 join(const float* low, const float* high) {
  return _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(low)), _mm256_loadu_ps(high), 1);
}

// Groups 4h … 4h + 3 lie in 64 bytes: low nibbles are groups 0 and 2, high nibbles 1 and 3.
template <class Codec>
struct KDot {
  using Format = Codec;
  static constexpr size_t kBytes = Codec::kBytes;
  using Sum = __m512;
  static Sum start() { return _mm512_setzero_ps(); }
  static float finish(Sum sum) { return _mm512_reduce_add_ps(sum); }

  static __m512i add_fifth(__m512i code, __m512i high, uint8_t first, uint8_t second) {
    const __m512i bits = _mm512_inserti64x4(_mm512_set1_epi8(static_cast<char>(first)),
                                            _mm256_set1_epi8(static_cast<char>(second)), 1);
    return _mm512_mask_add_epi8(code, _mm512_test_epi8_mask(high, bits), code,
                                _mm512_set1_epi8(16));
  }

  // Lanes per 128-bit part: {0 0 1 1} twice, then {2 2 3 3} twice, of the four groups.
  static __m512i dot_half(const uint8_t* weights, const int8_t* q, size_t half) {
    const __m512i packed = _mm512_loadu_si512(weights + Codec::kNibbles + 64 * half);
    __m512i low = _mm512_and_si512(packed, _mm512_set1_epi8(15));
    __m512i high = _mm512_and_si512(_mm512_srli_epi16(packed, 4), _mm512_set1_epi8(15));
    if constexpr (Codec::kBits == 5) {
      const __m512i fifth = _mm512_broadcast_i64x4(
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights + Codec::kHighBits)));
      const unsigned shift = static_cast<unsigned>(4 * half);
      low = add_fifth(low, fifth, static_cast<uint8_t>(1u << shift),
                      static_cast<uint8_t>(4u << shift));
      high = add_fifth(high, fifth, static_cast<uint8_t>(2u << shift),
                       static_cast<uint8_t>(8u << shift));
    }
    const __m512i zero = _mm512_setzero_si512();
    const __m512i even = _mm512_dpbusd_epi32(zero, low, load_halves(q, q + 64));
    const __m512i odd = _mm512_dpbusd_epi32(zero, high, load_halves(q + 32, q + 96));
    return _mm512_add_epi32(_mm512_unpacklo_epi64(even, odd), _mm512_unpackhi_epi64(even, odd));
  }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    const __m128i head = _mm_loadu_si128(reinterpret_cast<const __m128i*>(weights));
    const __m512 whole = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(k_scale_bytes(head)));
    // d for the scales, that of the minima for those; then d and d · Σ q of x.
    const __m512i halves = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m512 d = _mm512_permutexvar_ps(halves, _mm512_castps128_ps512(_mm_cvtph_ps(head)));
    const __m512 factor =
        _mm512_mul_ps(_mm512_mul_ps(whole, d), join(x.d + 8 * index, x.d_sum + 8 * index));
    const int8_t* q = x.q + index * kKBlock;
    const __m512i own = _mm512_set_epi32(3, 3, 2, 2, 3, 3, 2, 2, 1, 1, 0, 0, 1, 1, 0, 0);
    for (size_t half = 0; half < 2; ++half) {
      const __m512i pick = _mm512_add_epi32(own, _mm512_set1_epi32(static_cast<int>(4 * half)));
      const __m512 dot = _mm512_cvtepi32_ps(dot_half(weights, q + 128 * half, half));
      sum = _mm512_fmadd_ps(dot, _mm512_permutexvar_ps(pick, factor), sum);
    }
    constexpr __mmask16 kMinima = 0xff00;
    sum = _mm512_mask_sub_ps(sum, kMinima, sum, factor);
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

template <class Codec>
void add(Kernels& kernels) {
  WeightKernels& of_type = weights_of(kernels, Codec::kType);
  of_type.gemv = four_row_gemv<KDot<Codec>>;
  of_type.gather_dot = four_row_gather<KDot<Codec>>;
}

}  // namespace

void avx512::add_dots_k(Kernels& kernels) {
  add<Q4_K>(kernels);
  add<Q5_K>(kernels);
  add<Q6_K>(kernels);
}

}  // namespace hearth
#endif
