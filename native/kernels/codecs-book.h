// Codecs of the types with a book of sixteen values. The contract and the source: codecs.h.
// Internal to kernels/.
#pragma once

#include "blocks.h"

namespace hearth {
namespace {

// Unevenly spaced: denser about zero, as weights are. ggml: kvalues_iq4nl.
alignas(16) constexpr int8_t kIq4Book[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                             1,    13,   25,  38,  53,  69,  89,  113};

// Twice the values of a 4-bit float with 2 bits of exponent and 1 of mantissa (OCP Microscaling
// Formats v1.0, FP4 E2M1), so that they are whole; scales are halved.
alignas(16) constexpr int8_t kFp4Book[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                             0, -1, -2, -3, -4, -6, -8, -12};

// Codes of `half` low nibbles, then of as many high ones.
inline void unpack_book(const int8_t* book, const uint8_t* packed, size_t half, uint8_t* code) {
  for (size_t i = 0; i < half; ++i) {
    code[i] = static_cast<uint8_t>(book[packed[i] & 15] + 128);
    code[half + i] = static_cast<uint8_t>(book[packed[i] >> 4] + 128);
  }
}

// d f16 | nibbles as Q4_0
struct IQ4_NL {
  static constexpr WeightType kType = WeightType::kIQ4_NL;
  static constexpr XFormat kX = XFormat::kQ8;
  static constexpr size_t kBlock = 32, kBytes = 18, kSubGroup = 32;
  static constexpr size_t kNibbles = 2;
  static constexpr const int8_t* kBook = kIq4Book;
  static constexpr int kZero = 128;
  static constexpr bool kHasMinimum = false;
  static void unpack(const uint8_t* block, uint8_t* code, float* scale, float*) {
    scale[0] = load_f16(block);
    unpack_book(kBook, block + kNibbles, 16, code);
  }
};

// Scale g of a block of IQ4_XS, less its zero point: a nibble of four bytes, and two bits of a u16.
inline int iq4_xs_scale(const uint8_t* block, size_t g) {
  const int low = block[4 + g / 2] >> (4 * (g % 2)) & 15;
  return (low | (load_u16(block + 2) >> (2 * g) & 3) << 4) - 32;
}

// d f16 | high bits of scales u16 | 4 bytes of low bits | 8 × 16 bytes of nibbles as Q4_0
struct IQ4_XS {
  static constexpr WeightType kType = WeightType::kIQ4_XS;
  static constexpr XFormat kX = XFormat::kQ8;
  static constexpr size_t kBlock = 256, kBytes = 136, kSubGroup = 32;
  static constexpr size_t kNibbles = 8;
  static constexpr const int8_t* kBook = kIq4Book;
  static constexpr int kZero = 128;
  static constexpr bool kHasMinimum = false;
  static void unpack(const uint8_t* block, uint8_t* code, float* scale, float*) {
    const float d = load_f16(block);
    for (size_t g = 0; g < 8; ++g) {
      scale[g] = d * static_cast<float>(iq4_xs_scale(block, g));
      unpack_book(kBook, block + kNibbles + 16 * g, 16, code + 32 * g);
    }
  }
};

// Half of 2^(e − 127), which is subnormal for e = 0 and e = 1.
inline float half_of_e8m0(uint8_t e) {
  return float_of_bits(e < 2 ? 0x00200000u << e : (e - 1u) << 23);
}

// e u8: a power of two | nibbles as Q4_0
struct MXFP4 {
  static constexpr WeightType kType = WeightType::kMXFP4;
  static constexpr XFormat kX = XFormat::kQ8;
  static constexpr size_t kBlock = 32, kBytes = 17, kSubGroup = 32;
  static constexpr size_t kNibbles = 1;
  static constexpr const int8_t* kBook = kFp4Book;
  static constexpr int kZero = 128;
  static constexpr bool kHasMinimum = false;
  static void unpack(const uint8_t* block, uint8_t* code, float* scale, float*) {
    scale[0] = half_of_e8m0(block[0]);
    unpack_book(kBook, block + kNibbles, 16, code);
  }
};

// Half of an unsigned float with 4 bits of exponent (bias 7) and 3 of mantissa: 1.mmm · 2^(e − 7),
// or 0.mmm · 2^-6 for e = 0. 0x7f, which is not a number, counts as 0; bit 7 counts as mute.
inline float half_of_ue4m3(uint8_t bits) {
  if (bits == 0x7f) return 0;
  const uint32_t exponent = bits >> 3 & 15;
  const uint32_t mantissa = bits & 7;
  if (exponent == 0) return static_cast<float>(mantissa) * 0x1p-10f;
  return float_of_bits((exponent + 119) << 23 | mantissa << 20);
}

// 4 × scale u8 | 4 × 8 bytes {low nibble: element i, high nibble: element i + 8}
struct NVFP4 {
  static constexpr WeightType kType = WeightType::kNVFP4;
  static constexpr XFormat kX = XFormat::kQ8;
  static constexpr size_t kBlock = 64, kBytes = 36, kSubGroup = 16;
  static constexpr size_t kNibbles = 4;
  static constexpr const int8_t* kBook = kFp4Book;
  static constexpr int kZero = 128;
  static constexpr bool kHasMinimum = false;
  static void unpack(const uint8_t* block, uint8_t* code, float* scale, float*) {
    for (size_t g = 0; g < 4; ++g) {
      scale[g] = half_of_ue4m3(block[g]);
      unpack_book(kBook, block + kNibbles + 8 * g, 8, code + 16 * g);
    }
  }
};

}  // namespace
}  // namespace hearth
