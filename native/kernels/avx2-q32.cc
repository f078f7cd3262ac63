// Dot products of the formats with blocks of 32 on AVX2: four blocks a step.
#if defined(__x86_64__)
#include "avx2-codes.h"
#include "avx2.h"

namespace hearth {
namespace {

// Weights less their zero point, as bytes.
inline __m256i signed_weights(Q8_0, const uint8_t* b) { return load_256(b + 2); }

inline __m256i signed_weights(Q4_0, const uint8_t* b) {
  return _mm256_sub_epi8(nibbles_256(b + 2), _mm256_set1_epi8(Q4_0::kZero));
}

inline __m256i signed_weights(Q5_0, const uint8_t* b) {
  const __m256i code = _mm256_or_si256(nibbles_256(b + 6), fifth_bits_256(b + 2));
  return _mm256_sub_epi8(code, _mm256_set1_epi8(Q5_0::kZero));
}

inline __m256i codes(Q4_1, const uint8_t* b) { return nibbles_256(b + 4); }

inline __m256i codes(Q5_1, const uint8_t* b) {
  return _mm256_or_si256(nibbles_256(b + 8), fifth_bits_256(b + 4));
}

template <class Codec>
struct Q32Step {
  static constexpr size_t kBlocks = 4;
  static constexpr size_t kBlock = Codec::kBlock, kBlockBytes = Codec::kBytes,
                          kBytes = kBlocks * kBlockBytes;
  using Sum = Avx2Sum;
  static Sum start() { return zero_sum(); }
  static float finish(const Sum& sum) { return finish_sum(sum); }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    for (size_t i = 0; i < kBlocks; ++i) {
      const uint8_t* b = weights + i * kBlockBytes;
      const size_t g = index * kBlocks + i;
      const __m256i q = load_256(x.q + g * kGroup);
      if constexpr (Codec::kHasMinimum) {
        add_scaled(sum, dot_unsigned(codes(Codec{}, b), q), load_f16c(b) * x.d[g]);
        sum.minimum -= load_f16c(b + 2) * x.d_sum[g];
      } else {
        add_scaled(sum, dot_signed(signed_weights(Codec{}, b), q), load_f16c(b) * x.d[g]);
      }
    }
  }
};

}  // namespace

namespace avx2 {

void gemv_q8_0(const Matrix& w, const void* x, Range rows, float* y) {
  step_gemv<Q32Step<Q8_0>>(w, x, rows, y);
}
void gemv_q4_0(const Matrix& w, const void* x, Range rows, float* y) {
  step_gemv<Q32Step<Q4_0>>(w, x, rows, y);
}
void gemv_q4_1(const Matrix& w, const void* x, Range rows, float* y) {
  step_gemv<Q32Step<Q4_1>>(w, x, rows, y);
}
void gemv_q5_0(const Matrix& w, const void* x, Range rows, float* y) {
  step_gemv<Q32Step<Q5_0>>(w, x, rows, y);
}
void gemv_q5_1(const Matrix& w, const void* x, Range rows, float* y) {
  step_gemv<Q32Step<Q5_1>>(w, x, rows, y);
}

void gather_q8_0(const Matrix& w, const void* x, RowList rows, float* y) {
  step_gather<Q32Step<Q8_0>>(w, x, rows, y);
}
void gather_q4_0(const Matrix& w, const void* x, RowList rows, float* y) {
  step_gather<Q32Step<Q4_0>>(w, x, rows, y);
}
void gather_q4_1(const Matrix& w, const void* x, RowList rows, float* y) {
  step_gather<Q32Step<Q4_1>>(w, x, rows, y);
}
void gather_q5_0(const Matrix& w, const void* x, RowList rows, float* y) {
  step_gather<Q32Step<Q5_0>>(w, x, rows, y);
}
void gather_q5_1(const Matrix& w, const void* x, RowList rows, float* y) {
  step_gather<Q32Step<Q5_1>>(w, x, rows, y);
}

}  // namespace avx2
}  // namespace hearth
#endif
