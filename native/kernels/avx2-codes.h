// Dot products of 32 codes with 32 q, and unpacking of nibbles and fifth bits, on AVX2.
// Internal to kernels/.
#pragma once

#include <immintrin.h>

#include "four-rows.h"
#include "scales-x64.h"

namespace hearth {
namespace {

inline __m256i load_256(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}

// Against dot products in integers a panel of f32 pays late: with 64 tokens it takes as long for Q5_K
// and Q6_K, 1.1 to 1.2 times for Q3_K, Q4_K, Q5_0 and Q8_0, 1.4 to 1.9 times for the others (64 x 2048,
// Zen 4).
constexpr size_t kDotTokens = 64;

// Σ code·q in eight lanes. Codes have at most six bits: 2 · 63 · 127 fits the 16 bits of the first
// addition.
inline __m256i dot_unsigned(__m256i code, __m256i q) {
  return _mm256_madd_epi16(_mm256_maddubs_epi16(code, q), _mm256_set1_epi16(1));
}

// The same for signed weights: |w| · (q with the sign of w).
inline __m256i dot_signed(__m256i w, __m256i q) {
  return dot_unsigned(_mm256_sign_epi8(w, w), _mm256_sign_epi8(q, w));
}

// Sums of two groups each, four lanes a group, become sums of four groups: lanes {0 0 2 2 1 1 3 3}.
inline __m256i join_pairs(__m256i first, __m256i second) {
  return _mm256_add_epi32(_mm256_unpacklo_epi64(first, second),
                          _mm256_unpackhi_epi64(first, second));
}

// Four values in the lanes of join_pairs.
inline __m256 spread_four(const float* value) {
  const __m256 all = _mm256_broadcast_ps(reinterpret_cast<const __m128*>(value));
  return _mm256_permutevar_ps(all, _mm256_setr_epi32(0, 0, 2, 2, 1, 1, 3, 3));
}

// Sixteen bytes of each of two blocks.
inline __m256i join(const uint8_t* low, const uint8_t* high) {
  return _mm256_inserti128_si256(
      _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(low))),
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(high)), 1);
}

inline float sum_of_lanes(__m256 x) {
  __m128 sum = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
}

}  // namespace
}  // namespace hearth
