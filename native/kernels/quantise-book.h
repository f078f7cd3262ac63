// Quantisers of the types whose codes are indexes into a book of sixteen values, and of those whose
// codes are -1, 0 or 1. The layouts are drawn in src/quant, whose bytes these are.
// Internal to kernels/.
#pragma once

#include "quantise-k.h"

namespace hearth {
namespace {

// Source: ggml, kvalues_iq4nl and kvalues_mxfp4 (ggml-common.h).
constexpr int kDenseBook[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                1,    13,   25,  38,  53,  69,  89,  113};
// Doubled to be whole; 8 + code is the same with a minus.
constexpr int kFloatBook[8] = {0, 1, 2, 3, 4, 6, 8, 12};

// The code of the nearest value; of two the first.
template <size_t kCount>
HEARTH_LANE_INLINE int nearest_of(const int (&book)[kCount], double value) {
  int code = 0;
  for (size_t i = 1; i < kCount; ++i) code += value > (book[i - 1] + book[i]) / 2.0;
  return code;
}

HEARTH_LANE_INLINE int nearest_dense(double value) { return nearest_of(kDenseBook, value); }

HEARTH_LANE_INLINE int nearest_float(double value) {
  const int code = nearest_of(kFloatBook, std::fabs(value));
  return value < 0 && code > 0 ? code + 8 : code;
}

// Two codes a byte, the first half of the elements in the low nibbles.
template <class Nearest>
HEARTH_LANE_INLINE void write_book_codes(const float* x, size_t count, double scale, uint8_t* out,
                                         Nearest nearest) {
  const double inverse = scale == 0 ? 0 : 1 / scale;
  for (size_t i = 0; i < count / 2; ++i) {
    const int low = nearest(x[i] * inverse), high = nearest(x[count / 2 + i] * inverse);
    out[i] = static_cast<uint8_t>(low | (high << 4));
  }
}

// The scales in the dense book that leave the least error; they may be negative. 0 for negligible
// values. Source: ggml, quantize_row_iq4_nl_impl.
HEARTH_LANE_INLINE F64x8 search_book_scale(const Groups<kPlainBlock>& values,
                                           const Groups<kPlainBlock>& weights) {
  constexpr int kTries = 7;
  const F64x8 largest = signed_largest(values);
  ScaleChoice choice;
  for (int step = -kTries; step <= kTries; ++step) {
    choice.consider(values, weights, (step + kDenseBook[0]) / largest, [](F64x8 scaled) {
      F64x8 q = every_lane(kDenseBook[0]);
      for (size_t i = 1; i < 16; ++i) {
        const double middle = (kDenseBook[i - 1] + kDenseBook[i]) / 2.0;
        q = scaled > middle ? every_lane(kDenseBook[i]) : q;
      }
      return q;
    });
  }
  return magnitude(largest) < kNegligible ? F64x8{} : choice.scale;
}

inline void quantise_iq4_nl(const float* x, size_t count, const float* importance, uint8_t* out) {
  constexpr size_t kBytes = 18;
  for (PlainGroups groups(x, count, importance); groups.more(); groups.next()) {
    const F64x8 found = search_book_scale(groups.values, groups.weights);
    for (size_t i = 0; i < groups.count; ++i) {
      uint8_t* to = out + groups.index(i) * kBytes;
      const double scale = store_f16(to, found[i]);
      write_book_codes(groups.block(i), kPlainBlock, scale, to + 2, nearest_dense);
    }
  }
}

inline void quantise_iq4_xs(const float* x, size_t count, const float* importance, uint8_t* out) {
  constexpr size_t kBytes = 136, kHigh = 2, kLow = 4, kCodes = 8;
  for (size_t at = 0; at < count; at += kSuperBlock, out += kBytes) {
    SuperGroups<kPlainBlock> block;
    block.load(x + at, importance == nullptr ? nullptr : importance + at);
    if (importance == nullptr) weigh_by_square(block.values[0], block.weights[0]);
    const F64x8 found = search_book_scale(block.values[0], block.weights[0]);
    float scales[kLanes];
    for (size_t group = 0; group < kLanes; ++group)
      scales[group] = static_cast<float>(found[group]);
    std::memset(out, 0, kCodes);
    const double d = store_f16(out, first_largest(scales, kLanes) / -32.0);
    uint16_t high = 0;
    for (size_t group = 0; group < kLanes; ++group) {
      const double wanted = d == 0 ? 0 : round_even(scales[group] / d);
      const double step = clamped(wanted, -32, 31);
      const auto six = static_cast<unsigned>(step + 32);
      out[kLow + (group >> 1)] |= static_cast<uint8_t>((six & 15) << (4 * (group & 1)));
      high |= static_cast<uint16_t>((six >> 4) << (2 * group));
      write_book_codes(x + at + group * kPlainBlock, kPlainBlock, d * step,
                       out + kCodes + group * kPlainHalf, nearest_dense);
    }
    store_u16(out + kHigh, high);
  }
}

// 2^exponent
inline double power_of_two(int exponent) { return std::ldexp(1.0, exponent); }

inline void quantise_mxfp4(const float* x, size_t count, const float*, uint8_t* out) {
  constexpr size_t kBytes = 17;
  for (size_t at = 0; at < count; at += kPlainBlock, x += kPlainBlock, out += kBytes) {
    const float largest = largest_magnitude(x, kPlainBlock);
    // The largest value of the book is 6 = 1.5 · 2^2 before it is doubled.
    const int wanted = largest == 0 ? 0 : std::ilogb(largest) - 2 + 127;
    const int exponent = wanted > 0 ? wanted : 0;
    out[0] = static_cast<uint8_t>(exponent);
    write_book_codes(x, kPlainBlock, power_of_two(exponent - 128), out + 1, nearest_float);
  }
}

// Half of an E4M3 number without its sign, of those that scale_byte gives.
inline double halved_e4m3(int byte) {
  const int exponent = byte >> 3, mantissa = byte & 7;
  return exponent == 0 ? mantissa * power_of_two(-10)
                       : (8 + mantissa) * power_of_two(exponent - 11);
}

// The nearest E4M3 number, halves up; at most 448.
inline int e4m3_byte(double value) {
  if (value == 0) return 0;
  const int wanted = std::ilogb(value);
  const int exponent = wanted > -6 ? wanted : -6;
  // Steps of 2^(exponent - 3): 8..16 of them in a binade, 0..8 below the smallest normal.
  const double steps = std::floor(value / power_of_two(exponent - 3) + 0.5);
  const double byte = (exponent + 6) * 8 + steps;
  return byte < 0x7e ? static_cast<int>(byte) : 0x7e;
}

inline void quantise_nvfp4(const float* x, size_t count, const float*, uint8_t* out) {
  constexpr size_t kBlock = 64, kBytes = 36, kGroup = 16, kCodes = 4;
  for (size_t at = 0; at < count; at += kBlock, x += kBlock, out += kBytes) {
    for (size_t group = 0; group < kBlock / kGroup; ++group) {
      const float* from = x + group * kGroup;
      const int byte = e4m3_byte(static_cast<double>(largest_magnitude(from, kGroup)) / 6);
      out[group] = static_cast<uint8_t>(byte);
      write_book_codes(from, kGroup, halved_e4m3(byte), out + kCodes + group * kGroup / 2,
                       nearest_float);
    }
  }
}

// Codes 0, 1, 2 of -d, 0, d; d, the largest magnitude, is the last two bytes of a block.
inline void ternary_codes(const float* x, uint8_t* code, uint8_t* scale) {
  const float largest = largest_magnitude(x, kSuperBlock);
  const float inverse = reciprocal(largest);
  for (size_t i = 0; i < kSuperBlock; ++i) {
    code[i] = static_cast<uint8_t>(1 + round_away(x[i] * inverse));
  }
  store_u16(scale, f16_of_f32(largest));
}

inline void quantise_tq2_0(const float* x, size_t count, const float*, uint8_t* out) {
  constexpr size_t kBytes = 66;
  for (size_t at = 0; at < count; at += kSuperBlock, out += kBytes) {
    uint8_t code[kSuperBlock];
    ternary_codes(x + at, code, out + kBytes - 2);
    pack_pairs(code, 0, out);
  }
}

inline void quantise_tq1_0(const float* x, size_t count, const float*, uint8_t* out) {
  constexpr size_t kBytes = 54;
  struct Part {
    size_t at, bytes, first, rows;
  };
  constexpr Part kParts[] = {{0, 32, 0, 5}, {32, 16, 160, 5}, {48, 4, 240, 4}};
  for (size_t at = 0; at < count; at += kSuperBlock, out += kBytes) {
    uint8_t code[kSuperBlock];
    ternary_codes(x + at, code, out + kBytes - 2);
    for (const Part& part : kParts) {
      for (size_t i = 0; i < part.bytes; ++i) {
        unsigned number = 0;
        for (size_t row = 0; row < 5; ++row) {
          number = 3 * number + (row < part.rows ? code[part.first + row * part.bytes + i] : 0);
        }
        // Digits to the base 3 as a fraction in 256ths, rounded up.
        out[part.at + i] = static_cast<uint8_t>((number * 256 + 242) / 243);
      }
    }
  }
}

}  // namespace
}  // namespace hearth
