// Four floats in a NEON register (AArch64). The operations are those of lanes-scalar.h.
#pragma once

#include <arm_neon.h>

#include "lanes-buffered.h"

namespace hearth {
namespace {

struct NeonLanes : Buffered<NeonLanes, 4> {
  // 8 tokens × 2 registers of rows = 16 sums in the 32 registers.
  static constexpr size_t kTokens = 8;
  using V = float32x4_t;
  static V zero() { return vdupq_n_f32(0); }
  static V set1(float x) { return vdupq_n_f32(x); }
  static V load(const float* p) { return vld1q_f32(p); }
  static void store(float* p, V x) { vst1q_f32(p, x); }
  static V add(V a, V b) { return vaddq_f32(a, b); }
  static V sub(V a, V b) { return vsubq_f32(a, b); }
  static V mul(V a, V b) { return vmulq_f32(a, b); }
  static V div(V a, V b) { return vdivq_f32(a, b); }
  static V fma(V a, V b, V c) { return vfmaq_f32(c, a, b); }
  static V max(V a, V b) { return vmaxq_f32(a, b); }
  static V min(V a, V b) { return vminq_f32(a, b); }
  static V abs(V a) { return vabsq_f32(a); }
  static V round(V a) { return vrndnq_f32(a); }
  static V pow2(V n) {
    const int32x4_t biased = vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127));
    return vreinterpretq_f32_s32(vshlq_n_s32(biased, 23));
  }
  static V select_ge(V a, V b, V x, V y) { return vbslq_f32(vcgeq_f32(a, b), x, y); }
  static float reduce_add(V a) { return vaddvq_f32(a); }
  static float reduce_max(V a) { return vmaxvq_f32(a); }
  static V load_f16(const uint16_t* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
  static void store_f16(uint16_t* p, V x) { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(x))); }
  static V load_bf16(const uint16_t* p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
  }
  static V load_i8(const int8_t* p) {
    const float values[4] = {static_cast<float>(p[0]), static_cast<float>(p[1]),
                             static_cast<float>(p[2]), static_cast<float>(p[3])};
    return load(values);
  }
  static void load_pairs(const float* p, V* even, V* odd) {
    const float32x4x2_t pairs = vld2q_f32(p);
    *even = pairs.val[0];
    *odd = pairs.val[1];
  }
  static void store_pairs(float* p, V even, V odd) {
    float32x4x2_t pairs;
    pairs.val[0] = even;
    pairs.val[1] = odd;
    vst2q_f32(p, pairs);
  }
  static void transpose(const float* in, size_t in_stride, float* out, size_t out_stride) {
    const float32x4x2_t low = vtrnq_f32(load(in), load(in + in_stride));
    const float32x4x2_t high = vtrnq_f32(load(in + 2 * in_stride), load(in + 3 * in_stride));
    for (size_t i = 0; i < 2; ++i) {
      store(out + i * out_stride,
            vcombine_f32(vget_low_f32(low.val[i]), vget_low_f32(high.val[i])));
      store(out + (i + 2) * out_stride,
            vcombine_f32(vget_high_f32(low.val[i]), vget_high_f32(high.val[i])));
    }
  }
};

}  // namespace
}  // namespace hearth
