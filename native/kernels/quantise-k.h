// Quantisers of the K types: super-blocks of 256 elements whose groups have scales in steps of the
// block's own. The layouts are drawn in src/quant, whose bytes these are. Internal to kernels/.
#pragma once

#include "quantise-plain.h"

namespace hearth {
namespace {

constexpr size_t kSuperBlock = 256;

// A super-block as groups of kCount elements, eight groups a part.
template <size_t kCount>
struct SuperGroups {
  static constexpr size_t kParts = kSuperBlock / kCount / kLanes;
  Groups<kCount> values[kParts];
  Groups<kCount> weights[kParts];

  // Weights only where an importance is known.
  void load(const float* x, const float* importance) {
    const F64x8 mean = every_lane(importance == nullptr ? 0 : mean_square(x, kSuperBlock));
    for (size_t part = 0; part < kParts; ++part) {
      const size_t at = part * kLanes * kCount;
      values[part].load(x + at, kCount, kLanes);
      if (importance == nullptr) continue;
      Groups<kCount> given;
      given.load(importance + at, kCount, kLanes);
      weigh(values[part], given, mean, weights[part]);
    }
  }
};

// 0 where a scale is 0.
HEARTH_LANE_INLINE F64x8 inverse_or_zero(F64x8 scale) { return scale == 0 ? F64x8{} : 1 / scale; }

// Codes of groups, [element in group, group].
template <size_t kCount>
HEARTH_LANE_INLINE void encode_groups(const Groups<kCount>& values, F64x8 scale, F64x8 offset,
                                      double low, double high, U8x8* codes) {
  const F64x8 inverse = inverse_or_zero(scale);
  for (size_t i = 0; i < kCount; ++i) {
    const F64x8 code = round_even((values.x[i] + offset) * inverse);
    codes[i] = bytes_of(clamped(code, low, high) - low);
  }
}

HEARTH_LANE_INLINE double largest_lane(F64x8 x, double most) {
  for (size_t lane = 0; lane < kLanes; ++lane) most = x[lane] > most ? x[lane] : most;
  return most;
}

// Q4_K, Q5_K: x = d · s[group] · q − dmin · m[group], eight groups of 32.
template <int kBits>
struct OffsetSuperBlocks {
  static constexpr size_t kGroup = 32;
  static constexpr double kSteps = 63;
  static constexpr int kLargest = (1 << kBits) - 1;
  static constexpr size_t kHighBits = 16;
  static constexpr size_t kCodes = kBits == 4 ? 16 : 48;
  static constexpr size_t kBytes = kCodes + 128;
  // ggml's numbers for the types.
  static constexpr double kFirst = kBits == 4 ? -1 : -0.5;
  static constexpr int kCandidates = kBits == 4 ? 21 : 16;

  static void quantise(const float* x, size_t count, const float* importance, uint8_t* out) {
    for (size_t at = 0; at < count; at += kSuperBlock, out += kBytes) {
      write(x + at, importance == nullptr ? nullptr : importance + at, out);
    }
  }

 private:
  static void write(const float* x, const float* importance, uint8_t* out) {
    SuperGroups<kGroup> block;
    block.load(x, importance);
    const Groups<kGroup>& values = block.values[0];
    OffsetSearch<kGroup, kLargest, kCandidates> search;
    const OffsetFit fit =
        search.run(values, importance == nullptr ? nullptr : block.weights, kFirst);
    const double most = largest_lane(fit.scale, 0), most_offset = largest_lane(fit.offset, 0);
    const F64x8 scales = to_steps(fit.scale, most), offsets = to_steps(fit.offset, most_offset);
    const double d = store_f16(out, most / kSteps);
    const double dmin = store_f16(out + 2, most_offset / kSteps);
    write_steps(scales, offsets, out + 4);
    U8x8 codes[kGroup];
    encode_groups(values, d * scales, dmin * offsets, 0, kLargest, codes);
    pack(codes, out);
  }

  // Each value in steps of the largest / 63.
  HEARTH_LANE_INLINE static F64x8 to_steps(F64x8 values, double largest) {
    const double inverse = largest > 0 ? kSteps / largest : 0;
    return clamped(round_even(values * inverse), 0, kSteps);
  }

  HEARTH_LANE_INLINE static void write_steps(F64x8 scales, F64x8 offsets, uint8_t* out) {
    const U8x8 s = bytes_of(scales), m = bytes_of(offsets);
    for (size_t group = 0; group < 4; ++group) {
      out[group] = static_cast<uint8_t>(s[group] | ((s[group + 4] >> 4) << 6));
      out[4 + group] = static_cast<uint8_t>(m[group] | ((m[group + 4] >> 4) << 6));
      out[8 + group] = static_cast<uint8_t>((s[group + 4] & 15) | ((m[group + 4] & 15) << 4));
    }
  }

  static void pack(const U8x8* codes, uint8_t* out) {
    for (size_t pair = 0; pair < 4; ++pair) {
      uint8_t* to = out + kCodes + pair * kGroup;
      for (size_t i = 0; i < kGroup; ++i) {
        to[i] =
            static_cast<uint8_t>((codes[i][2 * pair] & 15) | ((codes[i][2 * pair + 1] & 15) << 4));
      }
    }
    if constexpr (kBits == 5) {
      for (size_t i = 0; i < kGroup; ++i) {
        uint8_t high = 0;
        for (size_t group = 0; group < 8; ++group) high |= (codes[i][group] >> 4) << group;
        out[kHighBits + i] = high;
      }
    }
  }
};

// The types whose super-blocks are sixteen groups of 16. Each half (128 elements) is four rows of 32.
constexpr size_t kSmallGroup = 16;
constexpr size_t kSmallGroups = 16;

// Codes of a super-block in the order of its elements.
inline void unfold(const U8x8 codes[2][kSmallGroup], uint8_t* to) {
  for (size_t group = 0; group < kSmallGroups; ++group) {
    for (size_t i = 0; i < kSmallGroup; ++i) {
      to[group * kSmallGroup + i] = codes[group / kLanes][i][group % kLanes];
    }
  }
}

// Two bits of each code, from bit `shift` of it on: row r of a half from bit 2r of the half's 32 bytes.
inline void pack_pairs(const uint8_t* code, int shift, uint8_t* out) {
  for (size_t half = 0; half < 2; ++half) {
    const uint8_t* from = code + 128 * half;
    for (size_t i = 0; i < 32; ++i) {
      uint8_t byte = 0;
      for (size_t row = 0; row < 4; ++row) {
        byte |= static_cast<uint8_t>(((from[32 * row + i] >> shift) & 3) << (2 * row));
      }
      out[32 * half + i] = byte;
    }
  }
}

// Q2_K: x = d · s[group] · q − dmin · m[group].
struct Q2Blocks {
  static constexpr size_t kBytes = 84, kCodes = 16, kScale = 80;
  static constexpr double kSteps = 15;

  static void quantise(const float* x, size_t count, const float* importance, uint8_t* out) {
    for (size_t at = 0; at < count; at += kSuperBlock, out += kBytes) {
      write(x + at, importance == nullptr ? nullptr : importance + at, out);
    }
  }

 private:
  static void write(const float* x, const float* importance, uint8_t* out) {
    SuperGroups<kSmallGroup> block;
    block.load(x, importance);
    OffsetFit fit[2];
    double most = 0, most_offset = 0;
    for (size_t part = 0; part < 2; ++part) {
      OffsetSearch<kSmallGroup, 3, 16> search;
      fit[part] = search.run(block.values[part],
                             importance == nullptr ? nullptr : &block.weights[part], -0.5);
      most = largest_lane(fit[part].scale, most);
      most_offset = largest_lane(fit[part].offset, most_offset);
    }
    const double d = store_f16(out + kScale, most / kSteps);
    const double dmin = store_f16(out + kScale + 2, most_offset / kSteps);
    U8x8 codes[2][kSmallGroup];
    for (size_t part = 0; part < 2; ++part) {
      const F64x8 s = to_steps(fit[part].scale, d), m = to_steps(fit[part].offset, dmin);
      encode_groups(block.values[part], d * s, dmin * m, 0, 3, codes[part]);
      const U8x8 low = bytes_of(s), high = bytes_of(m);
      for (size_t lane = 0; lane < kLanes; ++lane) {
        out[part * kLanes + lane] = static_cast<uint8_t>(low[lane] | (high[lane] << 4));
      }
    }
    uint8_t code[kSuperBlock];
    unfold(codes, code);
    pack_pairs(code, 0, out + kCodes);
  }

  HEARTH_LANE_INLINE static F64x8 to_steps(F64x8 values, double unit) {
    if (unit == 0) return F64x8{};
    return clamped(round_even(values / unit), 0, kSteps);
  }
};

// Q3_K, Q6_K: x = d · s[group] · q with signed q.
template <int kHalf>
struct SignedSuperBlock {
  SuperGroups<kSmallGroup> block;
  // binary32, as the reference keeps them.
  float scales[kSmallGroups];
  float largest = 0;
  uint8_t code[kSuperBlock];

  void search(const float* x, const float* importance) {
    block.load(x, importance);
    for (size_t part = 0; part < 2; ++part) {
      if (importance == nullptr) weigh_by_square(block.values[part], block.weights[part]);
      const F64x8 found =
          search_signed_scale<kSmallGroup, kHalf>(block.values[part], block.weights[part]);
      for (size_t lane = 0; lane < kLanes; ++lane) {
        scales[part * kLanes + lane] = static_cast<float>(found[lane]);
      }
    }
    largest = first_largest(scales, kSmallGroups);
  }

  // The scale of a group in steps of largest / −kSteps.
  template <int kSteps>
  double step(size_t group) const {
    if (largest == 0) return 0;
    return clamped(round_even(scales[group] / static_cast<double>(largest) * -kSteps), -kSteps,
                   kSteps - 1);
  }

  // Codes from 0 up, given the groups' scales as they will be read.
  void encode(const double* rounded) {
    U8x8 codes[2][kSmallGroup];
    for (size_t part = 0; part < 2; ++part) {
      F64x8 scale;
      for (size_t lane = 0; lane < kLanes; ++lane) scale[lane] = rounded[part * kLanes + lane];
      encode_groups(block.values[part], scale, F64x8{}, -kHalf, kHalf - 1, codes[part]);
    }
    unfold(codes, code);
  }
};

inline void quantise_q3_k(const float* x, size_t count, const float* importance, uint8_t* out) {
  constexpr size_t kBytes = 110, kCodes = 32, kSteps = 96, kScale = 108;
  for (size_t at = 0; at < count; at += kSuperBlock, out += kBytes) {
    SignedSuperBlock<4> block;
    block.search(x + at, importance == nullptr ? nullptr : importance + at);
    std::memset(out, 0, kBytes);
    const double d = store_f16(out + kScale, block.largest / -32.0);
    double rounded[kSmallGroups];
    for (size_t group = 0; group < kSmallGroups; ++group) {
      const double step = block.step<32>(group);
      rounded[group] = d * step;
      const auto six = static_cast<unsigned>(step + 32);
      out[kSteps + (group & 7)] |= static_cast<uint8_t>((six & 15) << (4 * (group >> 3)));
      out[kSteps + 8 + (group & 3)] |= static_cast<uint8_t>((six >> 4) << (2 * (group >> 2)));
    }
    block.encode(rounded);
    pack_pairs(block.code, 0, out + kCodes);
    for (size_t i = 0; i < 32; ++i) {
      uint8_t third = 0;
      for (size_t row = 0; row < 8; ++row) {
        third |= static_cast<uint8_t>((block.code[32 * row + i] >> 2) << row);
      }
      out[i] = third;
    }
  }
}

inline void quantise_q6_k(const float* x, size_t count, const float* importance, uint8_t* out) {
  constexpr size_t kBytes = 210, kHighBits = 128, kSteps = 192, kScale = 208;
  for (size_t at = 0; at < count; at += kSuperBlock, out += kBytes) {
    SignedSuperBlock<32> block;
    block.search(x + at, importance == nullptr ? nullptr : importance + at);
    std::memset(out, 0, kBytes);
    if (block.largest == 0) continue;
    const double d = store_f16(out + kScale, block.largest / -128.0);
    double rounded[kSmallGroups];
    for (size_t group = 0; group < kSmallGroups; ++group) {
      const double step = block.step<128>(group);
      rounded[group] = d * step;
      out[kSteps + group] = static_cast<uint8_t>(static_cast<int8_t>(step));
    }
    block.encode(rounded);
    pack_pairs(block.code, 4, out + kHighBits);
    for (size_t half = 0; half < 2; ++half) {
      const uint8_t* code = block.code + 128 * half;
      uint8_t* low = out + 64 * half;
      for (size_t i = 0; i < 64; ++i) {
        low[i] = static_cast<uint8_t>((code[i] & 15) | ((code[64 + i] & 15) << 4));
      }
    }
  }
}

}  // namespace
}  // namespace hearth
