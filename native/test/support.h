// What the kernel tests share: random values, random weights of every type with an independent
// double-precision reading of them (written per element from the format's definition, unlike
// kernels/codecs.h), and checks.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "kernels/kernels.h"

namespace hearth_test {

using hearth::weight_type_name;
using hearth::WeightType;

constexpr double kEpsilon = 1.0 / (1 << 24);  // half a unit in the last place of f32, relative

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 1) {}
  uint32_t bits() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<uint32_t>(state_ >> 16);
  }
  size_t below(size_t limit) { return bits() % limit; }
  // In [-1, 1).
  float uniform() { return static_cast<float>(bits() >> 8) / 8388608.0f - 1.0f; }

 private:
  uint64_t state_;
};

// Heap bytes of an exact size, so that AddressSanitizer sees one byte too many; 64-byte aligned.
class Buffer {
 public:
  explicit Buffer(size_t bytes) : bytes_(bytes), data_(nullptr) {
    if (posix_memalign(&data_, 64, bytes ? bytes : 1) != 0) std::abort();
    std::memset(data_, 0xee, bytes);
  }
  ~Buffer() { std::free(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  uint8_t* u8() { return static_cast<uint8_t*>(data_); }
  float* f32() { return static_cast<float*>(data_); }
  size_t size() const { return bytes_; }

 private:
  size_t bytes_;
  void* data_;
};

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
  }
  std::abort();
}

// An f16 of size 2^-10 … 2^-6, either sign; at times a subnormal or zero.
inline void put_f16_scale(Random& random, uint8_t* p) {
  const uint32_t kind = random.bits() % 16;
  const uint32_t exponent = kind == 0 ? 0 : 5 + random.below(4);
  const uint32_t bits = (random.bits() & 0x83ffu) | exponent << 10;
  p[0] = static_cast<uint8_t>(bits);
  p[1] = static_cast<uint8_t>(bits >> 8);
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

// What is being tested, for messages.
struct Case {
  const char* isa;
  const char* kernel;
  const char* detail;
};

// Counts checks; a program that made none has failed (style rule 45).
struct Checks {
  size_t made = 0;
  size_t failed = 0;

  void near(const Case& what, double got, double expected, double tolerance) {
    ++made;
    if (std::fabs(got - expected) <= tolerance) return;
    if (++failed <= 20) {
      std::printf("FAIL %s %s %s: got %.9g, expected %.9g, off by %.3g, allowed %.3g\n", what.isa,
                  what.kernel, what.detail, got, expected, std::fabs(got - expected), tolerance);
    }
  }
  void same(const Case& what, const void* got, const void* expected, size_t bytes) {
    ++made;
    if (bytes == 0 || std::memcmp(got, expected, bytes) == 0) return;
    if (++failed <= 20)
      std::printf("FAIL %s %s %s: bits differ\n", what.isa, what.kernel, what.detail);
  }
  int finish(const char* name) const {
    std::printf("%s: %zu checks, %zu failed\n", name, made, failed);
    return made > 0 && failed == 0 ? 0 : 1;
  }
};

}  // namespace hearth_test
