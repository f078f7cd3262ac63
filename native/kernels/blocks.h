// Layout of prepared activation rows, and scalar conversion of f16 and bf16. Everything here has
// internal linkage on purpose: each instruction set's unit gets its own copy, compiled with its own
// flags, so that the linker can never pick an AVX-512 copy for an older machine.
// Internal to kernels/.
#pragma once

#include <cstring>

#include "kernels.h"
#include "rounding.h"

namespace hearth {
namespace {

// Activation elements that share one d.
constexpr size_t kGroup = 32;
// Prepared rows are padded to a multiple of this: four groups fill two 64-byte registers.
constexpr size_t kSuper = 128;
// Block length of the K-quants.
constexpr size_t kKBlock = 256;

constexpr size_t kLine = 64;  // bytes of a cache line

// An odd number of lines: rows that lie a power of two apart share a few cache sets and evict each
// other in a gemm.
inline size_t spread_row(size_t bytes) {
  const size_t lines = ceil_divide(bytes, kLine);
  return (lines | 1) * kLine;
}

// One group of a prepared row as the integer gemm reads it: all of it lies on one or two cache
// lines.
struct Q8Group {
  int8_t q[kGroup];
  float d;
  float d_sum;              // d · Σ q
  int32_t minus_sum;        // −Σ q
  int32_t minus_first_sum;  // −Σ of the first 16 q
};

// A prepared activation row of format kQ8, cut from one buffer. Padding is zero.
struct Q8Row {
  // [padded] in order.
  int8_t* q;
  // [padded] per 128: elements 0-15 of four groups, then elements 16-31 of the four.
  int8_t* interleaved;
  // [padded] per 256, for types with two-bit pairs: element 4s + b of groups of sixteen lies in step
  // s (64 bytes), dword 4p + j, byte b. Group g has p = 2 (g / 8) + g % 2, j = g % 8 / 2, so that lane
  // 4p + j of a step takes the two bits j of dword s of sixteen bytes of pairs.
  int8_t* quads;
  // [padded / 4] −128 · Σ over four q: where the sum of codes with the zero point 128 starts.
  int32_t* start128;
  // [padded / 8] −8 · Σ over the eight elements of `interleaved` that one lane sums: likewise for
  // the zero point 8.
  int32_t* start8;
  float* d;        // [groups]
  float* d_sum;    // [groups] d · Σ q
  float* d_sum16;  // [2 · groups] d · Σ q over halves of a group
  Q8Group* group;  // [groups]
  size_t groups;   // padded / 32
};

inline size_t q8_row_bytes(size_t columns) {
  const size_t padded = round_up(columns, kSuper);
  const size_t groups = padded / kGroup;
  const size_t quads = round_up(padded, kKBlock);
  return spread_row(padded * 3 + padded / 2 + quads +
                    groups * (4 * sizeof(float) + sizeof(Q8Group)));
}

inline Q8Row q8_row(const void* buffer, size_t columns) {
  const size_t padded = round_up(columns, kSuper);
  Q8Row row;
  row.groups = padded / kGroup;
  row.q = static_cast<int8_t*>(const_cast<void*>(buffer));
  row.interleaved = row.q + padded;
  row.quads = row.interleaved + padded;
  row.start128 = reinterpret_cast<int32_t*>(row.quads + round_up(padded, kKBlock));
  row.start8 = row.start128 + padded / 4;
  row.d = reinterpret_cast<float*>(row.start8 + padded / 8);
  row.d_sum = row.d + row.groups;
  row.d_sum16 = row.d_sum + row.groups;
  row.group = reinterpret_cast<Q8Group*>(row.d_sum16 + 2 * row.groups);
  return row;
}

inline uint16_t load_u16(const void* p) {
  uint16_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

inline uint32_t load_u32(const void* p) {
  uint32_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

inline float float_of_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline uint32_t bits_of_float(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

// Exact. A normal number's bits move and its exponent grows by 112. A subnormal number, 0.m ·
// 2^-14, takes one subtraction.
inline float f32_of_f16(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 0x1fu;
  const uint32_t mantissa = half & 0x3ffu;
  if (exponent == 31) return float_of_bits(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) return float_of_bits(sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float tiny = float_of_bits((113u << 23) | (mantissa << 13)) - float_of_bits(113u << 23);
  return float_of_bits(sign | bits_of_float(tiny));
}

// Round to nearest even; overflow to infinity, NaN stays NaN (quiet).
inline uint16_t f16_of_f32(float value) {
  const uint32_t bits = bits_of_float(value);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return static_cast<uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
  }
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);
  if (magnitude < 0x38800000u) {
    // Below 2^-14: adding 0.5 leaves the subnormal in the low bits, rounded.
    const float shifted = float_of_bits(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (bits_of_float(shifted) - bits_of_float(0.5f)));
  }
  const uint32_t odd = (magnitude >> 13) & 1u;
  return static_cast<uint16_t>(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13));
}

inline float f32_of_bf16(uint16_t value) {
  return float_of_bits(static_cast<uint32_t>(value) << 16);
}

inline float load_f16(const void* p) { return f32_of_f16(load_u16(p)); }

}  // namespace
}  // namespace hearth
