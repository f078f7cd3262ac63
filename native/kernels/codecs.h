// One codec for each weight type. A quantised block is unsigned codes, with a scale and a minimum
// or a zero point for each group of kSubGroup weights:
//
//   w[i] = scale[g] · (code[i] − kZero) − minimum[g],   g = i / kSubGroup
//
// In a block the low four bits of the codes begin at kNibbles, their fifth bits at kHighBits.
//
// Source of the layouts: ggml-common.h and ggml-quants.c (ggml-org/llama.cpp, commit c392e5094).
// Internal to kernels/.
#pragma once

#include "blocks.h"

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

// The twelve bytes of Q4_K and Q5_K: eight 6-bit scales and eight 6-bit minima.
inline void unpack_k_scales(const uint8_t* block, float* scale, float* minimum) {
  const float d = load_f16(block);
  const float d_minimum = load_f16(block + 2);
  const uint8_t* packed = block + 4;
  for (size_t g = 0; g < 4; ++g) {
    scale[g] = d * static_cast<float>(packed[g] & 63);
    minimum[g] = d_minimum * static_cast<float>(packed[g + 4] & 63);
    scale[g + 4] = d * static_cast<float>((packed[g + 8] & 15) | ((packed[g] >> 6) << 4));
    minimum[g + 4] =
        d_minimum * static_cast<float>((packed[g + 8] >> 4) | ((packed[g + 4] >> 6) << 4));
  }
}

// d f16 | dmin f16 | 12 scales | 128 nibbles: 32 bytes hold group 2j (low) and 2j + 1 (high)
struct Q4_K {
  static constexpr WeightType kType = WeightType::kQ4_K;
  static constexpr XFormat kX = XFormat::kQ8;
  static constexpr size_t kBlock = 256, kBytes = 144, kSubGroup = 32;
  static constexpr size_t kNibbles = 16;
  static constexpr int kBits = 4;
  static constexpr int kZero = 0;
  static constexpr bool kHasMinimum = true;
  static void unpack(const uint8_t* block, uint8_t* code, float* scale, float* minimum) {
    unpack_k_scales(block, scale, minimum);
    for (size_t j = 0; j < 4; ++j) {
      for (size_t i = 0; i < 32; ++i) {
        const uint8_t packed = block[kNibbles + 32 * j + i];
        code[64 * j + i] = packed & 15;
        code[64 * j + 32 + i] = packed >> 4;
      }
    }
  }
};

// d f16 | dmin f16 | 12 scales | 32 bytes of high bits | 128 nibbles as Q4_K
// Bit g of high byte i belongs to element i of group g.
struct Q5_K {
  static constexpr WeightType kType = WeightType::kQ5_K;
  static constexpr XFormat kX = XFormat::kQ8;
  static constexpr size_t kBlock = 256, kBytes = 176, kSubGroup = 32;
  static constexpr size_t kHighBits = 16, kNibbles = 48;
  static constexpr int kBits = 5;
  static constexpr int kZero = 0;
  static constexpr bool kHasMinimum = true;
  static void unpack(const uint8_t* block, uint8_t* code, float* scale, float* minimum) {
    unpack_k_scales(block, scale, minimum);
    const uint8_t* high = block + kHighBits;
    for (size_t j = 0; j < 4; ++j) {
      for (size_t i = 0; i < 32; ++i) {
        const uint8_t packed = block[kNibbles + 32 * j + i];
        const unsigned low_bit = (high[i] >> (2 * j)) & 1u;
        const unsigned high_bit = (high[i] >> (2 * j + 1)) & 1u;
        code[64 * j + i] = static_cast<uint8_t>((packed & 15) | (low_bit << 4));
        code[64 * j + 32 + i] = static_cast<uint8_t>((packed >> 4) | (high_bit << 4));
      }
    }
  }
};

// 128 low nibbles | 64 × 2 high bits | 16 × i8 scale of 16 elements | d f16
struct Q6_K {
  static constexpr WeightType kType = WeightType::kQ6_K;
  static constexpr XFormat kX = XFormat::kQ8;
  static constexpr size_t kBlock = 256, kBytes = 210, kSubGroup = 16;
  static constexpr int kBits = 6;
  static constexpr int kZero = 32;
  static constexpr bool kHasMinimum = false;
  static void unpack(const uint8_t* block, uint8_t* code, float* scale, float*) {
    const float d = load_f16(block + 208);
    for (size_t g = 0; g < 16; ++g) {
      scale[g] = d * static_cast<float>(static_cast<int8_t>(block[192 + g]));
    }
    for (size_t half = 0; half < 2; ++half) {
      const uint8_t* low = block + 64 * half;
      const uint8_t* high = block + 128 + 32 * half;
      uint8_t* out = code + 128 * half;
      for (size_t i = 0; i < 32; ++i) {
        out[i] = static_cast<uint8_t>((low[i] & 15) | ((high[i] & 3) << 4));
        out[i + 32] = static_cast<uint8_t>((low[i + 32] & 15) | (((high[i] >> 2) & 3) << 4));
        out[i + 64] = static_cast<uint8_t>((low[i] >> 4) | (((high[i] >> 4) & 3) << 4));
        out[i + 96] = static_cast<uint8_t>((low[i + 32] >> 4) | ((high[i] >> 6) << 4));
      }
    }
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
