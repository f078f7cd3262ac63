// Dot products of the K-quants with two-bit pairs (Q2_K, Q3_K) on AVX-512 VNNI: one block a step.
// Layouts: codecs-k.h.
#if defined(__x86_64__)
#include <immintrin.h>

#include "avx512-codes.h"
#include "avx512.h"
#include "four-rows.h"

namespace hearth {
namespace {

// Codes of chunk j of a block as they lie, with few shifts, which compete with all that moves bytes:
// those of the upper half are four times the code.
inline __m512i codes_in_place(const uint8_t* weights, size_t j) {
  const __m512i bytes = _mm512_broadcast_i64x4(load_32(weights + Q3_K::kPairs + 32 * (j / 2)));
  const __m512i mask = _mm512_inserti64x4(_mm512_set1_epi8(3), _mm256_set1_epi8(12), 1);
  const __m512i code = _mm512_and_si512(j % 2 ? _mm512_srli_epi16(bytes, 4) : bytes, mask);
  const __m512i high = _mm512_broadcast_i64x4(load_32(weights));
  const __m512i bits = _mm512_inserti64x4(_mm512_set1_epi8(static_cast<char>(1u << (2 * j))),
                                          _mm256_set1_epi8(static_cast<char>(2u << (2 * j))), 1);
  const __m512i four = _mm512_inserti64x4(_mm512_set1_epi8(4), _mm256_set1_epi8(16), 1);
  return _mm512_mask_add_epi8(code, _mm512_test_epi8_mask(high, bits), code, four);
}

// Four sums of four lanes each per vector become one lane each: lane 4p + j of the result is the sum
// of lanes 4p … 4p + 3 of dot[j]. Sums of eight products fit 16 bits: 8 · 28 · 127.
inline __m512i sums_of_fours(const __m512i* dot) {
  const __m512i ones = _mm512_set1_epi16(1);
  const __m512i first = _mm512_madd_epi16(_mm512_packs_epi32(dot[0], dot[1]), ones);
  const __m512i second = _mm512_madd_epi16(_mm512_packs_epi32(dot[2], dot[3]), ones);
  return _mm512_madd_epi16(_mm512_packs_epi32(first, second), ones);
}

template <class Codec>
struct PairDot;

// Every lane sums one group, by the order of x in `quads`. Lane j of four has the bits 2j of its
// codes, which are multiplied where they lie, by 4^j.
template <>
struct PairDot<Q2_K> {
  using Format = Q2_K;
  static constexpr size_t kBytes = Q2_K::kBytes;
  using Sum = __m512;
  static Sum start() { return _mm512_setzero_ps(); }
  static float finish(Sum sum) { return _mm512_reduce_add_ps(sum); }

  template <int kStep>
  static __m512i product(__m512i dot, __m512i packed, const int8_t* q) {
    const __m512i mask = _mm512_broadcast_i32x4(
        _mm_setr_epi32(0x03030303, 0x0c0c0c0c, 0x30303030, static_cast<int>(0xc0c0c0c0)));
    const __m512i dword = _mm512_shuffle_epi32(packed, static_cast<_MM_PERM_ENUM>(kStep * 0x55));
    return _mm512_dpbusd_epi32(dot, _mm512_and_si512(dword, mask),
                               _mm512_loadu_si512(q + 64 * kStep));
  }

  // Scales and minima of the lanes' groups are nibbles of bytes 0-15. A table look-up uses the low
  // four bits of a lane, so they need no mask.
  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    const __m512i packed = _mm512_loadu_si512(weights + Q2_K::kPairs);
    const int8_t* q = x.quads + index * kKBlock;
    const __m512i none = _mm512_setzero_si512();
    const __m512i first = product<1>(product<0>(none, packed, q), packed, q);
    const __m512i dot = product<3>(product<2>(first, packed, q), packed, q);
    const __m512 value = _mm512_set_ps(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    constexpr __mmask64 kLowBytes = 0x1111111111111111;
    const __m512i own = _mm512_set_epi32(15, 13, 11, 9, 14, 12, 10, 8, 7, 5, 3, 1, 6, 4, 2, 0);
    const __m512i both =
        _mm512_maskz_shuffle_epi8(kLowBytes, _mm512_broadcast_i32x4(load_16(weights)), own);
    const __m128 d =
        _mm_cvtph_ps(_mm_cvtsi32_si128(static_cast<int>(load_u32(weights + Q2_K::kScales))));
    const __m512 scale =
        _mm512_permutexvar_ps(both, _mm512_mul_ps(_mm512_broadcastss_ps(d), value));
    const __m512 minimum =
        _mm512_permutexvar_ps(_mm512_srli_epi32(both, 4),
                              _mm512_mul_ps(_mm512_broadcastss_ps(_mm_movehdup_ps(d)), value));
    sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), _mm512_mul_ps(scale, spread_d(x, index)), sum);
    const __m512 d_sum = _mm512_permutexvar_ps(own, _mm512_loadu_ps(x.d_sum16 + 16 * index));
    sum = _mm512_fnmadd_ps(minimum, d_sum, sum);
  }

  // d of the groups, less what their codes are multiplied by.
  static __m512 spread_d(const Q8Row& x, size_t index) {
    const __m512i group = _mm512_set_epi32(7, 6, 5, 4, 7, 6, 5, 4, 3, 2, 1, 0, 3, 2, 1, 0);
    const __m512 unit = _mm512_broadcast_f32x4(_mm_setr_ps(1, 0.25f, 0.0625f, 0.015625f));
    const __m512 d = _mm512_castps256_ps512(_mm256_loadu_ps(x.d + 8 * index));
    return _mm512_mul_ps(_mm512_permutexvar_ps(group, d), unit);
  }
};

template <>
struct PairDot<Q3_K> {
  using Format = Q3_K;
  static constexpr size_t kBytes = Q3_K::kBytes;
  using Sum = __m512;
  static Sum start() { return _mm512_setzero_ps(); }
  static float finish(Sum sum) { return _mm512_reduce_add_ps(sum); }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    const int8_t* q = x.q + index * kKBlock;
    __m512i dot[4];
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; ++j) {
      dot[j] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), codes_in_place(weights, j),
                                   _mm512_loadu_si512(q + kChunk * j));
    }
    const __m512 scale = pair_scales(Q3_K{}, weights).scale;
    const __m512 d = _mm512_permutexvar_ps(
        _mm512_srli_epi32(across(), 1), _mm512_castps256_ps512(_mm256_loadu_ps(x.d + 8 * index)));
    const __m512 unit = _mm512_insertf32x8(_mm512_set1_ps(1), _mm256_set1_ps(0.25f), 1);
    const __m512 factor = _mm512_mul_ps(scale, _mm512_mul_ps(d, unit));
    sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums_of_fours(dot)), factor, sum);
    // The zero point times the scale is subtracted through d · Σ q of the groups.
    const __m512 d_sum = _mm512_permutexvar_ps(across(), _mm512_loadu_ps(x.d_sum16 + 16 * index));
    sum = _mm512_fnmadd_ps(scale, _mm512_mul_ps(d_sum, _mm512_set1_ps(Q3_K::kZero)), sum);
  }
};

template <class Codec>
void add(Kernels& kernels) {
  WeightKernels& of_type = weights_of(kernels, Codec::kType);
  of_type.gemv = four_row_gemv<PairDot<Codec>>;
  of_type.gather_dot = four_row_gather<PairDot<Codec>>;
}

}  // namespace

void avx512::add_dots_pairs(Kernels& kernels) {
  add<Q2_K>(kernels);
  add<Q3_K>(kernels);
}

}  // namespace hearth
#endif
