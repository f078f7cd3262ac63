// Sixteen rows unpacked for the gemm of quantised weights: u8 codes, four columns of a row to a lane,
// with the rows' scales and minima.
// Internal to kernels/.
#pragma once

#include "avx512-groups.h"
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

inline void put_line(uint8_t* code, size_t line, __m512i value) {
  _mm512_store_si512(code + line * kLaneBytes, value);
}

// Types whose rows are turned as they lie: turn_block writes the lines of the block that lies `at`
// bytes behind each row's beginning.
template <class Codec>
constexpr bool kTurnsPacked = false;

// Indices into a book.
inline void turn_book(const int8_t* book, TurnedRows row, size_t at, uint8_t* code) {
  const __m512i values = _mm512_broadcast_i32x4(book_codes(book));
  __m512i line[4];
  turn_16(row, at, line);
  for (size_t i = 0; i < 4; ++i) {
    put_line(code, i, _mm512_shuffle_epi8(values, low_of(line[i])));
    put_line(code, 4 + i, _mm512_shuffle_epi8(values, high_of(line[i])));
  }
}

template <>
inline constexpr bool kTurnsPacked<MXFP4> = true;
inline void turn_block(MXFP4, TurnedRows row, size_t at, uint8_t* code) {
  turn_book(MXFP4::kBook, row, at + 1, code);
}

template <>
inline constexpr bool kTurnsPacked<IQ4_XS> = true;
inline void turn_block(IQ4_XS, TurnedRows row, size_t at, uint8_t* code) {
  for (size_t g = 0; g < kKBlock / kGroup; ++g) {
    turn_book(IQ4_XS::kBook, row, at + IQ4_XS::kNibbles + 16 * g, code + 8 * g * kLaneBytes);
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
void unpack_chunks(TurnedRows row, const Tile& tile) {
  alignas(64) uint8_t chunk[kVnniRows][kChunk];
  for (size_t g = 0; g < tile.groups; g += 2) {
    const bool both = g + 1 < tile.groups;
    for (size_t r = 0; r < kVnniRows; ++r) {
      _mm512_store_si512(chunk[r], codes_64<Codec>(row[r], g / 2, both));
    }
    turn_chunk(chunk[0], kChunk, both ? 16 : 8, tile.code + g * 8 * kLaneBytes);
  }
}

// Of blocks of one group.
template <class Codec>
void put_group_scales(TurnedRows row, const Tile& tile) {
  for (size_t g = 0; g < tile.groups; ++g) {
    const size_t at = g * Codec::kBytes;
    if constexpr (Codec::kType == WeightType::kMXFP4) {
      for (size_t r = 0; r < kVnniRows; ++r) {
        tile.scale[g * kVnniRows + r] = half_of_e8m0(row[r][at]);
      }
    } else {
      _mm512_store_ps(tile.scale + g * kVnniRows, halves_at(row, at));
    }
    if constexpr (Codec::kHasMinimum) {
      const __m512 minus = _mm512_sub_ps(_mm512_setzero_ps(), halves_at(row, at + 2));
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

// Of the types that avx512-codes.h unpacks.
template <class Codec>
void put_scales(TurnedRows row, const Tile& tile) {
  if constexpr (Codec::kBlock == kGroup) {
    put_group_scales<Codec>(row, tile);
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
void unpack_blocks(TurnedRows row, const Tile& tile) {
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

// Types with a Unit.
template <class Codec>
void unpack_units(TurnedRows row, const Tile& tile) {
  constexpr size_t kParts = kGroup / Codec::kSubGroup;
  const auto store = [&](size_t first, auto g, const auto& codes, const __m512* scale,
                         const __m512* minimum) HEARTH_INLINE {
    const size_t group = first + g;
    unrolled<8>([&](auto k) HEARTH_INLINE {
      put_line(tile.code, 8 * group + k, codes.template code<k>());
    });
    unrolled<kParts>([&](auto part) HEARTH_INLINE {
      const size_t at = (kParts * group + part) * kVnniRows;
      _mm512_store_ps(tile.scale + at, scale[part]);
      if constexpr (Codec::kHasMinimum) _mm512_store_ps(tile.minimum + at, minimum[part]);
    });
  };
  each_group<Codec>(
      row, tile.groups * kGroup, [](size_t) {}, store);
}

// Columns of sixteen rows, from the blocks that `row` points to on.
template <class Codec>
void unpack_tile(TurnedRows row, const Tile& tile) {
  constexpr size_t kGroups = Codec::kBlock / kGroup;
  if constexpr (kHasUnit<Codec>) {
    unpack_units<Codec>(row, tile);
  } else if constexpr (kTurnsPacked<Codec>) {
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
