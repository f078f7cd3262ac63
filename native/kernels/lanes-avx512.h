// Sixteen floats in an AVX-512 register. The operations are those of lanes-scalar.h, which says
// what they mean.
#pragma once

#include <immintrin.h>

#include "blocks.h"

namespace hearth {
namespace {

struct Avx512Lanes {
  static constexpr size_t kLanes = 16;
  // 12 tokens × 2 registers of rows = 24 sums in the 32 registers.
  static constexpr size_t kTokens = 12;
  using V = __m512;
  static __mmask16 first(size_t n) { return static_cast<__mmask16>((1u << n) - 1u); }
  static V zero() { return _mm512_setzero_ps(); }
  static V set1(float x) { return _mm512_set1_ps(x); }
  static V load(const float* p) { return _mm512_loadu_ps(p); }
  static V load_n(const float* p, size_t n) { return _mm512_maskz_loadu_ps(first(n), p); }
  static void store(float* p, V x) { _mm512_storeu_ps(p, x); }
  static void store_n(float* p, V x, size_t n) { _mm512_mask_storeu_ps(p, first(n), x); }
  static V add(V a, V b) { return _mm512_add_ps(a, b); }
  static V sub(V a, V b) { return _mm512_sub_ps(a, b); }
  static V mul(V a, V b) { return _mm512_mul_ps(a, b); }
  static V div(V a, V b) { return _mm512_div_ps(a, b); }
  static V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
  static V max(V a, V b) { return _mm512_max_ps(a, b); }
  static V min(V a, V b) { return _mm512_min_ps(a, b); }
  static V abs(V a) { return _mm512_abs_ps(a); }
  static V round(V a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static V pow2(V n) { return _mm512_scalef_ps(_mm512_set1_ps(1), n); }
  static V select_ge(V a, V b, V x, V y) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_GE_OQ), y, x);
  }
  static float reduce_add(V a) { return _mm512_reduce_add_ps(a); }
  static float reduce_max(V a) { return _mm512_reduce_max_ps(a); }
  static V load_f16(const uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static V load_f16_n(const uint16_t* p, size_t n) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first(n), p));
  }
  static void store_f16(uint16_t* p, V x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
  }
  static void store_f16_n(uint16_t* p, V x, size_t n) {
    _mm256_mask_storeu_epi16(p, first(n), _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
  }
  static V widen_bf16(__m256i x) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
  }
  static V load_bf16(const uint16_t* p) {
    return widen_bf16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static V load_bf16_n(const uint16_t* p, size_t n) {
    return widen_bf16(_mm256_maskz_loadu_epi16(first(n), p));
  }
  static V load_i8(const int8_t* p) {
    return _mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
  static void load_pairs(const float* p, V* even, V* odd) {
    const __m512i pick =
        _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const V low = load(p);
    const V high = load(p + 16);
    *even = _mm512_permutex2var_ps(low, pick, high);
    *odd = _mm512_permutex2var_ps(low, _mm512_add_epi32(pick, _mm512_set1_epi32(1)), high);
  }
  static void store_pairs(float* p, V even, V odd) {
    const __m512i low = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    store(p, _mm512_permutex2var_ps(even, low, odd));
    store(p + 16, _mm512_permutex2var_ps(even, _mm512_add_epi32(low, _mm512_set1_epi32(8)), odd));
  }
  // Four rounds: pairs and quads of columns within 128-bit parts, then the parts themselves.
  static void transpose(const float* in, size_t in_stride, float* out, size_t out_stride) {
    V quad[16];  // quad[4 i + c]: rows 4i … 4i + 3 of columns c, c + 4, c + 8, c + 12
    for (size_t i = 0; i < 4; ++i) {
      const V a = load(in + 4 * i * in_stride);
      const V b = load(in + (4 * i + 1) * in_stride);
      const V c = load(in + (4 * i + 2) * in_stride);
      const V d = load(in + (4 * i + 3) * in_stride);
      const V ab_low = _mm512_unpacklo_ps(a, b);
      const V ab_high = _mm512_unpackhi_ps(a, b);
      const V cd_low = _mm512_unpacklo_ps(c, d);
      const V cd_high = _mm512_unpackhi_ps(c, d);
      quad[4 * i] = _mm512_shuffle_ps(ab_low, cd_low, 0x44);
      quad[4 * i + 1] = _mm512_shuffle_ps(ab_low, cd_low, 0xee);
      quad[4 * i + 2] = _mm512_shuffle_ps(ab_high, cd_high, 0x44);
      quad[4 * i + 3] = _mm512_shuffle_ps(ab_high, cd_high, 0xee);
    }
    for (size_t c = 0; c < 4; ++c) {
      const V low_even = _mm512_shuffle_f32x4(quad[c], quad[4 + c], 0x88);
      const V low_odd = _mm512_shuffle_f32x4(quad[c], quad[4 + c], 0xdd);
      const V high_even = _mm512_shuffle_f32x4(quad[8 + c], quad[12 + c], 0x88);
      const V high_odd = _mm512_shuffle_f32x4(quad[8 + c], quad[12 + c], 0xdd);
      store(out + c * out_stride, _mm512_shuffle_f32x4(low_even, high_even, 0x88));
      store(out + (c + 4) * out_stride, _mm512_shuffle_f32x4(low_odd, high_odd, 0x88));
      store(out + (c + 8) * out_stride, _mm512_shuffle_f32x4(low_even, high_even, 0xdd));
      store(out + (c + 12) * out_stride, _mm512_shuffle_f32x4(low_odd, high_odd, 0xdd));
    }
  }
};

}  // namespace
}  // namespace hearth
