// Codecs of the types whose codes are points of a lattice: eight (IQ1, IQ2) or four (IQ3) values by
// one index. The contract and the source: codecs.h. The points: lattices.h.
// Internal to kernels/.
#pragma once

#include "blocks.h"
#include "lattices.h"

namespace hearth {
namespace {

// What the lattice types have in common: blocks of 256, with a scale for each kLength weights.
template <size_t kBlockBytes, size_t kLength>
struct LatticeBlock {
  static constexpr XFormat kX = XFormat::kQ8;
  static constexpr size_t kBlock = 256, kBytes = kBlockBytes, kSubGroup = kLength;
  static constexpr int kZero = 128;
  static constexpr bool kHasMinimum = false;
};

// Eight bytes are handled at once in a word, the first lowest: none carries into the next.
constexpr uint64_t kEachByte = 0x0101010101010101;

inline uint64_t load_u64(const uint8_t* p) {
  uint64_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

// Eight magnitudes, 1 … 127, with the sign of bit i for value i.
inline void put_signed(uint64_t magnitudes, unsigned signs, uint8_t* code) {
  // 1 in each byte with a sign: one bit of each is left, and a sum of 127 and a bit reaches 128.
  const uint64_t bits = (signs & 255) * kEachByte & 0x8040201008040201;
  const uint64_t minus = (bits + 127 * kEachByte) >> 7 & kEachByte;
  const uint64_t values = (magnitudes ^ minus * 255) + minus;
  const uint64_t codes = values ^ 128 * kEachByte;
  std::memcpy(code, &codes, sizeof codes);
}

inline uint64_t two_points(const uint8_t* first, const uint8_t* second) {
  return load_u32(first) | static_cast<uint64_t>(load_u32(second)) << 32;
}

// Seven signs; the eighth makes the number of minus signs even.
inline unsigned eight_signs(uint32_t seven) {
  seven &= 127;
  return seven | static_cast<unsigned>(__builtin_parity(seven)) << 7;
}

// Nibble i.
inline int nibble_at(const uint8_t* packed, size_t i) {
  return packed[i / 2] >> (4 * (i % 2)) & 15;
}

// d f16 | 8 × {4 × index u8, u32: 4 × 7 signs, 4 bits of scale}; scale = d (s + ½) / 4
struct IQ2_XXS : LatticeBlock<66, 32> {
  static constexpr WeightType kType = WeightType::kIQ2_XXS;
  static void unpack(const uint8_t* block, uint8_t* code, float* scale, float*) {
    const float d = load_f16(block);
    for (size_t g = 0; g < 8; ++g) {
      const uint8_t* index = block + 2 + 8 * g;
      const uint32_t bits = load_u32(index + 4);
      scale[g] = d * (0.5f + static_cast<float>(bits >> 28)) * 0.25f;
      for (size_t k = 0; k < 4; ++k) {
        put_signed(load_u64(kLatticeIq2Xxs.point[index[k]]), eight_signs(bits >> 7 * k),
                   code + 32 * g + 8 * k);
      }
    }
  }
};

// d f16 | 32 × u16: 9 bits of index, 7 signs | 16 nibbles: scale = d (s + ½) / 4
struct IQ2_XS : LatticeBlock<74, 16> {
  static constexpr WeightType kType = WeightType::kIQ2_XS;
  static void unpack(const uint8_t* block, uint8_t* code, float* scale, float*) {
    const float d = load_f16(block);
    for (size_t g = 0; g < 16; ++g) {
      scale[g] = d * (0.5f + static_cast<float>(nibble_at(block + 66, g))) * 0.25f;
    }
    for (size_t k = 0; k < 32; ++k) {
      const uint32_t bits = load_u16(block + 2 + 2 * k);
      put_signed(load_u64(kLatticeIq2Xs.point[bits & 511]), eight_signs(bits >> 9), code + 8 * k);
    }
  }
};

// d f16 | 32 × low bits of index u8 | 32 × 8 signs | 32 × 2 high bits | 16 nibbles as IQ2_XS
struct IQ2_S : LatticeBlock<82, 16> {
  static constexpr WeightType kType = WeightType::kIQ2_S;
  static void unpack(const uint8_t* block, uint8_t* code, float* scale, float*) {
    const float d = load_f16(block);
    for (size_t g = 0; g < 16; ++g) {
      scale[g] = d * (0.5f + static_cast<float>(nibble_at(block + 74, g))) * 0.25f;
    }
    for (size_t k = 0; k < 32; ++k) {
      const unsigned high = block[66 + k / 4] >> (2 * (k % 4)) & 3;
      put_signed(load_u64(kLatticeIq2S.point[block[2 + k] | high << 8]), block[34 + k],
                 code + 8 * k);
    }
  }
};

// d f16 | 64 × index u8 | 8 × u32: 4 × 7 signs, 4 bits of scale; scale = d (s + ½) / 2
struct IQ3_XXS : LatticeBlock<98, 32> {
  static constexpr WeightType kType = WeightType::kIQ3_XXS;
  static void unpack(const uint8_t* block, uint8_t* code, float* scale, float*) {
    const float d = load_f16(block);
    for (size_t g = 0; g < 8; ++g) {
      const uint32_t bits = load_u32(block + 66 + 4 * g);
      scale[g] = d * (0.5f + static_cast<float>(bits >> 28)) * 0.5f;
      for (size_t k = 0; k < 4; ++k) {
        const uint8_t* index = block + 2 + 8 * g + 2 * k;
        const uint8_t* first = kLatticeIq3Xxs.point[index[0]];
        put_signed(two_points(first, kLatticeIq3Xxs.point[index[1]]), eight_signs(bits >> 7 * k),
                   code + 32 * g + 8 * k);
      }
    }
  }
};

// d f16 | 64 × low bits of index u8 | 64 × high bit | 32 × 8 signs | 8 nibbles: scale = d (2 s + 1)
struct IQ3_S : LatticeBlock<110, 32> {
  static constexpr WeightType kType = WeightType::kIQ3_S;
  static void unpack(const uint8_t* block, uint8_t* code, float* scale, float*) {
    const float d = load_f16(block);
    for (size_t g = 0; g < 8; ++g) {
      scale[g] = d * static_cast<float>(1 + 2 * nibble_at(block + 106, g));
    }
    for (size_t k = 0; k < 32; ++k) {
      const uint8_t* low = block + 2 + 2 * k;
      const unsigned high = block[66 + k / 4] >> (2 * (k % 4));
      const uint8_t* first = kLatticeIq3S.point[low[0] | (high & 1) << 8];
      const uint8_t* second = kLatticeIq3S.point[low[1] | (high >> 1 & 1) << 8];
      put_signed(two_points(first, second), block[74 + k], code + 8 * k);
    }
  }
};

// Eight values of IQ1, in eighths, all shifted by one.
inline void put_shifted(size_t index, bool down, uint8_t* code) {
  const uint64_t point = load_u64(kLatticeIq1.point[index]);
  const uint64_t codes = down ? point - kEachByte : point + kEachByte;
  std::memcpy(code, &codes, sizeof codes);
}

// d f16 | 32 × low bits of index u8 | 8 × u16: 4 × 3 high bits, 3 bits of scale, shift is down
// w = d (2 s + 1) (point ± 1/8), here in eighths.
struct IQ1_S : LatticeBlock<50, 32> {
  static constexpr WeightType kType = WeightType::kIQ1_S;
  static void unpack(const uint8_t* block, uint8_t* code, float* scale, float*) {
    const float d = load_f16(block);
    for (size_t g = 0; g < 8; ++g) {
      const unsigned bits = load_u16(block + 34 + 2 * g);
      scale[g] = d * static_cast<float>(2 * (bits >> 12 & 7) + 1) * 0.125f;
      for (size_t k = 0; k < 4; ++k) {
        const size_t index = block[2 + 4 * g + k] | (bits >> (3 * k) & 7) << 8;
        put_shifted(index, bits >> 15, code + 32 * g + 8 * k);
      }
    }
  }
};

// 32 × low bits of index u8 | 32 nibbles: 3 high bits, shift is down | 4 × u16: 4 × 3 bits of
// scale, 4 bits of d, the lowest first. Weights as IQ1_S.
struct IQ1_M : LatticeBlock<56, 16> {
  static constexpr WeightType kType = WeightType::kIQ1_M;
  static float block_scale(const uint8_t* block) {
    uint32_t half = 0;
    for (size_t k = 0; k < 4; ++k) {
      half |= static_cast<uint32_t>(load_u16(block + 48 + 2 * k) >> 12) << (4 * k);
    }
    return f32_of_f16(static_cast<uint16_t>(half));
  }
  static void unpack(const uint8_t* block, uint8_t* code, float* scale, float*) {
    const float d = block_scale(block);
    for (size_t g = 0; g < 16; ++g) {
      const unsigned bits = load_u16(block + 48 + 2 * (g / 4)) >> (3 * (g % 4)) & 7;
      scale[g] = d * static_cast<float>(2 * bits + 1) * 0.125f;
    }
    for (size_t k = 0; k < 32; ++k) {
      const int high = nibble_at(block + 32, k);
      put_shifted(block[k] | static_cast<size_t>(high & 7) << 8, high & 8, code + 8 * k);
    }
  }
};

}  // namespace
}  // namespace hearth
