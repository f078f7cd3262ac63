// The weights of the lattice types, element by element from the definitions of their formats. Only
// the points are those of the kernels: lattices_test.cc compares them with ggml's.
#pragma once

#include "kernels/lattices.h"
#include "values.h"

namespace hearth_test {

// Value i of a block is value i % 8 of its eight, k = i / 8.
struct Place {
  size_t k;
  size_t at;
};

// Minus signs among eight: seven bits say which, the eighth makes their number even.
inline bool is_minus(uint32_t seven, size_t at) {
  if (at < 7) return seven >> at & 1;
  int count = 0;
  for (size_t i = 0; i < 7; ++i) count += static_cast<int>(seven >> i & 1);
  return count % 2 == 1;
}

inline Weight signed_weight(double scale, int size, bool minus) {
  return affine(scale, minus ? -size : size, 0);
}

inline Weight iq2_xxs_weight(const uint8_t* b, Place p) {
  const uint8_t* group = b + 2 + p.k / 4 * 8;
  const uint32_t bits = bits_at(group + 4, 4);
  return signed_weight(f16_value(b) * (2 * (bits >> 28) + 1) / 8,
                       hearth::kLatticeIq2Xxs.point[group[p.k % 4]][p.at],
                       is_minus(bits >> 7 * (p.k % 4) & 127, p.at));
}

inline Weight iq2_xs_weight(const uint8_t* b, Place p) {
  const uint32_t bits = bits_at(b + 2 + 2 * p.k, 2);
  return signed_weight(f16_value(b) * (2 * nibble_of(b + 66, p.k / 2) + 1) / 8,
                       hearth::kLatticeIq2Xs.point[bits % 512][p.at], is_minus(bits / 512, p.at));
}

inline Weight iq2_s_weight(const uint8_t* b, Place p) {
  const int high = b[66 + p.k / 4] >> 2 * (p.k % 4) & 3;
  return signed_weight(f16_value(b) * (2 * nibble_of(b + 74, p.k / 2) + 1) / 8,
                       hearth::kLatticeIq2S.point[b[2 + p.k] + 256 * high][p.at],
                       b[34 + p.k] >> p.at & 1);
}

inline Weight iq3_xxs_weight(const uint8_t* b, Place p) {
  const uint32_t bits = bits_at(b + 66 + p.k / 4 * 4, 4);
  return signed_weight(f16_value(b) * (2 * (bits >> 28) + 1) / 4,
                       hearth::kLatticeIq3Xxs.point[b[2 + 2 * p.k + p.at / 4]][p.at % 4],
                       is_minus(bits >> 7 * (p.k % 4) & 127, p.at));
}

inline Weight iq3_s_weight(const uint8_t* b, Place p) {
  const size_t index = 2 * p.k + p.at / 4;
  const int high = b[66 + index / 8] >> index % 8 & 1;
  return signed_weight(f16_value(b) * (2 * nibble_of(b + 106, p.k / 4) + 1),
                       hearth::kLatticeIq3S.point[b[2 + index] + 256 * high][p.at % 4],
                       b[74 + p.k] >> p.at & 1);
}

// Eighths of a point of −1, 0, 1, one up or down.
inline Weight iq1_weight(double scale, size_t index, bool down, size_t at) {
  const int eighths = hearth::kLatticeIq1.point[index][at] - 128;
  return affine(scale / 8, eighths + (down ? -1 : 1), 0);
}

inline Weight iq1_s_weight(const uint8_t* b, Place p) {
  const uint32_t bits = bits_at(b + 34 + p.k / 4 * 2, 2);
  const size_t index = b[2 + p.k] + 256 * (bits >> 3 * (p.k % 4) & 7);
  return iq1_weight(f16_value(b) * (2 * (bits >> 12 & 7) + 1), index, bits >> 15, p.at);
}

inline Weight iq1_m_weight(const uint8_t* b, Place p) {
  uint8_t half[2] = {static_cast<uint8_t>(b[49] >> 4 | (b[51] & 0xf0)),
                     static_cast<uint8_t>(b[53] >> 4 | (b[55] & 0xf0))};
  const size_t group = p.k / 2;
  const int scale = static_cast<int>(bits_at(b + 48 + group / 4 * 2, 2) >> 3 * (group % 4) & 7);
  const int high = nibble_of(b + 32, p.k);
  return iq1_weight(f16_value(half) * (2 * scale + 1), b[p.k] + 256u * (high & 7), high & 8, p.at);
}

inline Weight lattice_weight(WeightType type, const uint8_t* b, size_t i) {
  const Place place = {i / 8, i % 8};
  switch (type) {
    case WeightType::kIQ2_XXS:
      return iq2_xxs_weight(b, place);
    case WeightType::kIQ2_XS:
      return iq2_xs_weight(b, place);
    case WeightType::kIQ2_S:
      return iq2_s_weight(b, place);
    case WeightType::kIQ3_XXS:
      return iq3_xxs_weight(b, place);
    case WeightType::kIQ3_S:
      return iq3_s_weight(b, place);
    case WeightType::kIQ1_S:
      return iq1_s_weight(b, place);
    case WeightType::kIQ1_M:
      return iq1_m_weight(b, place);
    default:
      std::abort();
  }
}

}  // namespace hearth_test
