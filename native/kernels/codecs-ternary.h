// Codecs of the ternary types: weights of −d, 0 and d. The contract and the source: codecs.h.
// Internal to kernels/.
#pragma once

#include "codecs-k.h"

namespace hearth {
namespace {

// `digits` digits in base 3 of each of `count` bytes, digit k of byte i at code[count · k + i]. A
// byte is a fraction of 256: three times it begins with its highest digit, and the rest has the
// others.
inline void unpack_ternary(const uint8_t* bytes, size_t count, size_t digits, uint8_t* code) {
  uint8_t rest[32];
  std::memcpy(rest, bytes, count);
  for (size_t k = 0; k < digits; ++k) {
    for (size_t i = 0; i < count; ++i) {
      code[count * k + i] = static_cast<uint8_t>((rest[i] > 85) + (rest[i] > 170));
      rest[i] = static_cast<uint8_t>(rest[i] + rest[i] + rest[i]);
    }
  }
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
    unpack_ternary(block, 32, 5, code);
    unpack_ternary(block + 32, 16, 5, code + 160);
    unpack_ternary(block + 48, 4, 4, code + 240);
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
