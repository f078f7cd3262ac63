// The operations on fewer than kLanes numbers, through a buffer of a whole register: for
// instruction sets without masked loads and stores.
// Internal to kernels/.
#pragma once

#include "blocks.h"

namespace hearth {
namespace {

// Base of a `Lanes` of kCount lanes (lanes-*.h), which has the operations on whole registers. What
// is missing of a register is zero.
template <class Lanes, size_t kCount>
struct Buffered {
  static constexpr size_t kLanes = kCount;

  static auto load_n(const float* p, size_t n) {
    float buffer[kCount] = {};
    std::memcpy(buffer, p, n * sizeof(float));
    return Lanes::load(buffer);
  }
  template <class V>
  static void store_n(float* p, const V& x, size_t n) {
    float buffer[kCount];
    Lanes::store(buffer, x);
    std::memcpy(p, buffer, n * sizeof(float));
  }
  static auto load_f16_n(const uint16_t* p, size_t n) {
    uint16_t buffer[kCount] = {};
    std::memcpy(buffer, p, n * sizeof(uint16_t));
    return Lanes::load_f16(buffer);
  }
  template <class V>
  static void store_f16_n(uint16_t* p, const V& x, size_t n) {
    uint16_t buffer[kCount];
    Lanes::store_f16(buffer, x);
    std::memcpy(p, buffer, n * sizeof(uint16_t));
  }
  static auto load_bf16_n(const uint16_t* p, size_t n) {
    uint16_t buffer[kCount] = {};
    std::memcpy(buffer, p, n * sizeof(uint16_t));
    return Lanes::load_bf16(buffer);
  }
};

}  // namespace
}  // namespace hearth
