// Gemm of quantised weights on AVX-512 VNNI: 16 rows are unpacked once to u8 codes, four columns of
// a row to a lane, and multiplied with all tokens, twelve at a time in registers. Per group of 32
// columns the integer sum becomes f32:
//
//   y[t, r] += scale[r, g] d_t[g] (Σ code·q − zero Σ q) − minimum[r, g] d_t[g] Σ q
//
// Of types with scales for 16 columns each half of a group has a sum of its own.
#if defined(__x86_64__)
#include "avx512-codes.h"
#include "avx512.h"
#include "generic-weights.h"
#include "lanes-avx512.h"
#include "token-blocks.h"
#include "vnni-layout.h"

namespace hearth {
namespace {

// 12 integer and 12 float sums of the 32 registers.
constexpr size_t kVnniTokens = 12;
// 16 rows × 4 codes.
constexpr size_t kLaneBytes = 64;

// 16 unpacked rows.
struct Tile {
  uint8_t* code;   // [groups, 8, 16, 4]
  float* scale;    // [groups · parts, 16]
  float* minimum;  // [groups · parts, 16]
  size_t groups;
};

Tile tile_in(void* scratch, size_t columns) {
  const size_t padded = round_up(columns, kSuper);
  Tile tile;
  tile.code = static_cast<uint8_t*>(scratch);
  tile.scale = reinterpret_cast<float*>(tile.code + kVnniRows * padded);
  tile.minimum = tile.scale + padded / 16 * kVnniRows;
  tile.groups = columns / kGroup;
  return tile;
}

using TileRows = const uint8_t* const*;

template <class Codec>
void put_scales(const float* scale, const float* minimum, size_t block, size_t row,
                const Tile& tile) {
  constexpr size_t kParts = Codec::kBlock / Codec::kSubGroup;
  for (size_t p = 0; p < kParts; ++p) {
    const size_t at = (block * kParts + p) * kVnniRows + row;
    tile.scale[at] = scale[p];
    if constexpr (Codec::kHasMinimum) tile.minimum[at] = minimum[p];
  }
}

// Turns 64 codes of each row, stride bytes apart, into 16 lines of a tile.
inline void turn_chunk(const uint8_t* chunk, size_t stride, size_t lines, uint8_t* code) {
  alignas(64) uint8_t turned[kVnniRows][kChunk];
  Avx512Lanes::transpose(reinterpret_cast<const float*>(chunk), stride / sizeof(float),
                         reinterpret_cast<float*>(turned), kVnniRows);
  std::memcpy(code, turned, lines * kLaneBytes);
}

// Types that avx512-codes.h unpacks.
template <class Codec>
void unpack_chunks(TileRows row, size_t columns, const Tile& tile) {
  alignas(64) uint8_t chunk[kVnniRows][kChunk];
  for (size_t g = 0; g < tile.groups; g += 2) {
    const bool both = g + 1 < tile.groups;
    for (size_t r = 0; r < kVnniRows; ++r) {
      _mm512_store_si512(chunk[r], codes_64<Codec>(row[r], g / 2, both));
    }
    turn_chunk(chunk[0], kChunk, both ? 16 : 8, tile.code + g * 8 * kLaneBytes);
  }
  for (size_t block = 0; block < columns / Codec::kBlock; ++block) {
    for (size_t r = 0; r < kVnniRows; ++r) {
      float scale[Codec::kBlock / Codec::kSubGroup];
      float minimum[Codec::kBlock / Codec::kSubGroup];
      block_scales<Codec>(row[r] + block * Codec::kBytes, scale, minimum);
      put_scales<Codec>(scale, minimum, block, r, tile);
    }
  }
}

// The others, block by block.
template <class Codec>
void unpack_blocks(TileRows row, size_t columns, const Tile& tile) {
  static_assert(Codec::kBlock % kChunk == 0, "whole chunks");
  alignas(64) uint8_t code[kVnniRows][Codec::kBlock];
  for (size_t block = 0; block < columns / Codec::kBlock; ++block) {
    for (size_t r = 0; r < kVnniRows; ++r) {
      float scale[Codec::kBlock / Codec::kSubGroup];
      float minimum[Codec::kBlock / Codec::kSubGroup];
      Codec::unpack(row[r] + block * Codec::kBytes, code[r], scale, minimum);
      put_scales<Codec>(scale, minimum, block, r, tile);
    }
    for (size_t at = 0; at < Codec::kBlock; at += kChunk) {
      turn_chunk(code[0] + at, Codec::kBlock, 16,
                 tile.code + (block * Codec::kBlock + at) / 4 * kLaneBytes);
    }
  }
}

// Rows past the last one repeat it: their sums are not stored.
template <class Codec>
void unpack_tile(const Matrix& w, Range rows, const Tile& tile) {
  const uint8_t* row[kVnniRows];
  for (size_t r = 0; r < kVnniRows; ++r) {
    row[r] = row_of(w, rows.begin + r < rows.end ? rows.begin + r : rows.end - 1);
  }
  if constexpr (kHasChunks<Codec>) {
    unpack_chunks<Codec>(row, w.columns, tile);
  } else {
    unpack_blocks<Codec>(row, w.columns, tile);
  }
}

// −Σ q of a part of a group.
template <class Codec>
int32_t minus_sum_of(const Q8Group& group, size_t part) {
  if constexpr (Codec::kSubGroup == kGroup) return group.minus_sum;
  return part == 0 ? group.minus_first_sum : group.minus_sum - group.minus_first_sum;
}

// d · Σ q of a part of a group.
template <class Codec>
float d_sum_of(const Q8Group& group, size_t part) {
  if constexpr (Codec::kSubGroup == kGroup) return group.d_sum;
  return group.d * static_cast<float>(-minus_sum_of<Codec>(group, part));
}

// −zero · Σ q: where the integer sum of a part starts.
template <class Codec>
__m512i start_of(const Q8Group& group, size_t part) {
  if constexpr (Codec::kZero == 0) return _mm512_setzero_si512();
  constexpr unsigned kShift = __builtin_ctz(Codec::kZero | 256);
  static_assert(Codec::kZero == 0 || Codec::kZero == 1 << kShift,
                "the zero point is a power of two");
  return _mm512_slli_epi32(_mm512_set1_epi32(minus_sum_of<Codec>(group, part)), kShift);
}

// One product of 16 rows with kCount tokens.
struct Product {
  Tile tile;
  const uint8_t* x;  // the Q8Groups of the first token
  size_t x_stride;
  float* y;  // of the first token and row
  size_t y_stride;
  __mmask16 rows;
};

template <size_t kCount>
inline const Q8Group& group_of(const uint8_t* const* base, size_t token, size_t stride) {
  return *reinterpret_cast<const Q8Group*>(base[token / kTokensPerBase] +
                                           token % kTokensPerBase * stride);
}

template <class Codec, size_t kCount>
void multiply_tile(const Product& p) {
  constexpr size_t kParts = kGroup / Codec::kSubGroup;
  constexpr size_t kBases = (kCount + kTokensPerBase - 1) / kTokensPerBase;
  const uint8_t* base[kBases];
  for (size_t b = 0; b < kBases; ++b) base[b] = p.x + b * kTokensPerBase * p.x_stride;
  const uint8_t* code = p.tile.code;
  const float* scale = p.tile.scale;
  const float* minimum = p.tile.minimum;
  __m512 sum[kCount];
  for (size_t t = 0; t < kCount; ++t) sum[t] = _mm512_setzero_ps();
  for (size_t g = 0; g < p.tile.groups; ++g) {
    for (size_t part = 0; part < kParts; ++part) {
      __m512i dot[kCount];
#pragma GCC unroll 12
      for (size_t t = 0; t < kCount; ++t)
        dot[t] = start_of<Codec>(group_of<kCount>(base, t, p.x_stride), part);
#pragma GCC unroll 8
      for (size_t k = 0; k < 8 / kParts; ++k, code += kLaneBytes) {
        const __m512i w = _mm512_loadu_si512(code);
#pragma GCC unroll 12
        for (size_t t = 0; t < kCount; ++t) {
          const int8_t* q = group_of<kCount>(base, t, p.x_stride).q + (part * 8 / kParts + k) * 4;
          dot[t] = _mm512_dpbusd_epi32(dot[t], w, _mm512_set1_epi32(static_cast<int>(load_u32(q))));
        }
      }
      const __m512 row_scale = _mm512_loadu_ps(scale);
      scale += kVnniRows;
#pragma GCC unroll 12
      for (size_t t = 0; t < kCount; ++t) {
        const __m512 factor =
            _mm512_mul_ps(row_scale, _mm512_set1_ps(group_of<kCount>(base, t, p.x_stride).d));
        sum[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[t]), factor, sum[t]);
      }
      if constexpr (Codec::kHasMinimum) {
        const __m512 row_minimum = _mm512_loadu_ps(minimum);
        minimum += kVnniRows;
#pragma GCC unroll 12
        for (size_t t = 0; t < kCount; ++t) {
          const float d_sum = d_sum_of<Codec>(group_of<kCount>(base, t, p.x_stride), part);
          sum[t] = _mm512_fnmadd_ps(row_minimum, _mm512_set1_ps(d_sum), sum[t]);
        }
      }
    }
    for (size_t b = 0; b < kBases; ++b) base[b] += sizeof(Q8Group);
  }
  for (size_t t = 0; t < kCount; ++t) _mm512_mask_storeu_ps(p.y + t * p.y_stride, p.rows, sum[t]);
}

template <class Codec>
struct VnniKernel {
  template <size_t kCount>
  static void block(const Product& product) {
    multiply_tile<Codec, kCount>(product);
  }
};

template <class Codec>
void vnni_gemm(const GemmTask& task) {
  const Tile tile = tile_in(task.scratch, task.w.columns);
  const size_t stride = q8_row_bytes(task.w.columns);
  const uint8_t* groups = reinterpret_cast<const uint8_t*>(q8_row(task.x, task.w.columns).group);
  for (size_t r = task.rows.begin; r < task.rows.end; r += kVnniRows) {
    const size_t left = task.rows.end - r;
    const size_t count = left < kVnniRows ? left : kVnniRows;
    unpack_tile<Codec>(task.w, {r, r + count}, tile);
    const __mmask16 rows = static_cast<__mmask16>((1u << count) - 1u);
    const Product product = {tile, groups, stride, task.y + r, task.y_stride, rows};
    in_token_blocks<VnniKernel<Codec>, kVnniTokens, 6, 3, 1>(product, task.tokens);
  }
}

// Panels pay for Q8_0 from 5 tokens on, for Q4_0 and the K types from 6 or 7 (2048 x 2048, Zen 4).
constexpr size_t kGemmTokens = 5;
// Sums of d · Σ q over 16 columns cost Q2_K more (64 x 2048).
constexpr size_t kGemmTokensMinima = 7;
// Dot products of types that are unpacked to memory do that for each token: with two tokens 16 rows
// together take 0.4 to 0.7 times as long.
constexpr size_t kGemmTokensUnpacked = 2;

template <class Codec>
constexpr size_t gemm_tokens() {
  if (!kHasChunks<Codec>) return kGemmTokensUnpacked;
  return Codec::kHasMinimum && Codec::kSubGroup < kGroup ? kGemmTokensMinima : kGemmTokens;
}

}  // namespace

void avx512::add_gemm(Kernels& kernels) {
  for_each_codec([&kernels](auto codec) {
    using Codec = decltype(codec);
    if constexpr (Codec::kX == XFormat::kQ8) {
      WeightKernels& of_type = weights_of(kernels, Codec::kType);
      of_type.gemm = vnni_gemm<Codec>;
      of_type.gemm_tokens = gemm_tokens<Codec>();
    }
  });
}

}  // namespace hearth
#endif
