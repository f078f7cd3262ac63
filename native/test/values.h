// A weight as the tests know it, and numbers that several formats have in common.
#pragma once

#include "support.h"

namespace hearth_test {

inline double f16_value(const uint8_t* p) {
  const int bits = p[0] | p[1] << 8;
  const int exponent = bits >> 10 & 31;
  const double mantissa = bits & 1023;
  const double size =
      exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return bits & 0x8000 ? -size : size;
}

// A weight and the largest part it is made of: bounds of rounding errors follow the parts.
struct Weight {
  double value;
  double magnitude;
};

inline Weight affine(double scale, double code, double minimum) {
  return {scale * code - minimum, std::fabs(scale * code) + std::fabs(minimum)};
}

// Nibble i of bytes that hold two each, the low one first.
inline int nibble_of(const uint8_t* packed, size_t i) { return packed[i / 2] >> 4 * (i % 2) & 15; }

inline uint32_t bits_at(const uint8_t* p, size_t bytes) {
  uint32_t bits = 0;
  for (size_t k = 0; k < bytes; ++k) bits |= static_cast<uint32_t>(p[k]) << 8 * k;
  return bits;
}

}  // namespace hearth_test
