// axpy and rows as f32 for quantised weights on AVX-512: codes become f32 in registers, four rows
// to a pass over y.
#if defined(__x86_64__)
#include "avx512-codes.h"
#include "avx512.h"
#include "generic-weights.h"

namespace hearth {
namespace {

// Sixteen centred codes of a row's piece of 256 columns, from column 16 · at on, as f32.
template <class Codec>
__m512 centred(const uint8_t* piece, size_t at, bool both) {
  alignas(64) uint8_t code[kChunk];
  _mm512_store_si512(code, codes_64<Codec>(piece, at / 4, both));
  const __m512i wide = _mm512_cvtepu8_epi32(load_16(code + at % 4 * 16));
  return _mm512_cvtepi32_ps(_mm512_sub_epi32(wide, _mm512_set1_epi32(Codec::kZero)));
}

template <>
__m512 centred<Q8_0>(const uint8_t* piece, size_t at, bool) {
  const uint8_t* p = piece + at / 2 * Q8_0::kBytes + 2 + at % 2 * 16;
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(load_16(p)));
}

// A table look-up uses the low four bits of a lane only, so nibbles need no mask.
template <>
__m512 centred<Q4_0>(const uint8_t* piece, size_t at, bool) {
  const __m512 value = _mm512_set_ps(7, 6, 5, 4, 3, 2, 1, 0, -1, -2, -3, -4, -5, -6, -7, -8);
  const __m512i packed = _mm512_cvtepu8_epi32(load_16(piece + at / 2 * Q4_0::kBytes + 2));
  return _mm512_permutexvar_ps(at % 2 ? _mm512_srli_epi32(packed, 4) : packed, value);
}

// Scales and minima of up to 256 columns of a row, times its coefficient, one per group of
// kSubGroup.
template <class Codec>
struct RowScales {
  static constexpr size_t kParts = kKBlock / Codec::kSubGroup;
  float scale[kParts];
  float minimum[kParts];

  void load(const uint8_t* weights, size_t columns, float coefficient) {
    constexpr size_t kPerBlock = Codec::kBlock / Codec::kSubGroup;
    for (size_t b = 0; b < columns / Codec::kBlock; ++b) {
      block_scales<Codec>(weights + b * Codec::kBytes, scale + b * kPerBlock,
                          minimum + b * kPerBlock);
    }
    for (size_t p = 0; p < columns / Codec::kSubGroup; ++p) {
      scale[p] *= coefficient;
      if constexpr (Codec::kHasMinimum) minimum[p] *= coefficient;
    }
  }
  // sum + the 16 weights from column 16 · at on, given their centred codes.
  __m512 add(__m512 sum, __m512 code, size_t at) const {
    const size_t part = at * 16 / Codec::kSubGroup;
    sum = _mm512_fmadd_ps(code, _mm512_set1_ps(scale[part]), sum);
    if constexpr (!Codec::kHasMinimum) return sum;
    return _mm512_sub_ps(sum, _mm512_set1_ps(minimum[part]));
  }
};

// y[0 .. columns) += Σ c[r] · row[r], columns <= 256.
template <class Codec, size_t kRows>
void axpy_piece(const uint8_t* const* row, const float* coefficient, size_t columns, float* y) {
  RowScales<Codec> scales[kRows];
  for (size_t r = 0; r < kRows; ++r) scales[r].load(row[r], columns, coefficient[r]);
  for (size_t at = 0; at < columns / 16; at += 2) {
    const bool both = at / 4 * kChunk + kGroup < columns;
    __m512 low = _mm512_loadu_ps(y + 16 * at);
    __m512 high = _mm512_loadu_ps(y + 16 * at + 16);
#pragma GCC unroll 4
    for (size_t r = 0; r < kRows; ++r) {
      low = scales[r].add(low, centred<Codec>(row[r], at, both), at);
      high = scales[r].add(high, centred<Codec>(row[r], at + 1, both), at + 1);
    }
    _mm512_storeu_ps(y + 16 * at, low);
    _mm512_storeu_ps(y + 16 * at + 16, high);
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
    scales.load(piece, count, 1);
    for (size_t at = 0; at < count / 16; ++at) {
      const bool both = at / 4 * kChunk + kGroup < count;
      const __m512 code = centred<Codec>(piece, at, both);
      _mm512_storeu_ps(out + c + 16 * at, scales.add(_mm512_setzero_ps(), code, at));
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
