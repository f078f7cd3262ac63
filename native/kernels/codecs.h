// One codec for each weight type. A quantised block is unsigned codes, with a scale and a minimum
// or a zero point for each group of kSubGroup weights:
//
//   w[i] = scale[g] · (code[i] − kZero) − minimum[g],   g = i / kSubGroup
//
// In a block the low four bits of the codes begin at kNibbles, their fifth bits at kHighBits.
// A type whose values are not evenly spaced stores indices: into its book of sixteen values, kBook,
// or into a lattice of points. Its codes are the values it finds there, of −127 … 127, plus 128: a
// kernel that can multiply eight-bit codes can multiply it.
//
// Source of the layouts: ggml-common.h and ggml-quants.c (ggml-org/llama.cpp, commit c392e5094).
// Internal to kernels/.
#pragma once

#include "blocks.h"
#include "codecs-book.h"
#include "codecs-k.h"
#include "codecs-lattice.h"
#include "codecs-ternary.h"

namespace hearth {
namespace {

// d f16 | 32 × i8
struct Q8_0 {
  static constexpr WeightType kType = WeightType::kQ8_0;
  static constexpr XFormat kX = XFormat::kQ8;
  static constexpr size_t kBlock = 32, kBytes = 34, kSubGroup = 32;
  static constexpr int kBits = 8;
  static constexpr int kZero = 128;
  static constexpr bool kHasMinimum = false;
  static void unpack(const uint8_t* block, uint8_t* code, float* scale, float*) {
    scale[0] = load_f16(block);
    for (size_t i = 0; i < 32; ++i) code[i] = block[2 + i] ^ 0x80;
  }
};

inline void unpack_nibbles(const uint8_t* packed, uint8_t* code) {
  for (size_t i = 0; i < 16; ++i) {
    code[i] = packed[i] & 15;
    code[16 + i] = packed[i] >> 4;
  }
}

// Adds bit i of `high` as the fifth bit of code i.
inline void add_fifth_bits(uint32_t high, uint8_t* code) {
  for (size_t i = 0; i < 32; ++i) code[i] |= static_cast<uint8_t>(((high >> i) & 1u) << 4);
}

// d f16 | 16 × {low nibble: element i, high nibble: element i + 16}
struct Q4_0 {
  static constexpr WeightType kType = WeightType::kQ4_0;
  static constexpr XFormat kX = XFormat::kQ8;
  static constexpr size_t kBlock = 32, kBytes = 18, kSubGroup = 32;
  static constexpr size_t kNibbles = 2;
  static constexpr int kBits = 4;
  static constexpr int kZero = 8;
  static constexpr bool kHasMinimum = false;
  static void unpack(const uint8_t* block, uint8_t* code, float* scale, float*) {
    scale[0] = load_f16(block);
    unpack_nibbles(block + kNibbles, code);
  }
};

// d f16 | m f16 | nibbles as Q4_0; w = d · code + m
struct Q4_1 {
  static constexpr WeightType kType = WeightType::kQ4_1;
  static constexpr XFormat kX = XFormat::kQ8;
  static constexpr size_t kBlock = 32, kBytes = 20, kSubGroup = 32;
  static constexpr size_t kNibbles = 4;
  static constexpr int kBits = 4;
  static constexpr int kZero = 0;
  static constexpr bool kHasMinimum = true;
  static void unpack(const uint8_t* block, uint8_t* code, float* scale, float* minimum) {
    scale[0] = load_f16(block);
    minimum[0] = -load_f16(block + 2);
    unpack_nibbles(block + kNibbles, code);
  }
};

// d f16 | high bits u32 | nibbles
struct Q5_0 {
  static constexpr WeightType kType = WeightType::kQ5_0;
  static constexpr XFormat kX = XFormat::kQ8;
  static constexpr size_t kBlock = 32, kBytes = 22, kSubGroup = 32;
  static constexpr size_t kHighBits = 2, kNibbles = 6;
  static constexpr int kBits = 5;
  static constexpr int kZero = 16;
  static constexpr bool kHasMinimum = false;
  static void unpack(const uint8_t* block, uint8_t* code, float* scale, float*) {
    scale[0] = load_f16(block);
    unpack_nibbles(block + kNibbles, code);
    add_fifth_bits(load_u32(block + kHighBits), code);
  }
};

// d f16 | m f16 | high bits u32 | nibbles
struct Q5_1 {
  static constexpr WeightType kType = WeightType::kQ5_1;
  static constexpr XFormat kX = XFormat::kQ8;
  static constexpr size_t kBlock = 32, kBytes = 24, kSubGroup = 32;
  static constexpr size_t kHighBits = 4, kNibbles = 8;
  static constexpr int kBits = 5;
  static constexpr int kZero = 0;
  static constexpr bool kHasMinimum = true;
  static void unpack(const uint8_t* block, uint8_t* code, float* scale, float* minimum) {
    scale[0] = load_f16(block);
    minimum[0] = -load_f16(block + 2);
    unpack_nibbles(block + kNibbles, code);
    add_fifth_bits(load_u32(block + kHighBits), code);
  }
};

// Codecs of the types that are plain numbers.
struct F32 {
  static constexpr WeightType kType = WeightType::kF32;
  static constexpr XFormat kX = XFormat::kF32;
  static constexpr size_t kBlock = 1, kBytes = 4;
  static float load(const uint8_t* p) { return float_of_bits(load_u32(p)); }
};

struct F16 {
  static constexpr WeightType kType = WeightType::kF16;
  static constexpr XFormat kX = XFormat::kF32;
  static constexpr size_t kBlock = 1, kBytes = 2;
  static float load(const uint8_t* p) { return load_f16(p); }
};

struct BF16 {
  static constexpr WeightType kType = WeightType::kBF16;
  static constexpr XFormat kX = XFormat::kF32;
  static constexpr size_t kBlock = 1, kBytes = 2;
  static float load(const uint8_t* p) { return f32_of_bf16(load_u16(p)); }
};

// Calls visit(codec) with the codec of every weight type.
template <class Visit>
constexpr void for_each_codec(Visit visit) {
#define HEARTH_VISIT(name, id) visit(name{});
  HEARTH_WEIGHT_TYPES(HEARTH_VISIT)
#undef HEARTH_VISIT
}

}  // namespace
}  // namespace hearth
