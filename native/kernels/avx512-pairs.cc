// Dot products of the K-quants with two-bit pairs (Q2_K, Q3_K) on AVX-512 VNNI: one block a step.
// Layouts: codecs-k.h.
#if defined(__x86_64__)
#include <immintrin.h>

#include "avx512-codes.h"
#include "avx512.h"
#include "four-rows.h"

namespace hearth {
namespace {

// Bits 2 · quarter and 2 · quarter + 1 of 64 bytes are the elements 32 · quarter … of the first half
// of a block (low 32 bytes) and of its second half (high). Four lanes hold a group of 16: groups
// 2 · quarter, 2 · quarter + 1, and those plus 8.
template <class Codec>
struct PairDot {
  using Format = Codec;
  static constexpr size_t kBytes = Codec::kBytes;
  using Sum = __m512;
  static Sum start() { return _mm512_setzero_ps(); }
  static float finish(Sum sum) { return _mm512_reduce_add_ps(sum); }

  static __m512i halves(const int8_t* q) {
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q));
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q + 128));
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
  }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    const PairScales scales = pair_scales(Codec{}, weights);
    const __m512i twice = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
    const __m512 d =
        _mm512_permutexvar_ps(twice, _mm512_castps256_ps512(_mm256_loadu_ps(x.d + 8 * index)));
    const __m512 factor = _mm512_mul_ps(scales.scale, d);
    const __m512i packed = _mm512_loadu_si512(weights + Codec::kPairs);
    const int8_t* q = x.q + index * kKBlock;
    const __m512i own = _mm512_set_epi32(9, 9, 9, 9, 8, 8, 8, 8, 1, 1, 1, 1, 0, 0, 0, 0);
#pragma GCC unroll 4
    for (unsigned quarter = 0; quarter < 4; ++quarter) {
      __m512i code = _mm512_and_si512(_mm512_srli_epi16(packed, 2 * quarter), _mm512_set1_epi8(3));
      if constexpr (Codec::kBits == 3) {
        const __m512i high = _mm512_broadcast_i64x4(load_32(weights));
        code = third_bits(code, high, static_cast<uint8_t>(1u << quarter),
                          static_cast<uint8_t>(16u << quarter));
      }
      const __m512i dot =
          _mm512_dpbusd_epi32(_mm512_setzero_si512(), code, halves(q + 32 * quarter));
      const __m512i pick = _mm512_add_epi32(own, _mm512_set1_epi32(static_cast<int>(2 * quarter)));
      sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), _mm512_permutexvar_ps(pick, factor), sum);
    }
    // Minima, or the zero point times the scale, are subtracted through d · Σ q of the groups.
    sum = _mm512_fnmadd_ps(scales.minimum, _mm512_loadu_ps(x.d_sum16 + 16 * index), sum);
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
