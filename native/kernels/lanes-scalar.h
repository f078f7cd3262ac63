// Lanes of one float: they make the kernels over lanes (row-kernels.h, attention.h,
// plain-weights.h) portable C++. What the operations mean is written here.
#pragma once

#include <cmath>

#include "blocks.h"

namespace hearth {
namespace {

struct ScalarLanes {
  static constexpr size_t kLanes = 1;
  // Tokens whose sums a panel product holds in registers.
  static constexpr size_t kTokens = 4;
  using V = float;
  static V zero() { return 0; }
  static V set1(float x) { return x; }
  static V load(const float* p) { return *p; }
  static V load_n(const float* p, size_t) { return *p; }
  static void store(float* p, V x) { *p = x; }
  static void store_n(float* p, V x, size_t) { *p = x; }
  static V add(V a, V b) { return a + b; }
  static V sub(V a, V b) { return a - b; }
  static V mul(V a, V b) { return a * b; }
  static V div(V a, V b) { return a / b; }
  static V fma(V a, V b, V c) { return std::fma(a, b, c); }
  static V max(V a, V b) { return a > b ? a : b; }
  static V min(V a, V b) { return a < b ? a : b; }
  static V abs(V a) { return std::fabs(a); }
  static V round(V a) { return (a + 12582912.0f) - 12582912.0f; }
  // 2^n for a whole n in [-126, 127].
  static V pow2(V n) {
    return float_of_bits(static_cast<uint32_t>(static_cast<int32_t>(n) + 127) << 23);
  }
  // a >= b ? x : y
  static V select_ge(V a, V b, V x, V y) { return a >= b ? x : y; }
  static float reduce_add(V a) { return a; }
  static float reduce_max(V a) { return a; }
  static V load_f16(const uint16_t* p) { return f32_of_f16(*p); }
  static V load_f16_n(const uint16_t* p, size_t) { return f32_of_f16(*p); }
  static void store_f16(uint16_t* p, V x) { *p = f16_of_f32(x); }
  static void store_f16_n(uint16_t* p, V x, size_t) { *p = f16_of_f32(x); }
  static V load_bf16(const uint16_t* p) { return f32_of_bf16(*p); }
  static V load_bf16_n(const uint16_t* p, size_t) { return f32_of_bf16(*p); }
  static V load_i8(const int8_t* p) { return static_cast<float>(*p); }
  // Adjacent pairs of 2·kLanes floats to their even and odd members, and back.
  static void load_pairs(const float* p, V* even, V* odd) {
    *even = p[0];
    *odd = p[1];
  }
  static void store_pairs(float* p, V even, V odd) {
    p[0] = even;
    p[1] = odd;
  }
  // out[j, i] = in[i, j] for kLanes × kLanes.
  static void transpose(const float* in, size_t, float* out, size_t) { *out = *in; }
};

}  // namespace
}  // namespace hearth
