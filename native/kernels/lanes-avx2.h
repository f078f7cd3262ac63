// Eight floats in an AVX2 register, with FMA and F16C. The operations are those of lanes-scalar.h.
#pragma once

#include <immintrin.h>

#include "blocks.h"

namespace hearth {
namespace {

struct Avx2Lanes {
  static constexpr size_t kLanes = 8;
  // 6 tokens × 2 registers of rows = 12 sums in the 16 registers.
  static constexpr size_t kTokens = 6;
  using V = __m256;
  static V zero() { return _mm256_setzero_ps(); }
  static V set1(float x) { return _mm256_set1_ps(x); }
  static V load(const float* p) { return _mm256_loadu_ps(p); }
  static V load_n(const float* p, size_t n) {
    float buffer[8] = {};
    std::memcpy(buffer, p, n * sizeof(float));
    return load(buffer);
  }
  static void store(float* p, V x) { _mm256_storeu_ps(p, x); }
  static void store_n(float* p, V x, size_t n) {
    float buffer[8];
    store(buffer, x);
    std::memcpy(p, buffer, n * sizeof(float));
  }
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
  static __m128i load_u16_n(const uint16_t* p, size_t n) {
    uint16_t buffer[8] = {};
    std::memcpy(buffer, p, n * sizeof(uint16_t));
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(buffer));
  }
  static V load_f16_n(const uint16_t* p, size_t n) { return _mm256_cvtph_ps(load_u16_n(p, n)); }
  static void store_f16(uint16_t* p, V x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
  }
  static void store_f16_n(uint16_t* p, V x, size_t n) {
    uint16_t buffer[8];
    store_f16(buffer, x);
    std::memcpy(p, buffer, n * sizeof(uint16_t));
  }
  static V widen_bf16(__m128i x) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16));
  }
  static V load_bf16(const uint16_t* p) {
    return widen_bf16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static V load_bf16_n(const uint16_t* p, size_t n) { return widen_bf16(load_u16_n(p, n)); }
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
