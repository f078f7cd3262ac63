// What the lattice types are, to the quantiser of quantise-lattice.h, and how the parts of a block lie in
// its bytes (drawn in src/quant). Internal to kernels/.
#pragma once

#include "quantise-lattice.h"

namespace hearth {
namespace {

inline void store_u32(uint8_t* to, uint32_t value) { std::memcpy(to, &value, sizeof value); }

// Four times seven signs, and a step above them.
inline uint32_t signs_and_step(const LatticeParts& parts, size_t group) {
  uint32_t word = static_cast<uint32_t>(parts.steps[group]) << 28;
  for (size_t i = 0; i < 4; ++i) word |= (parts.signs[4 * group + i] & 127u) << (7 * i);
  return word;
}

inline void store_nibbles(const uint8_t* values, size_t count, uint8_t* to) {
  for (size_t i = 0; i < count; i += 2) {
    to[i / 2] = static_cast<uint8_t>(values[i] | (values[i + 1] << 4));
  }
}

template <size_t kPointCount, size_t kPointWidth, size_t kScaleElements>
struct Magnitudes {
  static constexpr size_t kCount = kPointCount, kWidth = kPointWidth, kScale = kScaleElements;
  static constexpr size_t kShared = 1;
  static constexpr int kLargestStep = 15;
};

struct WriteIq2Xxs : Magnitudes<256, 8, 32> {
  static constexpr const auto& kPoints = kLatticeIq2Xxs;
  static constexpr LatticeSigns kSigns = LatticeSigns::kEven;
  static constexpr size_t kBytes = 66;
  static double factor(int step) { return (0.5 + step) * 0.25; }
  static void pack(const LatticeParts& parts, uint8_t* out) {
    store_f16(out, parts.d);
    for (size_t group = 0; group < 8; ++group) {
      uint8_t* to = out + 2 + 8 * group;
      for (size_t i = 0; i < 4; ++i) to[i] = static_cast<uint8_t>(parts.points[4 * group + i]);
      store_u32(to + 4, signs_and_step(parts, group));
    }
  }
};

struct WriteIq2Xs : Magnitudes<512, 8, 16> {
  static constexpr const auto& kPoints = kLatticeIq2Xs;
  static constexpr LatticeSigns kSigns = LatticeSigns::kEven;
  static constexpr size_t kBytes = 74;
  static double factor(int step) { return (0.5 + step) * 0.25; }
  static void pack(const LatticeParts& parts, uint8_t* out) {
    store_f16(out, parts.d);
    for (size_t i = 0; i < kOctets; ++i) {
      store_u16(out + 2 + 2 * i,
                static_cast<uint16_t>(parts.points[i] | ((parts.signs[i] & 127) << 9)));
    }
    store_nibbles(parts.steps, 16, out + 66);
  }
};

struct WriteIq2S : Magnitudes<1024, 8, 16> {
  static constexpr const auto& kPoints = kLatticeIq2S;
  static constexpr LatticeSigns kSigns = LatticeSigns::kFree;
  static constexpr size_t kBytes = 82;
  static double factor(int step) { return (0.5 + step) * 0.25; }
  static void pack(const LatticeParts& parts, uint8_t* out) {
    store_f16(out, parts.d);
    for (size_t i = 0; i < kOctets; ++i) {
      out[2 + i] = static_cast<uint8_t>(parts.points[i]);
      out[34 + i] = parts.signs[i];
      out[66 + i / 4] |= static_cast<uint8_t>((parts.points[i] >> 8) << (2 * (i % 4)));
    }
    store_nibbles(parts.steps, 16, out + 74);
  }
};

struct WriteIq3Xxs : Magnitudes<256, 4, 32> {
  static constexpr const auto& kPoints = kLatticeIq3Xxs;
  static constexpr LatticeSigns kSigns = LatticeSigns::kEven;
  static constexpr size_t kBytes = 98;
  static double factor(int step) { return (0.5 + step) * 0.5; }
  static void pack(const LatticeParts& parts, uint8_t* out) {
    store_f16(out, parts.d);
    for (size_t i = 0; i < 64; ++i) out[2 + i] = static_cast<uint8_t>(parts.points[i]);
    for (size_t group = 0; group < 8; ++group) {
      store_u32(out + 66 + 4 * group, signs_and_step(parts, group));
    }
  }
};

struct WriteIq3S : Magnitudes<512, 4, 32> {
  static constexpr const auto& kPoints = kLatticeIq3S;
  static constexpr LatticeSigns kSigns = LatticeSigns::kFree;
  static constexpr size_t kBytes = 110;
  static double factor(int step) { return 1 + 2 * step; }
  static void pack(const LatticeParts& parts, uint8_t* out) {
    store_f16(out, parts.d);
    for (size_t i = 0; i < 64; ++i) {
      out[2 + i] = static_cast<uint8_t>(parts.points[i]);
      out[66 + i / 8] |= static_cast<uint8_t>((parts.points[i] >> 8) << (i % 8));
    }
    std::memcpy(out + 74, parts.signs, kOctets);
    store_nibbles(parts.steps, 8, out + 106);
  }
};

// Points of −1, 0 and 1, shifted.
template <size_t kScaleElements>
struct Shifted {
  static constexpr const auto& kPoints = kLatticeIq1;
  static constexpr size_t kCount = 2048, kWidth = 8, kScale = kScaleElements;
  static constexpr LatticeSigns kSigns = LatticeSigns::kShift;
  static constexpr int kLargestStep = 7;
  static double factor(int step) { return 2 * step + 1; }
};

struct WriteIq1S : Shifted<32> {
  static constexpr size_t kShared = 4, kBytes = 50;
  static void pack(const LatticeParts& parts, uint8_t* out) {
    store_f16(out, parts.d);
    for (size_t group = 0; group < 8; ++group) {
      unsigned word = (parts.steps[group] << 12) | (parts.signs[4 * group] << 15);
      for (size_t i = 0; i < 4; ++i) {
        const unsigned point = parts.points[4 * group + i];
        out[2 + 4 * group + i] = static_cast<uint8_t>(point);
        word |= (point >> 8) << (3 * i);
      }
      store_u16(out + 34 + 2 * group, static_cast<uint16_t>(word));
    }
  }
};

struct WriteIq1M : Shifted<16> {
  static constexpr size_t kShared = 1, kBytes = 56;
  static void pack(const LatticeParts& parts, uint8_t* out) {
    const unsigned d = f16_of_f32(static_cast<float>(parts.d));
    for (size_t word = 0; word < 4; ++word) {
      unsigned bits = ((d >> (4 * word)) & 15) << 12;
      for (size_t i = 0; i < 4; ++i) bits |= parts.steps[4 * word + i] << (3 * i);
      store_u16(out + 48 + 2 * word, static_cast<uint16_t>(bits));
    }
    for (size_t i = 0; i < kOctets; ++i) {
      out[i] = static_cast<uint8_t>(parts.points[i]);
      const unsigned high = (parts.points[i] >> 8) | (parts.signs[i] << 3);
      out[32 + i / 2] |= static_cast<uint8_t>(high << (4 * (i % 2)));
    }
  }
};

}  // namespace
}  // namespace hearth
