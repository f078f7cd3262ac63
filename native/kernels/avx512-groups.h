// Sixteen rows of quantised weights group by group (32 columns): u8 codes, four columns of a row to a
// lane, and the scales and minima of the rows, all of them in registers. Rows are turned as they lie:
// sixteen bytes of each of sixteen rows become four lines by eight shuffles. Of blocks of one group
// eight lie together: their bytes are whole lines, so that scales come out of the turning too (read
// one by one, the sixteen scales of a group took as long as its turning).
// Internal to kernels/.
#pragma once

#include <utility>

#include "avx512-codes.h"
#include "vnni-layout.h"

// Of what must be one function for its arrays to stay in registers. Under a sanitizer, which looks at each
// access, one function of all that takes the compiler ten minutes and gigabytes.
#if defined(__SANITIZE_ADDRESS__)
#define HEARTH_INLINE __attribute__((noinline))
#else
#define HEARTH_INLINE __attribute__((always_inline))
#endif

namespace hearth {
namespace {

// Groups of a unit that is turned together: a block of 256, or eight blocks of 32.
constexpr size_t kUnitGroups = 8;

using TurnedRows = const uint8_t* const*;

// Bytes at … at + 15 of the rows: line i has bytes 4i … 4i + 3 of each, row by row.
inline void turn_16(TurnedRows row, size_t at, __m512i* line) {
  __m512i part[4];  // rows j, 4 + j, 8 + j and 12 + j
  for (size_t j = 0; j < 4; ++j) {
    part[j] = _mm512_castsi128_si512(load_16(row[j] + at));
    part[j] = _mm512_inserti32x4(part[j], load_16(row[4 + j] + at), 1);
    part[j] = _mm512_inserti32x4(part[j], load_16(row[8 + j] + at), 2);
    part[j] = _mm512_inserti32x4(part[j], load_16(row[12 + j] + at), 3);
  }
  const __m512i low_01 = _mm512_unpacklo_epi32(part[0], part[1]);
  const __m512i low_23 = _mm512_unpacklo_epi32(part[2], part[3]);
  const __m512i high_01 = _mm512_unpackhi_epi32(part[0], part[1]);
  const __m512i high_23 = _mm512_unpackhi_epi32(part[2], part[3]);
  line[0] = _mm512_unpacklo_epi64(low_01, low_23);
  line[1] = _mm512_unpackhi_epi64(low_01, low_23);
  line[2] = _mm512_unpacklo_epi64(high_01, high_23);
  line[3] = _mm512_unpackhi_epi64(high_01, high_23);
}

// The f16 of each row that lies `at` bytes behind its beginning.
inline __m512 halves_at(TurnedRows row, size_t at) {
  const auto half = [&](size_t r) { return static_cast<short>(load_u16(row[r] + at)); };
  return _mm512_cvtph_ps(_mm256_setr_epi16(half(0), half(1), half(2), half(3), half(4), half(5),
                                           half(6), half(7), half(8), half(9), half(10), half(11),
                                           half(12), half(13), half(14), half(15)));
}

inline __m512i low_of(__m512i packed) { return _mm512_and_si512(packed, _mm512_set1_epi8(15)); }
inline __m512i high_of(__m512i packed) { return low_of(_mm512_srli_epi16(packed, 4)); }

// Calls body(0), …, body(kCount - 1) with constants: arrays that they index stay in registers.
template <class Body, size_t... kIndex>
HEARTH_INLINE inline void unrolled(std::index_sequence<kIndex...>, Body&& body) {
  (body(std::integral_constant<size_t, kIndex>{}), ...);
}
template <size_t kCount, class Body>
HEARTH_INLINE inline void unrolled(Body&& body) {
  unrolled(std::make_index_sequence<kCount>{}, body);
}

// A group of sixteen rows: code(k) has columns 4k … 4k + 3.
struct NibbleGroup {
  __m512i line[4];
  template <size_t kLine>
  HEARTH_INLINE __m512i code() const {
    return kLine < 4 ? low_of(line[kLine % 4]) : high_of(line[kLine % 4]);
  }
};

struct ByteGroup {
  __m512i line[8];
  template <size_t kLine>
  HEARTH_INLINE __m512i code() const {
    return line[kLine];
  }
};

struct BookGroup {
  __m512i line[4];
  __m512i values;
  template <size_t kLine>
  HEARTH_INLINE __m512i code() const {
    const __m512i packed = line[kLine % 4];
    return _mm512_shuffle_epi8(values, kLine < 4 ? low_of(packed) : high_of(packed));
  }
};

// Bytes at … at + 3 of each row, and the f16 at `at`, an even number, from lines of the unit.
template <size_t kAt>
HEARTH_INLINE inline __m512i bytes_of(const __m512i* line) {
  static_assert(kAt % 2 == 0, "blocks of an even number of bytes");
  if constexpr (kAt % 4 == 0) return line[kAt / 4];
  const __m512i both = _mm512_mask_mov_epi16(line[kAt / 4], 0x55555555, line[(kAt + 2) / 4]);
  return _mm512_rol_epi32(both, 16);
}
template <size_t kAt>
HEARTH_INLINE inline __m512 halves_of(const __m512i* line) {
  const __m512i words = kAt % 4 == 0 ? line[kAt / 4] : _mm512_srli_epi32(line[kAt / 4], 16);
  return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(words));
}

// The codes of the block that lies kAt bytes behind the unit's beginning.
template <class Codec, size_t kAt>
HEARTH_INLINE inline auto codes_of(Codec, const __m512i* line) {
  if constexpr (Codec::kType == WeightType::kQ8_0) {
    ByteGroup group;
    unrolled<8>([&](auto k) HEARTH_INLINE {
      group.line[k] = _mm512_xor_si512(bytes_of<kAt + 2 + 4 * k>(line),
                                       _mm512_set1_epi8(static_cast<char>(0x80)));
    });
    return group;
  } else if constexpr (Codec::kType == WeightType::kIQ4_NL) {
    BookGroup group;
    unrolled<4>([&](auto k) HEARTH_INLINE { group.line[k] = bytes_of<kAt + 2 + 4 * k>(line); });
    group.values = _mm512_broadcast_i32x4(book_codes(Codec::kBook));
    return group;
  } else {
    NibbleGroup group;
    unrolled<4>([&](auto k) HEARTH_INLINE {
      group.line[k] = bytes_of<kAt + Codec::kNibbles + 4 * k>(line);
    });
    return group;
  }
}

// Types with a Unit: each(rows, body) calls body(group index, codes, scales, minima) for the eight
// groups of a unit of each row, in order. Scales and
// minima are those of the group's parts.
template <class Codec>
struct Unit;

// Eight blocks of one group.
template <class Codec>
struct BlocksUnit {
  static constexpr size_t kBytes = kUnitGroups * Codec::kBytes;

  template <class Body>
  HEARTH_INLINE static void each(TurnedRows row, Body&& body) {
    __m512i line[kBytes / 4];
    unrolled<kUnitGroups>([&](auto g) HEARTH_INLINE {
      constexpr size_t kAt = g * Codec::kBytes;
      constexpr size_t kFirst = round_up(kAt, 16) / 16;
      constexpr size_t kLast = round_up(kAt + Codec::kBytes, 16) / 16;
      unrolled<kLast - kFirst>(
          [&](auto i) HEARTH_INLINE { turn_16(row, 16 * (kFirst + i), line + 4 * (kFirst + i)); });
      const __m512 scale = halves_of<kAt>(line);
      __m512 minimum = _mm512_setzero_ps();
      if constexpr (Codec::kHasMinimum) {
        minimum = _mm512_sub_ps(minimum, halves_of<kAt + 2>(line));
      }
      body(g, codes_of<Codec, kAt>(Codec{}, line), &scale, &minimum);
    });
  }
};

template <>
struct Unit<Q4_0> : BlocksUnit<Q4_0> {};
template <>
struct Unit<Q4_1> : BlocksUnit<Q4_1> {};
template <>
struct Unit<Q8_0> : BlocksUnit<Q8_0> {};
template <>
struct Unit<IQ4_NL> : BlocksUnit<IQ4_NL> {};

// Of the K types with minima, whose blocks begin with d, dmin and twelve bytes: all rows at once. The
// first four scales are the low six bits of the bytes 0 … 3, the first four minima those of 4 … 7;
// the others have their low four bits in 8 … 11 and the upper two above those of the first ones.
inline void put_k_scales(TurnedRows row, __m512* scale, __m512* minimum) {
  __m512i line[4];
  turn_16(row, 0, line);
  const __m512 d = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(line[0]));
  const __m512 d_minimum = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(line[0], 16)));
  const __m512i six = _mm512_set1_epi8(63);
  const __m512i two = _mm512_set1_epi8(0x30);
  const auto above = [&](__m512i low, __m512i first) {
    return _mm512_or_si512(low, _mm512_and_si512(_mm512_srli_epi16(first, 2), two));
  };
  const auto put = [](__m512i bytes, __m512 factor, __m512* out) {
    for (size_t i = 0; i < 4; ++i) {
      const __m512i own = _mm512_and_si512(_mm512_srli_epi32(bytes, static_cast<unsigned>(8 * i)),
                                           _mm512_set1_epi32(255));
      out[i] = _mm512_mul_ps(factor, _mm512_cvtepi32_ps(own));
    }
  };
  put(_mm512_and_si512(line[1], six), d, scale);
  put(above(low_of(line[3]), line[1]), d, scale + 4);
  put(_mm512_and_si512(line[2], six), d_minimum, minimum);
  put(above(high_of(line[3]), line[2]), d_minimum, minimum + 4);
}

// 32 bytes of nibbles are two groups: the low ones and the high ones.
template <>
struct Unit<Q4_K> {
  static constexpr size_t kBytes = Q4_K::kBytes;

  template <class Body>
  HEARTH_INLINE static void each(TurnedRows row, Body&& body) {
    __m512 scale[kUnitGroups];
    __m512 minimum[kUnitGroups];
    put_k_scales(row, scale, minimum);
    unrolled<kUnitGroups / 2>([&](auto pair) HEARTH_INLINE {
      __m512i line[8];
      turn_16(row, 16 + 32 * pair, line);
      turn_16(row, 32 + 32 * pair, line + 4);
      ByteGroup low;
      unrolled<8>([&](auto k) HEARTH_INLINE { low.line[k] = low_of(line[k]); });
      body(std::integral_constant<size_t, 2 * pair>{}, low, scale + 2 * pair, minimum + 2 * pair);
      ByteGroup high;
      unrolled<8>([&](auto k) HEARTH_INLINE { high.line[k] = high_of(line[k]); });
      body(std::integral_constant<size_t, 2 * pair + 1>{}, high, scale + 2 * pair + 1,
           minimum + 2 * pair + 1);
    });
  }
};

// As Q4_K; the fifth bits of group j are bits j of 32 further bytes.
template <>
struct Unit<Q5_K> {
  static constexpr size_t kBytes = Q5_K::kBytes;

  template <class Body>
  HEARTH_INLINE static void each(TurnedRows row, Body&& body) {
    __m512 scale[kUnitGroups];
    __m512 minimum[kUnitGroups];
    put_k_scales(row, scale, minimum);
    __m512i bits[8];
    turn_16(row, 16, bits);
    turn_16(row, 32, bits + 4);
    unrolled<kUnitGroups / 2>([&](auto pair) HEARTH_INLINE {
      __m512i line[8];
      turn_16(row, 48 + 32 * pair, line);
      turn_16(row, 64 + 32 * pair, line + 4);
      unrolled<2>([&](auto is_high) HEARTH_INLINE {
        constexpr size_t kGroupIndex = 2 * pair + is_high;
        const __m512i own = _mm512_set1_epi8(static_cast<char>(1u << kGroupIndex));
        ByteGroup group;
        unrolled<8>([&](auto k) HEARTH_INLINE {
          const __m512i code = is_high ? high_of(line[k]) : low_of(line[k]);
          group.line[k] = _mm512_mask_add_epi8(code, _mm512_test_epi8_mask(bits[k], own), code,
                                               _mm512_set1_epi8(16));
        });
        body(std::integral_constant<size_t, kGroupIndex>{}, group, scale + kGroupIndex,
             minimum + kGroupIndex);
      });
    });
  }
};

// Of each half of a block 64 bytes of nibbles, the low ones first, and 32 bytes with the upper two
// bits of four groups; then sixteen scales of eight bits, and d.
template <>
struct Unit<Q6_K> {
  static constexpr size_t kBytes = Q6_K::kBytes;

  template <class Body>
  HEARTH_INLINE static void each(TurnedRows row, Body&& body) {
    __m512 scale[2 * kUnitGroups];
    put_scales(row, scale);
    const __m512 minimum[2] = {};
    unrolled<2>([&](auto half) HEARTH_INLINE {
      __m512i line[16];
      __m512i top[8];
      unrolled<4>([&](auto i) HEARTH_INLINE { turn_16(row, 64 * half + 16 * i, line + 4 * i); });
      turn_16(row, 128 + 32 * half, top);
      turn_16(row, 144 + 32 * half, top + 4);
      unrolled<4>([&](auto g) HEARTH_INLINE {
        ByteGroup group;
        unrolled<8>([&](auto k) HEARTH_INLINE {
          const __m512i packed = line[8 * (g % 2) + k];
          const __m512i nibbles = g < 2 ? low_of(packed) : high_of(packed);
          const __m512i pairs = g == 0   ? _mm512_slli_epi16(top[k], 4)
                                : g == 1 ? _mm512_slli_epi16(top[k], 2)
                                : g == 2 ? top[k]
                                         : _mm512_srli_epi16(top[k], 2);
          group.line[k] = _mm512_or_si512(nibbles, _mm512_and_si512(pairs, _mm512_set1_epi8(0x30)));
        });
        constexpr size_t kGroupIndex = 4 * half + g;
        body(std::integral_constant<size_t, kGroupIndex>{}, group, scale + 2 * kGroupIndex,
             minimum);
      });
    });
  }

 private:
  static void put_scales(TurnedRows row, __m512* scale) {
    __m512i line[4];
    turn_16(row, 192, line);
    const __m512 d = halves_at(row, 208);
    for (size_t i = 0; i < 16; ++i) {
      const __m512i up = _mm512_slli_epi32(line[i / 4], static_cast<unsigned>(24 - 8 * (i % 4)));
      scale[i] = _mm512_mul_ps(d, _mm512_cvtepi32_ps(_mm512_srai_epi32(up, 24)));
    }
  }
};

template <class Codec>
constexpr bool kHasUnit = false;
template <>
inline constexpr bool kHasUnit<Q4_0> = true;
template <>
inline constexpr bool kHasUnit<Q4_1> = true;
template <>
inline constexpr bool kHasUnit<Q8_0> = true;
template <>
inline constexpr bool kHasUnit<IQ4_NL> = true;
template <>
inline constexpr bool kHasUnit<Q4_K> = true;
template <>
inline constexpr bool kHasUnit<Q5_K> = true;
template <>
inline constexpr bool kHasUnit<Q6_K> = true;

// Calls body(first group of the unit, group in the unit, codes, scales, minima) for all groups of rows
// of `columns` columns, in order, and before(offset) with the bytes of a row before each unit. What
// follows the whole units of a row is read from a copy that zeros end.
template <class Codec, class Before, class Body>
HEARTH_INLINE inline void each_group(TurnedRows row, size_t columns, Before&& before, Body&& body) {
  constexpr size_t kBytes = Unit<Codec>::kBytes;
  const size_t groups = columns / kGroup;
  alignas(64) uint8_t rest[kVnniRows][kBytes];
  const uint8_t* own[kVnniRows];
  for (size_t r = 0; r < kVnniRows; ++r) own[r] = row[r];
  for (size_t first = 0; first < groups; first += kUnitGroups) {
    before(first / kUnitGroups * kBytes);
    if (Codec::kBlock == kGroup && groups - first < kUnitGroups) {
      for (size_t r = 0; r < kVnniRows; ++r) {
        std::memset(rest[r], 0, kBytes);
        std::memcpy(rest[r], own[r], (groups - first) * Codec::kBytes);
        own[r] = rest[r];
      }
    }
    Unit<Codec>::each(own, [&](auto g, const auto& codes, const __m512* scale,
                               const __m512* minimum) HEARTH_INLINE {
      if (Codec::kBlock == kGroup && first + g >= groups) return;
      body(first, g, codes, scale, minimum);
    });
    for (size_t r = 0; r < kVnniRows; ++r) own[r] += kBytes;
  }
}

}  // namespace
}  // namespace hearth
