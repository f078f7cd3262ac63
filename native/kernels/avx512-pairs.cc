// Dot products of the K-quants with two-bit pairs (Q2_K, Q3_K) on AVX-512 VNNI: one block a step.
// Layouts: codecs-k.h.
#if defined(__x86_64__)
#include <immintrin.h>

#include "avx512-codes.h"
#include "avx512.h"
#include "four-rows.h"

namespace hearth {
namespace {

// Four sums of four lanes each per vector become one lane each: lane 4p + j of the result is the sum
// of lanes 4p … 4p + 3 of dot[j]. Sums of eight products fit 16 bits: 8 · 28 · 127.
inline __m512i sums_of_fours(const __m512i* dot) {
  const __m512i ones = _mm512_set1_epi16(1);
  const __m512i first = _mm512_madd_epi16(_mm512_packs_epi32(dot[0], dot[1]), ones);
  const __m512i second = _mm512_madd_epi16(_mm512_packs_epi32(dot[2], dot[3]), ones);
  return _mm512_madd_epi16(_mm512_packs_epi32(first, second), ones);
}

// Codes of chunk j of a block as they lie, with few shifts, which compete with all that moves bytes:
// those of the upper half are four times the code. In a cache, on a core of its own: Q2_K 2.5 ns for
// 256 weights against 3.3.
inline __m512i codes_in_place(Q2_K, const uint8_t* weights, size_t j) {
  const __m512i bytes = _mm512_broadcast_i64x4(load_32(weights + Q2_K::kPairs + 32 * (j / 2)));
  const __m512i mask = _mm512_inserti64x4(_mm512_set1_epi8(3), _mm256_set1_epi8(12), 1);
  return _mm512_and_si512(j % 2 ? _mm512_srli_epi16(bytes, 4) : bytes, mask);
}

inline __m512i codes_in_place(Q3_K, const uint8_t* weights, size_t j) {
  const __m512i code = codes_in_place(Q2_K{}, weights + Q3_K::kPairs - Q2_K::kPairs, j);
  const __m512i high = _mm512_broadcast_i64x4(load_32(weights));
  const __m512i bits = _mm512_inserti64x4(_mm512_set1_epi8(static_cast<char>(1u << (2 * j))),
                                          _mm256_set1_epi8(static_cast<char>(2u << (2 * j))), 1);
  const __m512i four = _mm512_inserti64x4(_mm512_set1_epi8(4), _mm256_set1_epi8(16), 1);
  return _mm512_mask_add_epi8(code, _mm512_test_epi8_mask(high, bits), code, four);
}

template <class Codec>
struct PairDot {
  using Format = Codec;
  static constexpr size_t kBytes = Codec::kBytes;
  using Sum = __m512;
  static Sum start() { return _mm512_setzero_ps(); }
  static float finish(Sum sum) { return _mm512_reduce_add_ps(sum); }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    const int8_t* q = x.q + index * kKBlock;
    __m512i dot[4];
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; ++j) {
      dot[j] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), codes_in_place(Codec{}, weights, j),
                                   _mm512_loadu_si512(q + kChunk * j));
    }
    const PairScales scales = pair_scales(Codec{}, weights);
    const __m512 d = _mm512_permutexvar_ps(
        _mm512_srli_epi32(across(), 1), _mm512_castps256_ps512(_mm256_loadu_ps(x.d + 8 * index)));
    const __m512 unit = _mm512_insertf32x8(_mm512_set1_ps(1), _mm256_set1_ps(0.25f), 1);
    const __m512 factor = _mm512_mul_ps(scales.scale, _mm512_mul_ps(d, unit));
    sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums_of_fours(dot)), factor, sum);
    // Minima, or the zero point times the scale, are subtracted through d · Σ q of the groups.
    const __m512 d_sum = _mm512_permutexvar_ps(across(), _mm512_loadu_ps(x.d_sum16 + 16 * index));
    if constexpr (Codec::kHasMinimum) {
      sum = _mm512_fnmadd_ps(scales.minimum, d_sum, sum);
    } else {
      const __m512 zero = _mm512_mul_ps(d_sum, _mm512_set1_ps(Codec::kZero));
      sum = _mm512_fnmadd_ps(scales.scale, zero, sum);
    }
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
  // 96 MiB with 4096 columns, one thread: 12.5 GB/s against 10.2 in fours. Q3_K: 13.4 against 15.2.
  weights_of(kernels, WeightType::kQ2_K).gemv = one_row_gemv<PairDot<Q2_K>>;
}

}  // namespace hearth
#endif
