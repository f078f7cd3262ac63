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
// of lanes 4p … 4p + 3 of dot[j]. Sums of eight products fit 16 bits: 8 · 7 · 127.
inline __m512i sums_of_fours(const __m512i* dot) {
  const __m512i ones = _mm512_set1_epi16(1);
  const __m512i first = _mm512_madd_epi16(_mm512_packs_epi32(dot[0], dot[1]), ones);
  const __m512i second = _mm512_madd_epi16(_mm512_packs_epi32(dot[2], dot[3]), ones);
  return _mm512_madd_epi16(_mm512_packs_epi32(first, second), ones);
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
      dot[j] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), chunk_codes(Codec{}, weights, j),
                                   _mm512_loadu_si512(q + kChunk * j));
    }
    const PairScales scales = pair_scales(Codec{}, weights);
    const __m512 d = _mm512_permutexvar_ps(
        _mm512_srli_epi32(across(), 1), _mm512_castps256_ps512(_mm256_loadu_ps(x.d + 8 * index)));
    sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums_of_fours(dot)), _mm512_mul_ps(scales.scale, d),
                          sum);
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
