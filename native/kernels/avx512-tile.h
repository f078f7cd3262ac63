// Sixteen rows unpacked for the gemm of quantised weights: u8 codes, four columns of a row to a lane,
// with the rows' scales and minima.
//
// Where a type allows it, rows are turned before they are unpacked: sixteen bytes of each of sixteen
// rows become four registers by eight shuffles, and of nibbles each register becomes two lines of
// codes. Turned after they are unpacked, the same lines take 32 shuffles.
// Internal to kernels/.
#pragma once

#include "avx512-codes.h"
#include "lanes-avx512.h"
#include "vnni-layout.h"

namespace hearth {
namespace {

// 16 rows × 4 codes.
constexpr size_t kLaneBytes = 64;

// Columns of 16 unpacked rows.
struct Tile {
  uint8_t* code;   // [groups, 8, 16, 4]
  float* scale;    // [groups · parts, 16]
  float* minimum;  // [groups · parts, 16]
  size_t groups;
};

inline Tile tile_in(void* scratch, size_t columns) {
  const size_t padded = round_up(columns, kSuper);
  Tile tile;
  tile.code = static_cast<uint8_t*>(scratch);
  tile.scale = reinterpret_cast<float*>(tile.code + kVnniRows * padded);
  tile.minimum = tile.scale + padded / 16 * kVnniRows;
  tile.groups = columns / kGroup;
  return tile;
}

using TileRows = const uint8_t* const*;

// Bytes at … at + 15 of the rows: line i has bytes 4i … 4i + 3 of each, row by row.
inline void turn_16(TileRows row, size_t at, __m512i* line) {
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

inline __m512i low_of(__m512i packed) { return _mm512_and_si512(packed, _mm512_set1_epi8(15)); }
inline __m512i high_of(__m512i packed) { return low_of(_mm512_srli_epi16(packed, 4)); }

inline void put_line(uint8_t* code, size_t line, __m512i value) {
  _mm512_store_si512(code + line * kLaneBytes, value);
}

// Types whose rows are turned as they lie: turn_block writes the lines of the block that lies `at`
// bytes behind each row's beginning.
template <class Codec>
constexpr bool kTurnsPacked = false;

template <>
inline constexpr bool kTurnsPacked<Q8_0> = true;
inline void turn_block(Q8_0, TileRows row, size_t at, uint8_t* code) {
  for (size_t half = 0; half < 2; ++half) {
    __m512i line[4];
    turn_16(row, at + 2 + 16 * half, line);
    for (size_t i = 0; i < 4; ++i) {
      const __m512i sign = _mm512_set1_epi8(static_cast<char>(0x80));
      put_line(code, 4 * half + i, _mm512_xor_si512(line[i], sign));
    }
  }
}

// Sixteen bytes of nibbles: columns 0 … 15 are the low ones.
inline void turn_nibbles(TileRows row, size_t at, uint8_t* code) {
  __m512i line[4];
  turn_16(row, at, line);
  for (size_t i = 0; i < 4; ++i) {
    put_line(code, i, low_of(line[i]));
    put_line(code, 4 + i, high_of(line[i]));
  }
}

template <>
inline constexpr bool kTurnsPacked<Q4_0> = true;
inline void turn_block(Q4_0, TileRows row, size_t at, uint8_t* code) {
  turn_nibbles(row, at + Q4_0::kNibbles, code);
}

template <>
inline constexpr bool kTurnsPacked<Q4_1> = true;
inline void turn_block(Q4_1, TileRows row, size_t at, uint8_t* code) {
  turn_nibbles(row, at + Q4_1::kNibbles, code);
}

// Indices into a book.
inline void turn_book(const int8_t* book, TileRows row, size_t at, uint8_t* code) {
  const __m512i values = _mm512_broadcast_i32x4(book_codes(book));
  __m512i line[4];
  turn_16(row, at, line);
  for (size_t i = 0; i < 4; ++i) {
    put_line(code, i, _mm512_shuffle_epi8(values, low_of(line[i])));
    put_line(code, 4 + i, _mm512_shuffle_epi8(values, high_of(line[i])));
  }
}

template <>
inline constexpr bool kTurnsPacked<IQ4_NL> = true;
inline void turn_block(IQ4_NL, TileRows row, size_t at, uint8_t* code) {
  turn_book(IQ4_NL::kBook, row, at + 2, code);
}

template <>
inline constexpr bool kTurnsPacked<MXFP4> = true;
inline void turn_block(MXFP4, TileRows row, size_t at, uint8_t* code) {
  turn_book(MXFP4::kBook, row, at + 1, code);
}

template <>
inline constexpr bool kTurnsPacked<IQ4_XS> = true;
inline void turn_block(IQ4_XS, TileRows row, size_t at, uint8_t* code) {
  for (size_t g = 0; g < kKBlock / kGroup; ++g) {
    turn_book(IQ4_XS::kBook, row, at + IQ4_XS::kNibbles + 16 * g, code + 8 * g * kLaneBytes);
  }
}

// 32 bytes of nibbles are two groups: the low ones and the high ones.
template <>
inline constexpr bool kTurnsPacked<Q4_K> = true;
inline void turn_block(Q4_K, TileRows row, size_t at, uint8_t* code) {
  for (size_t sixteen = 0; sixteen < 8; ++sixteen) {
    __m512i line[4];
    turn_16(row, at + 16 + 16 * sixteen, line);
    for (size_t i = 0; i < 4; ++i) {
      const size_t to = sixteen / 2 * 16 + sixteen % 2 * 4 + i;
      put_line(code, to, low_of(line[i]));
      put_line(code, to + 8, high_of(line[i]));
    }
  }
}

// As Q4_K; the fifth bits of group j are bits j of 32 further bytes.
template <>
inline constexpr bool kTurnsPacked<Q5_K> = true;
inline void turn_block(Q5_K, TileRows row, size_t at, uint8_t* code) {
  const __m512i fifth = _mm512_set1_epi8(16);
  __m512i bits[8];
  turn_16(row, at + 16, bits);
  turn_16(row, at + 32, bits + 4);
  for (size_t sixteen = 0; sixteen < 8; ++sixteen) {
    const __m512i first = _mm512_set1_epi8(static_cast<char>(1u << (sixteen / 2 * 2)));
    const __m512i second = _mm512_set1_epi8(static_cast<char>(2u << (sixteen / 2 * 2)));
    __m512i line[4];
    turn_16(row, at + 48 + 16 * sixteen, line);
    for (size_t i = 0; i < 4; ++i) {
      const __m512i own = bits[sixteen % 2 * 4 + i];
      const __m512i low = low_of(line[i]);
      const __m512i high = high_of(line[i]);
      const size_t to = sixteen / 2 * 16 + sixteen % 2 * 4 + i;
      put_line(code, to, _mm512_mask_add_epi8(low, _mm512_test_epi8_mask(own, first), low, fifth));
      put_line(code, to + 8,
               _mm512_mask_add_epi8(high, _mm512_test_epi8_mask(own, second), high, fifth));
    }
  }
}

// Of each half of a block 64 bytes of nibbles, the low ones first, and 32 bytes with the upper two
// bits of four groups.
template <>
inline constexpr bool kTurnsPacked<Q6_K> = true;
inline void turn_block(Q6_K, TileRows row, size_t at, uint8_t* code) {
  const __m512i two_bits = _mm512_set1_epi8(0x30);
  for (size_t half = 0; half < 2; ++half, code += 32 * kLaneBytes) {
    for (size_t v = 0; v < 2; ++v) {
      __m512i top[4];
      turn_16(row, at + 128 + 32 * half + 16 * v, top);
      for (size_t u = 0; u < 2; ++u) {
        __m512i line[4];
        turn_16(row, at + 64 * half + 32 * u + 16 * v, line);
        for (size_t i = 0; i < 4; ++i) {
          const __m512i first =
              u == 0 ? _mm512_slli_epi16(top[i], 4) : _mm512_slli_epi16(top[i], 2);
          const __m512i second = u == 0 ? top[i] : _mm512_srli_epi16(top[i], 2);
          const size_t to = 8 * u + 4 * v + i;
          put_line(code, to, _mm512_or_si512(low_of(line[i]), _mm512_and_si512(first, two_bits)));
          put_line(code, to + 16,
                   _mm512_or_si512(high_of(line[i]), _mm512_and_si512(second, two_bits)));
        }
      }
    }
  }
}

// Turns 64 codes of each row, stride bytes apart, into 16 lines of a tile, or the first 8.
inline void turn_chunk(const uint8_t* chunk, size_t stride, size_t lines, uint8_t* code) {
  const auto turn = [&](uint8_t* to) {
    Avx512Lanes::transpose(reinterpret_cast<const float*>(chunk), stride / sizeof(float),
                           reinterpret_cast<float*>(to), kVnniRows);
  };
  if (lines == 16) return turn(code);
  alignas(64) uint8_t turned[kVnniRows][kChunk];
  turn(turned[0]);
  std::memcpy(code, turned, lines * kLaneBytes);
}

// Types that avx512-codes.h unpacks.
template <class Codec>
void unpack_chunks(TileRows row, const Tile& tile) {
  alignas(64) uint8_t chunk[kVnniRows][kChunk];
  for (size_t g = 0; g < tile.groups; g += 2) {
    const bool both = g + 1 < tile.groups;
    for (size_t r = 0; r < kVnniRows; ++r) {
      _mm512_store_si512(chunk[r], codes_64<Codec>(row[r], g / 2, both));
    }
    turn_chunk(chunk[0], kChunk, both ? 16 : 8, tile.code + g * 8 * kLaneBytes);
  }
}

// The f16 of each row that lies `at` bytes behind its beginning.
inline __m512 halves_of(TileRows row, size_t at) {
  const auto half = [&](size_t r) { return static_cast<short>(load_u16(row[r] + at)); };
  return _mm512_cvtph_ps(_mm256_setr_epi16(half(0), half(1), half(2), half(3), half(4), half(5),
                                           half(6), half(7), half(8), half(9), half(10), half(11),
                                           half(12), half(13), half(14), half(15)));
}

// Of blocks of one group.
template <class Codec>
void put_group_scales(TileRows row, const Tile& tile) {
  for (size_t g = 0; g < tile.groups; ++g) {
    const size_t at = g * Codec::kBytes;
    if constexpr (Codec::kType == WeightType::kMXFP4) {
      for (size_t r = 0; r < kVnniRows; ++r) {
        tile.scale[g * kVnniRows + r] = half_of_e8m0(row[r][at]);
      }
    } else {
      _mm512_store_ps(tile.scale + g * kVnniRows, halves_of(row, at));
    }
    if constexpr (Codec::kHasMinimum) {
      const __m512 minus = _mm512_sub_ps(_mm512_setzero_ps(), halves_of(row, at + 2));
      _mm512_store_ps(tile.minimum + g * kVnniRows, minus);
    }
  }
}

// The scales, then the minima of a block of each row are turned.
template <class Codec>
void put_block_scales(const float (*value)[2 * kVnniRows], size_t block, const Tile& tile) {
  constexpr size_t kParts = Codec::kBlock / Codec::kSubGroup;
  constexpr size_t kValues = Codec::kHasMinimum ? 2 * kParts : kParts;
  alignas(64) float turned[2 * kVnniRows][kVnniRows];
  for (size_t first = 0; first < kValues; first += kVnniRows) {
    Avx512Lanes::transpose(value[0] + first, 2 * kVnniRows, turned[first], kVnniRows);
  }
  const size_t at = block * kParts * kVnniRows;
  std::memcpy(tile.scale + at, turned, kParts * sizeof turned[0]);
  if constexpr (Codec::kHasMinimum) {
    std::memcpy(tile.minimum + at, turned[kParts], kParts * sizeof turned[0]);
  }
}

// Of the K types with minima, whose blocks begin with d, dmin and twelve bytes: all rows at once. The
// first four scales are the low six bits of the bytes 0 … 3, the first four minima those of 4 … 7;
// the others have their low four bits in 8 … 11 and the upper two above those of the first ones.
inline void put_k_scales(TileRows row, size_t at, float* scale, float* minimum) {
  __m512i line[4];
  turn_16(row, at, line);
  const __m512 d = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(line[0]));
  const __m512 d_minimum = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(line[0], 16)));
  const __m512i six = _mm512_set1_epi8(63);
  const __m512i two = _mm512_set1_epi8(0x30);
  const auto above = [&](__m512i low, __m512i first) {
    return _mm512_or_si512(low, _mm512_and_si512(_mm512_srli_epi16(first, 2), two));
  };
  const auto put = [](__m512i bytes, __m512 factor, float* out) {
    for (size_t i = 0; i < 4; ++i) {
      const __m512i own = _mm512_and_si512(_mm512_srli_epi32(bytes, static_cast<unsigned>(8 * i)),
                                           _mm512_set1_epi32(255));
      _mm512_store_ps(out + i * kVnniRows, _mm512_mul_ps(factor, _mm512_cvtepi32_ps(own)));
    }
  };
  put(_mm512_and_si512(line[1], six), d, scale);
  put(above(low_of(line[3]), line[1]), d, scale + 4 * kVnniRows);
  put(_mm512_and_si512(line[2], six), d_minimum, minimum);
  put(above(high_of(line[3]), line[2]), d_minimum, minimum + 4 * kVnniRows);
}

// Of the types that avx512-codes.h unpacks.
template <class Codec>
void put_scales(TileRows row, const Tile& tile) {
  if constexpr (Codec::kBlock == kGroup) {
    put_group_scales<Codec>(row, tile);
  } else if constexpr (Codec::kHasMinimum && Codec::kSubGroup == kGroup) {
    for (size_t g = 0; g < tile.groups; g += kKBlock / kGroup) {
      put_k_scales(row, g * kGroup / kKBlock * Codec::kBytes, tile.scale + g * kVnniRows,
                   tile.minimum + g * kVnniRows);
    }
  } else {
    alignas(64) float value[kVnniRows][2 * kVnniRows] = {};
    for (size_t block = 0; block < tile.groups * kGroup / Codec::kBlock; ++block) {
      for (size_t r = 0; r < kVnniRows; ++r) {
        float* own = value[r];
        block_scales<Codec>(row[r] + block * Codec::kBytes, own,
                            own + Codec::kBlock / Codec::kSubGroup);
      }
      put_block_scales<Codec>(value, block, tile);
    }
  }
}

// The other types, block by block.
template <class Codec>
void unpack_blocks(TileRows row, const Tile& tile) {
  static_assert(Codec::kBlock % kChunk == 0, "whole chunks");
  alignas(64) uint8_t code[kVnniRows][Codec::kBlock];
  alignas(64) float value[kVnniRows][2 * kVnniRows] = {};
  for (size_t block = 0; block < tile.groups * kGroup / Codec::kBlock; ++block) {
    for (size_t r = 0; r < kVnniRows; ++r) {
      Codec::unpack(row[r] + block * Codec::kBytes, code[r], value[r],
                    value[r] + Codec::kBlock / Codec::kSubGroup);
    }
    put_block_scales<Codec>(value, block, tile);
    for (size_t at = 0; at < Codec::kBlock; at += kChunk) {
      turn_chunk(code[0] + at, Codec::kBlock, 16,
                 tile.code + (block * Codec::kBlock + at) / 4 * kLaneBytes);
    }
  }
}

// Columns of sixteen rows, from the blocks that `row` points to on.
template <class Codec>
void unpack_tile(TileRows row, const Tile& tile) {
  constexpr size_t kGroups = Codec::kBlock / kGroup;
  if constexpr (kTurnsPacked<Codec>) {
    for (size_t g = 0; g < tile.groups; g += kGroups) {
      turn_block(Codec{}, row, g / kGroups * Codec::kBytes, tile.code + g * 8 * kLaneBytes);
    }
    put_scales<Codec>(row, tile);
  } else if constexpr (kHasChunks<Codec>) {
    unpack_chunks<Codec>(row, tile);
    put_scales<Codec>(row, tile);
  } else {
    unpack_blocks<Codec>(row, tile);
  }
}

}  // namespace
}  // namespace hearth
