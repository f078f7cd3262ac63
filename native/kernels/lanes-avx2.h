// Eight floats in an AVX2 register, with FMA and F16C. The operations are those of lanes-scalar.h.
#pragma once

#include <immintrin.h>

#include "lanes-buffered.h"

namespace hearth {
namespace {

struct Avx2Lanes : Buffered<Avx2Lanes, 8> {
  // 6 tokens × 2 registers of rows = 12 sums in the 16 registers.
  static constexpr size_t kTokens = 6;
  using V = __m256;
  static V zero() { return _mm256_setzero_ps(); }
  static V set1(float x) { return _mm256_set1_ps(x); }
  static V load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, V x) { _mm256_storeu_ps(p, x); }
  static V add(V a, V b) { return _mm256_add_ps(a, b); }
  static V sub(V a, V b) { return _mm256_sub_ps(a, b); }
  static V mul(V a, V b) { return _mm256_mul_ps(a, b); }
  static V div(V a, V b) { return _mm256_div_ps(a, b); }
  static V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
  static V max(V a, V b) { return _mm256_max_ps(a, b); }
  static V min(V a, V b) { return _mm256_min_ps(a, b); }
  static V abs(V a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
  static V round(V a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static V pow2(V n) {
    const __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
  }
  static V select_ge(V a, V b, V x, V y) {
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_GE_OQ));
  }
  static float reduce_add(V a) {
    __m128 sum = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
  }
  static float reduce_max(V a) {
    __m128 most = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    most = _mm_max_ps(most, _mm_movehl_ps(most, most));
    return _mm_cvtss_f32(_mm_max_ss(most, _mm_movehdup_ps(most)));
  }
  static V load_f16(const uint16_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static void store_f16(uint16_t* p, V x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
  }
  static V load_bf16(const uint16_t* p) {
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
  }
  static V load_i8(const int8_t* p) {
    return _mm256_cvtepi32_ps(
        _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  }
  static void load_pairs(const float* p, V* even, V* odd) {
    const V low = _mm256_permute2f128_ps(load(p), load(p + 8), 0x20);
    const V high = _mm256_permute2f128_ps(load(p), load(p + 8), 0x31);
    *even = _mm256_shuffle_ps(low, high, 0x88);
    *odd = _mm256_shuffle_ps(low, high, 0xdd);
  }
  static void store_pairs(float* p, V even, V odd) {
    const V low = _mm256_unpacklo_ps(even, odd);
    const V high = _mm256_unpackhi_ps(even, odd);
    store(p, _mm256_permute2f128_ps(low, high, 0x20));
    store(p + 8, _mm256_permute2f128_ps(low, high, 0x31));
  }
  static void transpose(const float* in, size_t in_stride, float* out, size_t out_stride) {
    V pair[8];
    for (size_t i = 0; i < 4; ++i) {
      const V a = load(in + 2 * i * in_stride);
      const V b = load(in + (2 * i + 1) * in_stride);
      pair[2 * i] = _mm256_unpacklo_ps(a, b);
      pair[2 * i + 1] = _mm256_unpackhi_ps(a, b);
    }
    // Columns 2i and 2i + 1, and in the upper half columns 2i + 4 and 2i + 5.
    for (size_t i = 0; i < 2; ++i) {
      const V even_low = _mm256_shuffle_ps(pair[i], pair[i + 2], 0x44);
      const V even_high = _mm256_shuffle_ps(pair[i + 4], pair[i + 6], 0x44);
      const V odd_low = _mm256_shuffle_ps(pair[i], pair[i + 2], 0xee);
      const V odd_high = _mm256_shuffle_ps(pair[i + 4], pair[i + 6], 0xee);
      store(out + 2 * i * out_stride, _mm256_permute2f128_ps(even_low, even_high, 0x20));
      store(out + (2 * i + 1) * out_stride, _mm256_permute2f128_ps(odd_low, odd_high, 0x20));
      store(out + (2 * i + 4) * out_stride, _mm256_permute2f128_ps(even_low, even_high, 0x31));
      store(out + (2 * i + 5) * out_stride, _mm256_permute2f128_ps(odd_low, odd_high, 0x31));
    }
  }
};

}  // namespace
}  // namespace hearth
