// Gemm of quantised weights on AVX-512 VNNI: 16 rows are unpacked once to u8 codes (avx512-tile.h), a
// piece of their columns at a time, and multiplied with all tokens, up to twelve together in
// registers. Per group of 32 columns the integer sum becomes f32:
//
//   y[t, r] += scale[r, g] d_t[g] (Σ code·q − zero Σ q) − minimum[r, g] d_t[g] Σ q
//
// Of types with scales for 16 columns each half of a group has a sum of its own.
#if defined(__x86_64__)
#include "avx512-tile.h"
#include "avx512.h"
#include "generic-weights.h"
#include "token-blocks.h"

namespace hearth {
namespace {

// 12 integer and 12 float sums of the 32 registers.
constexpr size_t kVnniTokens = 12;

// −Σ q of a part of a group.
template <class Codec>
int32_t minus_sum_of(const Q8Group& group, size_t part) {
  if constexpr (Codec::kSubGroup == kGroup) return group.minus_sum;
  return part == 0 ? group.minus_first_sum : group.minus_sum - group.minus_first_sum;
}

// −d · Σ q of a part of a group, in every lane.
template <class Codec>
__m512 minus_d_sum_of(const Q8Group& group, size_t part) {
  if constexpr (Codec::kSubGroup == kGroup) return _mm512_set1_ps(-group.d_sum);
  const __m512i minus_sum = _mm512_set1_epi32(minus_sum_of<Codec>(group, part));
  return _mm512_mul_ps(_mm512_set1_ps(group.d), _mm512_cvtepi32_ps(minus_sum));
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
  const uint8_t* x;  // the Q8Groups of the first token, those of the tile's columns
  size_t x_stride;
  float* y;  // of the first token and row
  size_t y_stride;
  __mmask16 rows;
  bool accumulate;  // y counts as the sum so far
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
  for (size_t t = 0; t < kCount; ++t) {
    sum[t] =
        p.accumulate ? _mm512_maskz_loadu_ps(p.rows, p.y + t * p.y_stride) : _mm512_setzero_ps();
  }
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
          const Q8Group& group = group_of<kCount>(base, t, p.x_stride);
          sum[t] = _mm512_fmadd_ps(row_minimum, minus_d_sum_of<Codec>(group, part), sum[t]);
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

// The blocks of sixteen rows that are read after these: into the second level of cache, while these
// are multiplied.
inline void fetch_tile(const uint8_t* next, size_t row_bytes, size_t bytes) {
  for (size_t r = 0; r < kVnniRows; ++r) {
    for (size_t line = 0; line < bytes; line += kLine) {
      __builtin_prefetch(next + r * row_bytes + line, 0, 2);
    }
  }
}

// Rows past the last one repeat it: their sums are not stored.
template <class Codec>
void vnni_gemm(const GemmTask& task) {
  const Matrix& w = task.w;
  const size_t stride = q8_row_bytes(w.columns);
  const uint8_t* groups = reinterpret_cast<const uint8_t*>(q8_row(task.x, w.columns).group);
  for (size_t r = task.rows.begin; r < task.rows.end; r += kVnniRows) {
    const size_t left = task.rows.end - r;
    const size_t count = left < kVnniRows ? left : kVnniRows;
    const __mmask16 rows = static_cast<__mmask16>((1u << count) - 1u);
    const bool is_last = left <= kVnniRows && task.next != nullptr;
    const uint8_t* next =
        is_last ? static_cast<const uint8_t*>(task.next) : row_of(w, r + kVnniRows);
    for (size_t begin = 0; begin < w.columns; begin += kPieceColumns) {
      const size_t rest = w.columns - begin;
      const size_t columns = rest < kPieceColumns ? rest : kPieceColumns;
      const size_t at = begin / Codec::kBlock * Codec::kBytes;
      const Tile tile = tile_in(task.scratch, columns);
      const uint8_t* row[kVnniRows];
      for (size_t i = 0; i < kVnniRows; ++i) {
        row[i] = row_of(w, r + (i < count ? i : count - 1)) + at;
      }
      unpack_tile<Codec>(row, tile);
      fetch_tile(next + at, w.row_bytes, columns / Codec::kBlock * Codec::kBytes);
      const Product product = {tile,          groups + begin / kGroup * sizeof(Q8Group),
                               stride,        task.y + r,
                               task.y_stride, rows,
                               begin > 0};
      in_token_blocks<VnniKernel<Codec>, kVnniTokens, 8, 6, 4, 2, 1>(product, task.tokens);
    }
  }
}

// From how many tokens on the product of a tile pays (bench/kernels/rows_bench.cc; 64 x 4096, Zen 4):
// of types whose rows are turned as they lie, the others of avx512-codes.h, and those of them with
// minima for 16 columns. Dot products of types that are unpacked to memory do that for each token:
// with two tokens 16 rows together take 0.4 to 0.7 times as long. Types with add_dots of few-tokens.h
// have products of their own for two and three tokens (measurements/batches.md).
constexpr size_t kGemmTokensTurned = 3;
constexpr size_t kGemmTokens = 5;
constexpr size_t kGemmTokensMinima = 7;
constexpr size_t kGemmTokensUnpacked = 2;

template <class Codec>
constexpr size_t gemm_tokens() {
  if (!kHasChunks<Codec>) return kGemmTokensUnpacked;
  if (kTurnsPacked<Codec>) return kGemmTokensTurned;
  return Codec::kHasMinimum && Codec::kSubGroup < kGroup ? kGemmTokensMinima : kGemmTokens;
}

}  // namespace

void avx512::tile_gemm(WeightType type, const GemmTask& task) {
  for_each_codec([&](auto codec) {
    using Codec = decltype(codec);
    if constexpr (Codec::kX == XFormat::kQ8) {
      if (Codec::kType == type) vnni_gemm<Codec>(task);
    }
  });
}

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
