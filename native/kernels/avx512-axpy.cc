// axpy and rows as f32 for quantised weights on AVX-512: codes become f32 in registers, four rows
// to a pass over y.
#if defined(__x86_64__)
#include "avx512-codes.h"
#include "avx512.h"
#include "generic-weights.h"

namespace hearth {
namespace {

// Sixteen of 64 codes, less the zero point, as f32.
template <class Codec>
__m512 centred(__m512i code, size_t quarter) {
  __m128i bytes;
  switch (quarter) {
    case 0:
      bytes = _mm512_castsi512_si128(code);
      break;
    case 1:
      bytes = _mm512_extracti32x4_epi32(code, 1);
      break;
    case 2:
      bytes = _mm512_extracti32x4_epi32(code, 2);
      break;
    default:
      bytes = _mm512_extracti32x4_epi32(code, 3);
      break;
  }
  if constexpr (Codec::kZero == 0) return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
  const __m128i zero = _mm_set1_epi8(static_cast<char>(Codec::kZero));
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_sub_epi8(bytes, zero)));
}

// Scales (and minima) of `columns` columns of a row, one per group of kSubGroup.
template <class Codec>
struct RowScales {
  static constexpr size_t kParts = kKBlock / Codec::kSubGroup;
  float scale[kParts];
  float minimum[kParts];

  void load(const uint8_t* weights, size_t columns) {
    constexpr size_t kPerBlock = Codec::kBlock / Codec::kSubGroup;
    for (size_t b = 0; b < columns / Codec::kBlock; ++b) {
      block_scales<Codec>(weights + b * Codec::kBytes, scale + b * kPerBlock,
                          minimum + b * kPerBlock);
    }
  }
  // The 16 weights from column 16 · at on, given their centred codes.
  __m512 weights(__m512 code, size_t at) const {
    const size_t part = at * 16 / Codec::kSubGroup;
    const __m512 scaled = _mm512_mul_ps(code, _mm512_set1_ps(scale[part]));
    if constexpr (!Codec::kHasMinimum) return scaled;
    return _mm512_sub_ps(scaled, _mm512_set1_ps(minimum[part]));
  }
};

// y[0 .. columns) += Σ c[r] · row[r], columns <= 256.
template <class Codec, size_t kRows>
void axpy_piece(const uint8_t* const* row, const float* coefficient, size_t columns, float* y) {
  RowScales<Codec> scales[kRows];
  for (size_t r = 0; r < kRows; ++r) scales[r].load(row[r], columns);
  for (size_t c = 0; c < columns; c += kChunk) {
    const bool both = c + kGroup < columns;
    __m512i code[kRows];
    for (size_t r = 0; r < kRows; ++r) code[r] = codes_64<Codec>(row[r], c / kChunk, both);
#pragma GCC unroll 4
    for (size_t quarter = 0; quarter < 4; ++quarter) {
      if (quarter >= 2 && !both) return;
      float* out = y + c + 16 * quarter;
      __m512 sum = _mm512_loadu_ps(out);
#pragma GCC unroll 4
      for (size_t r = 0; r < kRows; ++r) {
        const __m512 w = scales[r].weights(centred<Codec>(code[r], quarter), c / 16 + quarter);
        sum = _mm512_fmadd_ps(_mm512_set1_ps(coefficient[r]), w, sum);
      }
      _mm512_storeu_ps(out, sum);
    }
  }
}

template <class Codec, size_t kRows>
void axpy_rows(const uint8_t* const* row, const uint8_t* const* next, const float* coefficient,
               Range columns, float* y) {
  constexpr size_t kPieceBytes = kKBlock / Codec::kBlock * Codec::kBytes;
  for (size_t c = columns.begin; c < columns.end; c += kKBlock) {
    const size_t at = c / kKBlock * kPieceBytes;
    const uint8_t* piece[kRows];
    for (size_t r = 0; r < kRows; ++r) {
      piece[r] = row[r] + at;
      for (size_t line = 0; line < kPieceBytes; line += 64)
        __builtin_prefetch(next[r] + at + line, 0, 2);
    }
    const size_t left = columns.end - c;
    axpy_piece<Codec, kRows>(piece, coefficient, left < kKBlock ? left : kKBlock, y + c);
  }
}

template <class Codec>
void quantised_axpy(const Matrix& w, RowList rows, const float* coefficient, Range columns,
                    float* y) {
  size_t i = 0;
  for (; i + 4 <= rows.count; i += 4) {
    const uint8_t* row[4];
    const uint8_t* next[4];
    for (size_t r = 0; r < 4; ++r) {
      row[r] = row_of(w, rows.index[i + r]);
      next[r] = row_of(w, rows.index[i + 4 + r < rows.count ? i + 4 + r : i + r]);
    }
    axpy_rows<Codec, 4>(row, next, coefficient + i, columns, y);
  }
  for (; i < rows.count; ++i) {
    const uint8_t* row = row_of(w, rows.index[i]);
    axpy_rows<Codec, 1>(&row, &row, coefficient + i, columns, y);
  }
}

template <class Codec>
void quantised_row(const void* row, size_t columns, float* out) {
  constexpr size_t kPieceBytes = kKBlock / Codec::kBlock * Codec::kBytes;
  const uint8_t* piece = static_cast<const uint8_t*>(row);
  for (size_t c = 0; c < columns; c += kKBlock, piece += kPieceBytes) {
    const size_t count = columns - c < kKBlock ? columns - c : kKBlock;
    RowScales<Codec> scales;
    scales.load(piece, count);
    for (size_t at = 0; at < count; at += 16) {
      const bool both = at / kChunk * kChunk + kGroup < count;
      const __m512i code = codes_64<Codec>(piece, at / kChunk, both);
      _mm512_storeu_ps(out + c + at,
                       scales.weights(centred<Codec>(code, at % kChunk / 16), at / 16));
    }
  }
}

}  // namespace

namespace avx512 {

void axpy_q8_0(const Matrix& w, RowList rows, const float* c, Range columns, float* y) {
  quantised_axpy<Q8_0>(w, rows, c, columns, y);
}
void axpy_q4_0(const Matrix& w, RowList rows, const float* c, Range columns, float* y) {
  quantised_axpy<Q4_0>(w, rows, c, columns, y);
}
void axpy_q4_1(const Matrix& w, RowList rows, const float* c, Range columns, float* y) {
  quantised_axpy<Q4_1>(w, rows, c, columns, y);
}
void axpy_q5_0(const Matrix& w, RowList rows, const float* c, Range columns, float* y) {
  quantised_axpy<Q5_0>(w, rows, c, columns, y);
}
void axpy_q5_1(const Matrix& w, RowList rows, const float* c, Range columns, float* y) {
  quantised_axpy<Q5_1>(w, rows, c, columns, y);
}
void axpy_q4_k(const Matrix& w, RowList rows, const float* c, Range columns, float* y) {
  quantised_axpy<Q4_K>(w, rows, c, columns, y);
}
void axpy_q5_k(const Matrix& w, RowList rows, const float* c, Range columns, float* y) {
  quantised_axpy<Q5_K>(w, rows, c, columns, y);
}
void axpy_q6_k(const Matrix& w, RowList rows, const float* c, Range columns, float* y) {
  quantised_axpy<Q6_K>(w, rows, c, columns, y);
}

void dequantise_q8_0(const void* row, size_t columns, float* out) {
  quantised_row<Q8_0>(row, columns, out);
}
void dequantise_q4_0(const void* row, size_t columns, float* out) {
  quantised_row<Q4_0>(row, columns, out);
}
void dequantise_q4_1(const void* row, size_t columns, float* out) {
  quantised_row<Q4_1>(row, columns, out);
}
void dequantise_q5_0(const void* row, size_t columns, float* out) {
  quantised_row<Q5_0>(row, columns, out);
}
void dequantise_q5_1(const void* row, size_t columns, float* out) {
  quantised_row<Q5_1>(row, columns, out);
}
void dequantise_q4_k(const void* row, size_t columns, float* out) {
  quantised_row<Q4_K>(row, columns, out);
}
void dequantise_q5_k(const void* row, size_t columns, float* out) {
  quantised_row<Q5_K>(row, columns, out);
}
void dequantise_q6_k(const void* row, size_t columns, float* out) {
  quantised_row<Q6_K>(row, columns, out);
}

}  // namespace avx512
}  // namespace hearth
#endif
