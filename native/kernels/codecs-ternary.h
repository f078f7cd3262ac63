// Codecs of the ternary types: weights of −d, 0 and d. The contract and the source: codecs.h.
// Internal to kernels/.
#pragma once

#include "codecs-k.h"

namespace hearth {
namespace {

// A byte is ⌈256 n / 243⌉ for a number n of five digits in base 3, so that the product with 3^k,
// modulo 256, begins with digit k, the highest being 0.
inline uint8_t ternary_digit(uint8_t byte, size_t k) {
  constexpr uint8_t kPower[] = {1, 3, 9, 27, 81};
  const uint8_t rest = static_cast<uint8_t>(byte * kPower[k]);
  return static_cast<uint8_t>(rest * 3 >> 8);
}

// 48 × 5 digits | 4 × 4 digits | d f16
// Digit k of byte i is element 32 k + i of the first 32 bytes, 160 + 16 k + (i − 32) of the next
// 16, and 240 + 4 k + (i − 48) of the last four.
struct TQ1_0 {
  static constexpr WeightType kType = WeightType::kTQ1_0;
  static constexpr XFormat kX = XFormat::kQ8;
  static constexpr size_t kBlock = 256, kBytes = 54, kSubGroup = 32;
  static constexpr int kZero = 1;
  static constexpr bool kHasMinimum = false;
  static void unpack(const uint8_t* block, uint8_t* code, float* scale, float*) {
    for (size_t g = 0; g < 8; ++g) scale[g] = load_f16(block + 52);
    for (size_t k = 0; k < 5; ++k) {
      for (size_t i = 0; i < 32; ++i) code[32 * k + i] = ternary_digit(block[i], k);
      for (size_t i = 0; i < 16; ++i) code[160 + 16 * k + i] = ternary_digit(block[32 + i], k);
    }
    for (size_t k = 0; k < 4; ++k) {
      for (size_t i = 0; i < 4; ++i) code[240 + 4 * k + i] = ternary_digit(block[48 + i], k);
    }
  }
};

// 64 × 4 codes as Q2_K | d f16
struct TQ2_0 {
  static constexpr WeightType kType = WeightType::kTQ2_0;
  static constexpr XFormat kX = XFormat::kQ8;
  static constexpr size_t kBlock = 256, kBytes = 66, kSubGroup = 32;
  static constexpr int kZero = 1;
  static constexpr bool kHasMinimum = false;
  static void unpack(const uint8_t* block, uint8_t* code, float* scale, float*) {
    for (size_t g = 0; g < 8; ++g) scale[g] = load_f16(block + 64);
    unpack_pairs(block, code);
  }
};

}  // namespace
}  // namespace hearth
