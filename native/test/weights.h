// Random weights of every type with an independent double-precision reading of them, written per
// element from the format's definition, unlike kernels/codecs*.h.
#pragma once

#include "lattice-weights.h"
#include "support.h"

namespace hearth_test {

inline int nibble(const uint8_t* packed, size_t i) {
  return i < 16 ? packed[i] & 15 : packed[i - 16] >> 4;
}

inline int fifth_bit(const uint8_t* high, size_t i) { return (high[i / 8] >> (i % 8) & 1) * 16; }

// The 6-bit number `g` of the twelve bytes: scales for minimum = false.
inline int k_scale(const uint8_t* packed, size_t g, bool minimum) {
  if (g < 4) return packed[minimum ? g + 4 : g] & 63;
  const int low = minimum ? packed[g + 4] >> 4 : packed[g + 4] & 15;
  return low | (packed[minimum ? g : g - 4] >> 6) << 4;
}

inline Weight k_weight(const uint8_t* b, size_t i, bool five) {
  const size_t g = i / 32;
  const uint8_t* nibbles = b + (five ? 48 : 16) + i / 64 * 32;
  int code = g % 2 ? nibbles[i % 32] >> 4 : nibbles[i % 32] & 15;
  if (five) code += (b[16 + i % 32] >> g & 1) * 16;
  return affine(f16_value(b) * k_scale(b + 4, g, false), code,
                f16_value(b + 2) * k_scale(b + 4, g, true));
}

inline Weight q6_k_weight(const uint8_t* b, size_t i) {
  const size_t half = i / 128;
  // Parts 0 and 1 are the low nibbles of bytes 0-31 and 32-63, parts 2 and 3 the high nibbles.
  const size_t part = i % 128 / 32;
  const uint8_t low = b[64 * half + 32 * (part % 2) + i % 32];
  const int code = (part < 2 ? low & 15 : low >> 4) | (b[128 + 32 * half + i % 32] >> 2 * part & 3)
                                                          << 4;
  return affine(f16_value(b + 208) * static_cast<int8_t>(b[192 + i / 16]), code - 32, 0);
}

// Element i of a block of two-bit codes: quarter q of each 32 bytes is the bits 2q and 2q + 1.
inline int two_bits(const uint8_t* packed, size_t i) {
  const size_t half = i / 128, quarter = i % 128 / 32;
  return packed[32 * half + i % 32] >> 2 * quarter & 3;
}

inline Weight q2_k_weight(const uint8_t* b, size_t i) {
  const uint8_t scales = b[i / 16];
  return affine(f16_value(b + 80) * (scales & 15), two_bits(b + 16, i),
                f16_value(b + 82) * (scales >> 4));
}

inline Weight q3_k_weight(const uint8_t* b, size_t i) {
  const size_t g = i / 16;
  const uint8_t* packed = b + 96;
  const int low = packed[g % 8] >> (g < 8 ? 0 : 4) & 15;
  const int high = packed[8 + g % 4] >> 2 * (g / 4) & 3;
  const int code = two_bits(b + 32, i) - (b[i % 32] >> i / 32 & 1 ? 0 : 4);
  return affine(f16_value(b + 108) * (low + 16 * high - 32), code, 0);
}

// The published table of IQ4_NL, which no formula gives.
constexpr int kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                1,    13,   25,  38,  53,  69,  89,  113};

inline Weight iq4_xs_weight(const uint8_t* b, size_t i) {
  const size_t g = i / 32;
  const int low = b[4 + g / 2] >> (g % 2 ? 4 : 0) & 15;
  const int high = (b[2] | b[3] << 8) >> 2 * g & 3;
  return affine(f16_value(b) * (low + 16 * high - 32), kIq4Values[nibble(b + 8 + 16 * g, i % 32)],
                0);
}

// Sign, two bits of exponent with the bias 1, one bit of mantissa.
inline double fp4_value(int code) {
  const int exponent = code >> 1 & 3;
  const int mantissa = code & 1;
  const double size = exponent == 0 ? 0.5 * mantissa : std::ldexp(2 + mantissa, exponent - 2);
  return code & 8 ? -size : size;
}

// Four bits of exponent with the bias 7, three of mantissa; 0x7f is 0.
inline double ue4m3_value(int code) {
  if (code == 0x7f) return 0;
  const int exponent = code >> 3 & 15;
  return exponent == 0 ? std::ldexp(code & 7, -9) : std::ldexp(8 + (code & 7), exponent - 10);
}

inline int nvfp4_code(const uint8_t* packed, size_t i) {
  return i < 8 ? packed[i] & 15 : packed[i - 8] >> 4;
}

// A byte, as a fraction of 256, has up to five digits in base 3 behind its point.
inline int tq1_0_digit(const uint8_t* b, size_t i) {
  size_t byte = i % 32, digit = i / 32;
  if (i >= 160) byte = 32 + i % 16, digit = (i - 160) / 16;
  if (i >= 240) byte = 48 + i % 4, digit = (i - 240) / 4;
  int fraction = b[byte];
  for (size_t k = 0; k < digit; ++k) fraction = fraction * 3 % 256;
  return fraction * 3 / 256;
}

inline Weight weight_at(WeightType type, const uint8_t* row, size_t column) {
  const size_t block = hearth::block_elements(type);
  const uint8_t* b = row + column / block * hearth::row_bytes(type, block);
  const size_t i = column % block;
  switch (type) {
    case WeightType::kF32: {
      float value;
      std::memcpy(&value, b, 4);
      return affine(1, value, 0);
    }
    case WeightType::kF16:
      return affine(1, f16_value(b), 0);
    case WeightType::kBF16: {
      const uint32_t bits = static_cast<uint32_t>(b[0] | b[1] << 8) << 16;
      float value;
      std::memcpy(&value, &bits, 4);
      return affine(1, value, 0);
    }
    case WeightType::kQ8_0:
      return affine(f16_value(b), static_cast<int8_t>(b[2 + i]), 0);
    case WeightType::kQ4_0:
      return affine(f16_value(b), nibble(b + 2, i) - 8, 0);
    case WeightType::kQ4_1:
      return affine(f16_value(b), nibble(b + 4, i), -f16_value(b + 2));
    case WeightType::kQ5_0:
      return affine(f16_value(b), nibble(b + 6, i) + fifth_bit(b + 2, i) - 16, 0);
    case WeightType::kQ5_1:
      return affine(f16_value(b), nibble(b + 8, i) + fifth_bit(b + 4, i), -f16_value(b + 2));
    case WeightType::kQ4_K:
      return k_weight(b, i, false);
    case WeightType::kQ5_K:
      return k_weight(b, i, true);
    case WeightType::kQ6_K:
      return q6_k_weight(b, i);
    case WeightType::kQ2_K:
      return q2_k_weight(b, i);
    case WeightType::kQ3_K:
      return q3_k_weight(b, i);
    case WeightType::kIQ4_NL:
      return affine(f16_value(b), kIq4Values[nibble(b + 2, i)], 0);
    case WeightType::kIQ4_XS:
      return iq4_xs_weight(b, i);
    case WeightType::kMXFP4:
      return affine(std::ldexp(1, b[0] - 127), fp4_value(nibble(b + 1, i)), 0);
    case WeightType::kNVFP4:
      return affine(ue4m3_value(b[i / 16]), fp4_value(nvfp4_code(b + 4 + i / 16 * 8, i % 16)), 0);
    case WeightType::kTQ1_0:
      return affine(f16_value(b + 52), tq1_0_digit(b, i) - 1, 0);
    case WeightType::kTQ2_0:
      return affine(f16_value(b + 64), two_bits(b, i) - 1, 0);
    default:
      return lattice_weight(type, b, i);
  }
}

// An f16 of size 2^-10 … 2^-6, either sign; at times a subnormal or zero.
inline void put_f16_scale(Random& random, uint8_t* p) {
  const uint32_t kind = random.bits() % 16;
  const uint32_t exponent = kind == 0 ? 0 : 5 + random.below(4);
  const uint32_t bits = (random.bits() & 0x83ffu) | exponent << 10;
  p[0] = static_cast<uint8_t>(bits);
  p[1] = static_cast<uint8_t>(bits >> 8);
}

// The same, a nibble at the top of each of four u16.
inline void put_f16_nibbles(Random& random, uint8_t* p) {
  uint8_t half[2];
  put_f16_scale(random, half);
  for (size_t k = 0; k < 4; ++k) {
    const int part = nibble_of(half, k);
    p[2 * k + 1] = static_cast<uint8_t>((p[2 * k + 1] & 15) | part << 4);
  }
}

// Random blocks: any codes, tame scales.
inline void fill_weights(Random& random, WeightType type, uint8_t* data, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) data[i] = static_cast<uint8_t>(random.bits());
  const size_t block = hearth::row_bytes(type, hearth::block_elements(type));
  for (size_t at = 0; at < bytes; at += block) {
    uint8_t* b = data + at;
    switch (type) {
      case WeightType::kF32: {
        const float value = random.uniform();
        std::memcpy(b, &value, 4);
        break;
      }
      case WeightType::kBF16:
        b[1] = static_cast<uint8_t>((b[1] & 0x80) | 0x3d);
        break;
      case WeightType::kQ6_K:
        put_f16_scale(random, b + 208);
        break;
      case WeightType::kQ2_K:
        put_f16_scale(random, b + 80);
        put_f16_scale(random, b + 82);
        break;
      case WeightType::kQ3_K:
        put_f16_scale(random, b + 108);
        break;
      case WeightType::kTQ1_0:
        put_f16_scale(random, b + 52);
        break;
      case WeightType::kTQ2_0:
        put_f16_scale(random, b + 64);
        break;
      case WeightType::kMXFP4:
        b[0] = static_cast<uint8_t>(117 + random.below(5));
        break;
      case WeightType::kNVFP4:
        break;
      case WeightType::kIQ1_M:
        put_f16_nibbles(random, b + 48);
        break;
      case WeightType::kQ4_1:
      case WeightType::kQ5_1:
      case WeightType::kQ4_K:
      case WeightType::kQ5_K:
        put_f16_scale(random, b + 2);
        [[fallthrough]];
      default:
        put_f16_scale(random, b);
    }
  }
}

}  // namespace hearth_test
