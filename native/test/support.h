// What the kernel tests share: random values, buffers and checks.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
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
  explicit Buffer(size_t bytes)
      : bytes_(bytes), data_(::operator new(bytes ? bytes : 1, kAlignment)) {
    std::memset(data_, 0xee, bytes);
  }
  ~Buffer() { ::operator delete(data_, kAlignment); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  uint8_t* u8() { return static_cast<uint8_t*>(data_); }
  float* f32() { return static_cast<float*>(data_); }
  size_t size() const { return bytes_; }

 private:
  static constexpr std::align_val_t kAlignment{64};
  size_t bytes_;
  void* data_;
};

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
