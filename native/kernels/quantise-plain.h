// Quantisers of the types without a search: floats, and blocks of 32 with the scale of their largest
// value. Where an importance is known, the blocks of 32 get the scale that fits best instead.
// The bytes are those of the reference, src/quant. Internal to kernels/.
#pragma once

#include <cmath>
#include <cstring>

#include "blocks.h"
#include "quantise-lanes.h"

namespace hearth {
namespace {

inline void store_u16(uint8_t* to, uint16_t value) { std::memcpy(to, &value, sizeof value); }

// Stores the nearest binary16 and returns what a reader will see.
inline double store_f16(uint8_t* to, double value) {
  const uint16_t half = f16_of_f32(static_cast<float>(value));
  store_u16(to, half);
  return static_cast<double>(f32_of_f16(half));
}

// 1 / d, or 0 where that is no number: d is zero, or too small for blocks to be worth a code.
inline float reciprocal(float d) {
  const float inverse = 1 / d;
  return std::fabs(inverse) <= std::numeric_limits<float>::max() ? inverse : 0;
}

inline void quantise_f32(const float* x, size_t count, const float*, uint8_t* out) {
  std::memcpy(out, x, count * sizeof(float));
}

inline void quantise_bf16(const float* x, size_t count, const float*, uint8_t* out) {
  auto* to = reinterpret_cast<uint16_t*>(out);
  for (size_t i = 0; i < count; ++i) {
    const uint32_t bits = bits_of_float(x[i]);
    to[i] = static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
  }
}

constexpr size_t kPlainBlock = 32;
constexpr size_t kPlainHalf = 16;

inline float largest_magnitude(const float* x, size_t count) {
  uint32_t bits = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t one = bits_of_float(x[i]) & 0x7fffffffu;
    bits = one > bits ? one : bits;
  }
  return float_of_bits(bits);
}

// Codes of x · inverse, ties away from zero: the largest float below a half leaves no other value on
// the wrong side.
inline int round_away(float scaled) {
  return static_cast<int>(scaled + std::copysign(0.49999997f, scaled));
}

inline void quantise_q8_0(const float* x, size_t count, const float*, uint8_t* out) {
  for (size_t at = 0; at < count; at += kPlainBlock, x += kPlainBlock, out += 34) {
    const float d = largest_magnitude(x, kPlainBlock) / 127;
    const float inverse = reciprocal(d);
    store_u16(out, f16_of_f32(d));
    for (size_t i = 0; i < kPlainBlock; ++i) {
      out[2 + i] = static_cast<uint8_t>(round_away(x[i] * inverse));
    }
  }
}

// Of equals the first.
inline float first_largest(const float* x, size_t count) {
  const float most = largest_magnitude(x, count);
  for (size_t i = 0; i < count; ++i) {
    if (std::fabs(x[i]) == most) return x[i];
  }
  return 0;
}

// Blocks of 32 elements, up to eight at a time, with how much their elements count.
struct PlainGroups {
  Groups<kPlainBlock> values;
  Groups<kPlainBlock> weights;
  size_t count = 0;

  // `importance` null: large elements count for more.
  PlainGroups(const float* x, size_t elements, const float* importance)
      : x_(x), importance_(importance), blocks_(elements / kPlainBlock) {
    load();
  }
  bool more() const { return first_ < blocks_; }
  void next() {
    first_ += kLanes;
    if (more()) load();
  }
  size_t index(size_t lane) const { return first_ + lane; }
  const float* block(size_t lane) const { return x_ + index(lane) * kPlainBlock; }

 private:
  void load() {
    count = blocks_ - first_ < kLanes ? blocks_ - first_ : kLanes;
    values.load(block(0), kPlainBlock, count);
    if (importance_ == nullptr) return weigh_by_square(values, weights);
    Groups<kPlainBlock> given;
    given.load(importance_ + first_ * kPlainBlock, kPlainBlock, count);
    F64x8 means{};
    for (size_t i = 0; i < count; ++i) means[i] = mean_square(block(i), kPlainBlock);
    weigh(values, given, means, weights);
  }

  const float* x_;
  const float* importance_;
  size_t blocks_;
  size_t first_ = 0;
};

// Codes of 32 elements: element i in the low nibble of byte i, element i + 16 in the high one; the
// fifth bits, where there are any, in four bytes of their own.
template <int kBits>
void pack_plain(const uint8_t* code, uint8_t* fifth, uint8_t* nibbles) {
  for (size_t i = 0; i < kPlainHalf; ++i) {
    nibbles[i] = static_cast<uint8_t>((code[i] & 15) | ((code[kPlainHalf + i] & 15) << 4));
  }
  if constexpr (kBits == 5) {
    uint32_t high = 0;
    for (size_t i = 0; i < kPlainBlock; ++i) high |= static_cast<uint32_t>(code[i] >> 4) << i;
    std::memcpy(fifth, &high, sizeof high);
  }
}

// Q4_0, Q5_0: x = d · (q − kHalf).
template <int kBits>
struct SignedBlocks {
  static constexpr int kHalf = 1 << (kBits - 1);
  static constexpr size_t kNibbles = kBits == 4 ? 2 : 6;
  static constexpr size_t kBytes = kNibbles + kPlainHalf;

  static void quantise(const float* x, size_t count, const float* importance, uint8_t* out) {
    if (importance != nullptr) return fit(x, count, importance, out);
    for (size_t at = 0; at < count; at += kPlainBlock, x += kPlainBlock, out += kBytes) {
      // The value of largest magnitude, sign and all, gets code 0.
      encode(x, first_largest(x, kPlainBlock) / -kHalf, out);
    }
  }

 private:
  static void encode(const float* x, float d, uint8_t* out) {
    const float inverse = reciprocal(d);
    store_u16(out, f16_of_f32(d));
    uint8_t code[kPlainBlock];
    for (size_t i = 0; i < kPlainBlock; ++i) {
      // Added before it is cut off, as in ggml: halves round up.
      const float shifted = x[i] * inverse + (kHalf + 0.5f);
      const int whole = static_cast<int>(shifted);
      code[i] = static_cast<uint8_t>(whole < 2 * kHalf - 1 ? whole : 2 * kHalf - 1);
    }
    pack_plain<kBits>(code, out + 2, out + kNibbles);
  }

  static void fit(const float* x, size_t count, const float* importance, uint8_t* out) {
    for (PlainGroups groups(x, count, importance); groups.more(); groups.next()) {
      const F64x8 scale = search_signed_scale<kPlainBlock, kHalf>(groups.values, groups.weights);
      for (size_t i = 0; i < groups.count; ++i) {
        write_fitted(groups.block(i), scale[i], out + groups.index(i) * kBytes);
      }
    }
  }

  static void write_fitted(const float* x, double scale, uint8_t* out) {
    const double d = store_f16(out, scale);
    const double inverse = d == 0 ? 0 : 1 / d;
    uint8_t code[kPlainBlock];
    for (size_t i = 0; i < kPlainBlock; ++i) {
      code[i] =
          static_cast<uint8_t>(clamped(round_even(x[i] * inverse), -kHalf, kHalf - 1) + kHalf);
    }
    pack_plain<kBits>(code, out + 2, out + kNibbles);
  }
};

// Q4_1, Q5_1: x = d · q + m.
template <int kBits>
struct MinimumBlocks {
  static constexpr int kLargest = (1 << kBits) - 1;
  static constexpr size_t kNibbles = kBits == 4 ? 4 : 8;
  static constexpr size_t kBytes = kNibbles + kPlainHalf;

  static void quantise(const float* x, size_t count, const float* importance, uint8_t* out) {
    if (importance != nullptr) return fit(x, count, importance, out);
    for (size_t at = 0; at < count; at += kPlainBlock, x += kPlainBlock, out += kBytes) {
      encode(x, out);
    }
  }

 private:
  // The range of the values in even steps.
  static void encode(const float* x, uint8_t* out) {
    float low = x[0], high = x[0];
    for (size_t i = 1; i < kPlainBlock; ++i) {
      low = x[i] < low ? x[i] : low;
      high = x[i] > high ? x[i] : high;
    }
    const float d = (high - low) / kLargest;
    const float inverse = reciprocal(d);
    store_u16(out, f16_of_f32(d));
    // Of a zero, the one without a sign.
    store_u16(out + 2, f16_of_f32(low + 0.0f));
    uint8_t code[kPlainBlock];
    for (size_t i = 0; i < kPlainBlock; ++i) {
      const int whole = static_cast<int>((x[i] - low) * inverse + 0.5f);
      code[i] = static_cast<uint8_t>(whole < kLargest ? whole : kLargest);
    }
    pack_plain<kBits>(code, out + 4, out + kNibbles);
  }

  static void fit(const float* x, size_t count, const float* importance, uint8_t* out) {
    for (PlainGroups groups(x, count, importance); groups.more(); groups.next()) {
      OffsetSearch<kPlainBlock, kLargest, 21> search;
      const OffsetFit fit = search.run(groups.values, &groups.weights, -1);
      for (size_t i = 0; i < groups.count; ++i) {
        write_fitted(groups.block(i), fit.scale[i], fit.offset[i], out + groups.index(i) * kBytes);
      }
    }
  }

  static void write_fitted(const float* x, double scale, double offset, uint8_t* out) {
    const double d = store_f16(out, scale);
    const double m = store_f16(out + 2, 0 - offset);
    const double inverse = d == 0 ? 0 : 1 / d;
    uint8_t code[kPlainBlock];
    for (size_t i = 0; i < kPlainBlock; ++i) {
      code[i] = static_cast<uint8_t>(clamped(round_even((x[i] - m) * inverse), 0, kLargest));
    }
    pack_plain<kBits>(code, out + 4, out + kNibbles);
  }
};

}  // namespace
}  // namespace hearth
