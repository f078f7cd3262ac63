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

// A table look-up uses only the low four bits of a lane, so nibbles need no mask.
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
  rows_in_fours(w, rows, [=](auto count, size_t i, const uint8_t* const* row, auto next) {
    axpy_rows<Codec, count>(row, next, coefficient + i, columns, y);
  });
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

// Q8_0: y += Σ c[r] · row[r] over kRows rows in one pass over y, a block of each at a time.
template <size_t kRows>
void q8_0_rows(const uint8_t* const* row, const uint8_t* const* next, const float* coefficient,
               Range columns, float* y) {
  for (size_t c = columns.begin; c < columns.end; c += Q8_0::kBlock) {
    const size_t at = c / Q8_0::kBlock * Q8_0::kBytes;
    __m512 low = _mm512_loadu_ps(y + c);
    __m512 high = _mm512_loadu_ps(y + c + 16);
#pragma GCC unroll 4
    for (size_t r = 0; r < kRows; ++r) {
      const uint8_t* b = row[r] + at;
      __builtin_prefetch(next[r] + at, 0, 2);
      const __m512 scale = _mm512_set1_ps(_cvtsh_ss(load_u16(b)) * coefficient[r]);
      low = _mm512_fmadd_ps(centred<Q8_0>(b, 0, true), scale, low);
      high = _mm512_fmadd_ps(centred<Q8_0>(b, 1, true), scale, high);
    }
    _mm512_storeu_ps(y + c, low);
    _mm512_storeu_ps(y + c + 16, high);
  }
}

// Q4_0, whole pieces of four blocks (128 columns, 72 bytes). Their 64 bytes of nibbles are 16 words
// of 8 nibbles, and a table look-up uses the low four bits of each word only: shifted by 4k, the
// words are the indices of 16 columns without being widened. Column 32 b + 16 h + 4 q + e is nibble
// 2 e + h of word 4 b + q, so y is brought into that order at the beginning of a call and back at
// the end.
constexpr size_t kPieceColumns = 128;
constexpr size_t kPieceBytes = 4 * Q4_0::kBytes;
constexpr size_t kSpanColumns = 2048;

// Lane 4 q + e of vector b to lane 4 b + q of vector e, or back.
template <bool kBack>
void reorder(__m512* v) {
  const __m512i within = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
  if (!kBack) {
    for (size_t b = 0; b < 4; ++b) v[b] = _mm512_permutexvar_ps(within, v[b]);
  }
  const __m512 low_01 = _mm512_shuffle_f32x4(v[0], v[1], 0x44);
  const __m512 low_23 = _mm512_shuffle_f32x4(v[2], v[3], 0x44);
  const __m512 high_01 = _mm512_shuffle_f32x4(v[0], v[1], 0xee);
  const __m512 high_23 = _mm512_shuffle_f32x4(v[2], v[3], 0xee);
  v[0] = _mm512_shuffle_f32x4(low_01, low_23, 0x88);
  v[1] = _mm512_shuffle_f32x4(low_01, low_23, 0xdd);
  v[2] = _mm512_shuffle_f32x4(high_01, high_23, 0x88);
  v[3] = _mm512_shuffle_f32x4(high_01, high_23, 0xdd);
  if (kBack) {
    for (size_t b = 0; b < 4; ++b) v[b] = _mm512_permutexvar_ps(within, v[b]);
  }
}

// ordered[16 (2 e + h) …] of each piece: its columns in the order of the nibbles.
template <bool kBack>
void reorder_span(float* y, size_t columns, float* ordered) {
  for (size_t at = 0; at < columns; at += kPieceColumns) {
    for (size_t half = 0; half < 2; ++half) {
      __m512 v[4];
      for (size_t i = 0; i < 4; ++i) {
        const size_t nibbles = at + 32 * i + 16 * half;
        v[i] = _mm512_loadu_ps(kBack ? ordered + nibbles : y + nibbles);
      }
      reorder<kBack>(v);
      for (size_t i = 0; i < 4; ++i) {
        const size_t nibbles = at + 32 * i + 16 * half;
        _mm512_storeu_ps(kBack ? y + nibbles : ordered + nibbles, v[i]);
      }
    }
  }
}

// sum[k] += coefficient · scale · (nibble k − 8) of one piece of a row.
inline void add_piece(const uint8_t* weights, __m512 coefficient, __m512* sum) {
  // Byte 18 b + 2 + i of the piece: of the first load if it is below 64, else of the load from 8.
  alignas(64) static constexpr uint8_t kNibbles[64] = {
      2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14,  15,  16,  17,  20,  21,  22,  23, 24, 25,
      26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 38, 39, 40,  41,  42,  43,  44,  45,  46,  47, 48, 49,
      50, 51, 52, 53, 56, 57, 58, 59, 60, 61, 62, 63, 120, 121, 122, 123, 124, 125, 126, 127};
  const __m512 value = _mm512_set_ps(7, 6, 5, 4, 3, 2, 1, 0, -1, -2, -3, -4, -5, -6, -7, -8);
  const __m512i head = _mm512_loadu_si512(weights);
  const __m512i tail = _mm512_loadu_si512(weights + 8);
  __m512i packed = _mm512_permutex2var_epi8(head, _mm512_load_si512(kNibbles), tail);
  const __m512i pick = _mm512_castsi256_si512(
      _mm256_set_epi16(27, 27, 27, 27, 18, 18, 18, 18, 9, 9, 9, 9, 0, 0, 0, 0));
  const __m512 scale = _mm512_mul_ps(
      _mm512_cvtph_ps(_mm512_castsi512_si256(_mm512_permutexvar_epi16(pick, head))), coefficient);
#pragma GCC unroll 8
  for (size_t k = 0; k < 8; ++k) {
    sum[k] = _mm512_fmadd_ps(_mm512_permutexvar_ps(packed, value), scale, sum[k]);
    packed = _mm512_srli_epi32(packed, 4);
  }
}

template <size_t kRows>
void add_rows(const uint8_t* const* row, const uint8_t* const* next, const float* coefficient,
              size_t columns, float* ordered) {
  __m512 c[kRows];
  for (size_t r = 0; r < kRows; ++r) c[r] = _mm512_set1_ps(coefficient[r]);
  for (size_t piece = 0; piece < columns / kPieceColumns; ++piece) {
    float* y = ordered + piece * kPieceColumns;
    __m512 sum[8];
    for (size_t k = 0; k < 8; ++k) sum[k] = _mm512_loadu_ps(y + 16 * k);
#pragma GCC unroll 4
    for (size_t r = 0; r < kRows; ++r) {
      __builtin_prefetch(next[r] + piece * kPieceBytes, 0, 2);
      __builtin_prefetch(next[r] + piece * kPieceBytes + 64, 0, 2);
      add_piece(row[r] + piece * kPieceBytes, c[r], sum);
    }
    for (size_t k = 0; k < 8; ++k) _mm512_storeu_ps(y + 16 * k, sum[k]);
  }
}

// Columns [begin, end), whole pieces and at most kSpanColumns of them.
void q4_0_span(const Matrix& w, RowList rows, const float* coefficient, Range columns, float* y) {
  alignas(64) float ordered[kSpanColumns];
  const size_t count = columns.end - columns.begin;
  const size_t offset = columns.begin / Q4_0::kBlock * Q4_0::kBytes;
  reorder_span<false>(y + columns.begin, count, ordered);
  const Matrix from = {static_cast<const uint8_t*>(w.data) + offset, w.columns, w.row_bytes};
  float* sums = ordered;
  rows_in_fours(from, rows, [=](auto together, size_t i, const uint8_t* const* row, auto next) {
    add_rows<together>(row, next, coefficient + i, count, sums);
  });
  reorder_span<true>(y + columns.begin, count, ordered);
}

void q8_0_axpy(const Matrix& w, RowList rows, const float* c, Range columns, float* y) {
  rows_in_fours(w, rows, [=](auto count, size_t i, const uint8_t* const* row, auto next) {
    q8_0_rows<count>(row, next, c + i, columns, y);
  });
}

void q4_0_axpy(const Matrix& w, RowList rows, const float* c, Range columns, float* y) {
  const size_t whole = columns.end - (columns.end - columns.begin) % kKBlock;
  for (size_t at = columns.begin; at < whole; at += kSpanColumns) {
    q4_0_span(w, rows, c, Range{at, at + kSpanColumns < whole ? at + kSpanColumns : whole}, y);
  }
  if (whole < columns.end) quantised_axpy<Q4_0>(w, rows, c, Range{whole, columns.end}, y);
}

template <class Codec>
void add(Kernels& kernels, decltype(WeightKernels::axpy) axpy) {
  WeightKernels& of_type = weights_of(kernels, Codec::kType);
  of_type.axpy = axpy;
  of_type.dequantise_row = quantised_row<Codec>;
}

}  // namespace

void avx512::add_rows(Kernels& kernels) {
  add<Q8_0>(kernels, q8_0_axpy);
  add<Q4_0>(kernels, q4_0_axpy);
  add<Q4_1>(kernels, quantised_axpy<Q4_1>);
  add<Q5_0>(kernels, quantised_axpy<Q5_0>);
  add<Q5_1>(kernels, quantised_axpy<Q5_1>);
  add<Q4_K>(kernels, quantised_axpy<Q4_K>);
  add<Q5_K>(kernels, quantised_axpy<Q5_K>);
  add<Q6_K>(kernels, quantised_axpy<Q6_K>);
}

}  // namespace hearth
#endif
