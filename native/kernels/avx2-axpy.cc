// axpy over rows of Q8_0 and Q4_0 on AVX2: the types of transposed down projections. The other
// types use generic-weights.h (docs/decisions/0004-transposed-down.md).
#if defined(__x86_64__)
#include "avx2-codes.h"
#include "avx2.h"

namespace hearth {
namespace {

// The weights of a block less their zero point: eight in order in the low half of each register.
inline void quarters(Q8_0, const uint8_t* block, __m128i* w) {
  for (size_t k = 0; k < 4; ++k) {
    w[k] = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(block + 2 + 8 * k));
  }
}

inline void quarters(Q4_0, const uint8_t* block, __m128i* w) {
  const __m128i packed = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + 2));
  const __m128i nibble = _mm_set1_epi8(15);
  const __m128i zero = _mm_set1_epi8(Q4_0::kZero);
  w[0] = _mm_sub_epi8(_mm_and_si128(packed, nibble), zero);
  w[1] = _mm_srli_si128(w[0], 8);
  w[2] = _mm_sub_epi8(_mm_and_si128(_mm_srli_epi16(packed, 4), nibble), zero);
  w[3] = _mm_srli_si128(w[2], 8);
}

// y += Σ c[r] · row[r] over kRows rows in one pass over y; the rows next[r] follow.
template <class Codec, size_t kRows>
void axpy_rows(const uint8_t* const* row, const uint8_t* const* next, const float* coefficient,
               Range columns, float* y) {
  for (size_t c = columns.begin; c < columns.end; c += Codec::kBlock) {
    const size_t at = c / Codec::kBlock * Codec::kBytes;
    __m256 sum[4];
    for (size_t k = 0; k < 4; ++k) sum[k] = _mm256_loadu_ps(y + c + 8 * k);
#pragma GCC unroll 4
    for (size_t r = 0; r < kRows; ++r) {
      __builtin_prefetch(next[r] + at, 0, 2);
      const __m256 scale = _mm256_set1_ps(load_f16c(row[r] + at) * coefficient[r]);
      __m128i w[4];
      quarters(Codec{}, row[r] + at, w);
      for (size_t k = 0; k < 4; ++k) {
        sum[k] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(w[k])), scale, sum[k]);
      }
    }
    for (size_t k = 0; k < 4; ++k) _mm256_storeu_ps(y + c + 8 * k, sum[k]);
  }
}

template <class Codec>
void block_axpy(const Matrix& w, RowList rows, const float* coefficient, Range columns, float* y) {
  rows_in_fours(w, rows, [=](auto count, size_t i, const uint8_t* const* row, auto next) {
    axpy_rows<Codec, count>(row, next, coefficient + i, columns, y);
  });
}

}  // namespace

void avx2::add_axpy(Kernels& kernels) {
  weights_of(kernels, WeightType::kQ8_0).axpy = block_axpy<Q8_0>;
  weights_of(kernels, WeightType::kQ4_0).axpy = block_axpy<Q4_0>;
}

}  // namespace hearth
#endif
