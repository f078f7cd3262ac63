// Codecs of the K-quants: blocks of 256. The contract and the source: codecs.h.
// Internal to kernels/.
#pragma once

#include "blocks.h"

namespace hearth {
namespace {

// 256 two-bit codes: 32 bytes hold 128 of them, a quarter in each two bits.
inline void unpack_pairs(const uint8_t* packed, uint8_t* code) {
  for (size_t quarter = 0; quarter < 8; ++quarter) {
    const uint8_t* bytes = packed + quarter / 4 * 32;
    uint8_t* out = code + 32 * quarter;
    for (size_t i = 0; i < 32; ++i) out[i] = (bytes[i] >> (2 * (quarter % 4))) & 3;
  }
}

// 16 × {low nibble: scale, high nibble: minimum} | 64 × 4 codes | d f16 | dmin f16
// Codes of two bits: byte i of half a block holds elements i, i + 32, i + 64 and i + 96 of it.
struct Q2_K {
  static constexpr WeightType kType = WeightType::kQ2_K;
  static constexpr XFormat kX = XFormat::kQ8;
  static constexpr size_t kBlock = 256, kBytes = 84, kSubGroup = 16;
  static constexpr size_t kPairs = 16, kScales = 80;
  static constexpr int kBits = 2;
  static constexpr int kZero = 0;
  static constexpr bool kHasMinimum = true;
  static void unpack(const uint8_t* block, uint8_t* code, float* scale, float* minimum) {
    const float d = load_f16(block + kScales);
    const float d_minimum = load_f16(block + kScales + 2);
    for (size_t g = 0; g < 16; ++g) {
      scale[g] = d * static_cast<float>(block[g] & 15);
      minimum[g] = d_minimum * static_cast<float>(block[g] >> 4);
    }
    unpack_pairs(block + kPairs, code);
  }
};

// The twelve bytes of Q3_K: sixteen 6-bit scales with the zero point 32. Low nibbles of the first
// eight bytes belong to scales 0-7, high nibbles to 8-15; bits 2k and 2k + 1 of byte 8 + j are the
// high bits of scale 4k + j.
inline int q3_k_scale(const uint8_t* packed, size_t g) {
  const int low = g < 8 ? packed[g] & 15 : packed[g - 8] >> 4;
  return (low | (packed[8 + g % 4] >> 2 * (g / 4) & 3) << 4) - 32;
}

// 32 bytes of high bits | 64 × 4 low pairs as Q2_K | 12 scales | d f16
// Bit g of high byte i belongs to element i of group g (of 32).
struct Q3_K {
  static constexpr WeightType kType = WeightType::kQ3_K;
  static constexpr XFormat kX = XFormat::kQ8;
  static constexpr size_t kBlock = 256, kBytes = 110, kSubGroup = 16;
  static constexpr size_t kPairs = 32, kScales = 96, kD = 108;
  static constexpr int kBits = 3;
  static constexpr int kZero = 4;
  static constexpr bool kHasMinimum = false;
  static void unpack(const uint8_t* block, uint8_t* code, float* scale, float*) {
    const float d = load_f16(block + kD);
    for (size_t g = 0; g < 16; ++g) {
      scale[g] = d * static_cast<float>(q3_k_scale(block + kScales, g));
    }
    unpack_pairs(block + kPairs, code);
    for (size_t g = 0; g < 8; ++g) {
      for (size_t i = 0; i < 32; ++i) {
        code[32 * g + i] |= static_cast<uint8_t>(((block[i] >> g) & 1u) << 2);
      }
    }
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

}  // namespace
}  // namespace hearth
