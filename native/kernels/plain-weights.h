// Kernels of F32, F16 and BF16 weights over lanes L (lanes-*.h). Equations: kernels.h.
// Internal to kernels/.
#pragma once

#include "panel-gemm.h"
#include "plain-block.h"
#include "row-kernels.h"

namespace hearth {
namespace {

// A plain codec that reads lanes L at a time.
template <class Codec, class L>
struct Lane;

template <class L>
struct Lane<F32, L> : F32 {
  using Lanes = L;
  static typename L::V lanes(const uint8_t* p) {
    return L::load(reinterpret_cast<const float*>(p));
  }
  static typename L::V lanes_n(const uint8_t* p, size_t n) {
    return L::load_n(reinterpret_cast<const float*>(p), n);
  }
};

template <class L>
struct Lane<F16, L> : F16 {
  using Lanes = L;
  static typename L::V lanes(const uint8_t* p) {
    return L::load_f16(reinterpret_cast<const uint16_t*>(p));
  }
  static typename L::V lanes_n(const uint8_t* p, size_t n) {
    return L::load_f16_n(reinterpret_cast<const uint16_t*>(p), n);
  }
};

template <class L>
struct Lane<BF16, L> : BF16 {
  using Lanes = L;
  static typename L::V lanes(const uint8_t* p) {
    return L::load_bf16(reinterpret_cast<const uint16_t*>(p));
  }
  static typename L::V lanes_n(const uint8_t* p, size_t n) {
    return L::load_bf16_n(reinterpret_cast<const uint16_t*>(p), n);
  }
};

// Vectors of a row in a cache line.
template <class Codec>
constexpr size_t kLineVectors = kLine / (Codec::Lanes::kLanes * Codec::kBytes);

// Running sums per row: with two additions per sum and line a row is summed at about the speed of
// memory. A core that runs further ahead loads from lines that are still under way, which takes the
// buffers for requests of new lines: four sums read 7-10 % slower.
template <class Codec>
constexpr size_t kSums = kLineVectors<Codec> <= 2   ? 1
                         : kLineVectors<Codec> <= 4 ? 2
                                                    : 4;

// Prefetches after the loads of each line: none; next[i] into the second level of cache (a hint for
// the first level, so far ahead, evicts x); or besides that the row itself, kNear bytes ahead, into
// the first level, for rows that continue behind their end.
enum class Hints { kNone, kNext, kNextAndNear };
constexpr size_t kNear = 256;

// W[row[i], :] · x for kRows rows together, a cache line of each at a time. A row's sums depend on
// neither kRows nor kHints.
template <class Codec, size_t kRows, Hints kHints>
void dot_rows(const uint8_t* const* row, const uint8_t* const* next, size_t columns, const float* x,
              float* y) {
  using L = typename Codec::Lanes;
  constexpr size_t kStep = kLine / Codec::kBytes;
  typename L::V sum[kRows][kSums<Codec>];
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t s = 0; s < kSums<Codec>; ++s) sum[r][s] = L::zero();
  }
  size_t i = 0;
  for (; i + kStep <= columns; i += kStep) {
#pragma GCC unroll 4
    for (size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (size_t v = 0; v < kLineVectors<Codec>; ++v) {
        const size_t at = i + v * L::kLanes;
        typename L::V& s = sum[r][v % kSums<Codec>];
        s = L::fma(Codec::lanes(row[r] + at * Codec::kBytes), L::load(x + at), s);
      }
      const size_t at = i * Codec::kBytes;
      if (kHints != Hints::kNone) __builtin_prefetch(next[r] + at, 0, 2);
      if (kHints == Hints::kNextAndNear) __builtin_prefetch(row[r] + at + kNear, 0, 3);
    }
  }
  for (size_t r = 0; r < kRows; ++r) {
    for_lanes<L>(columns - i, [&](size_t k, size_t n) {
      const uint8_t* p = row[r] + (i + k) * Codec::kBytes;
      const typename L::V w = n == L::kLanes ? Codec::lanes(p) : Codec::lanes_n(p, n);
      sum[r][0] = L::fma(w, load_some<L>(x + i + k, n), sum[r][0]);
    });
    for (size_t half = kSums<Codec> / 2; half > 0; half /= 2) {
      for (size_t s = 0; s < half; ++s) sum[r][s] = L::add(sum[r][s], sum[r][s + half]);
    }
    y[r] = L::reduce_add(sum[r][0]);
  }
}

// The most bytes of an x that stays in a first level of 32 KB together with the row that it is
// multiplied with.
constexpr size_t kShortX = 12 * 1024;

// Short rows are read one by one: the hardware prefetches them by itself. Long rows are read four
// together, so that x is read once for four, one row of each quarter of the range: four streams,
// each prefetched ahead. GB/s in a mapped file of F16, on one Zen 4 core and on two:
//
//                  one by one   four streams   plain read
//   rows of 4 KB   28 and 33    24 and 32      27 and 32
//   rows of 11 KB  16 and 26    23 and 32      26 and 32
template <class Codec>
void plain_gemv(const GemvTask& task) {
  constexpr size_t kStreams = 4;
  constexpr size_t kAhead = 4096;
  const Matrix& w = task.w;
  const Range rows = task.rows;
  const float* input = static_cast<const float*>(task.x);
  float* y = task.y;
  const bool is_short = w.columns * sizeof(float) <= kShortX;
  const size_t part = is_short ? 0 : (rows.end - rows.begin) / kStreams;
  for (size_t r = rows.begin; r < rows.begin + part; ++r) {
    const uint8_t* row[kStreams];
    const uint8_t* next[kStreams];
    for (size_t s = 0; s < kStreams; ++s) {
      row[s] = row_of(w, r + s * part);
      next[s] = row[s] + kAhead;
    }
    float sum[kStreams];
    dot_rows<Codec, kStreams, Hints::kNextAndNear>(row, next, w.columns, input, sum);
    for (size_t s = 0; s < kStreams; ++s) y[r + s * part] = sum[s];
  }
  for (size_t r = rows.begin + kStreams * part; r < rows.end; ++r) {
    const uint8_t* row = row_of(w, r);
    dot_rows<Codec, 1, Hints::kNone>(&row, nullptr, w.columns, input, y + r);
  }
}

// Four rows together, the next four prefetched: listed rows lie apart, so that the hardware cannot
// prefetch them (10 % of a mapped file of F16: one row at a time reads at 0.60 of this speed with
// one thread, at 0.75 with two).
template <class Codec>
void plain_gather_dot(const Matrix& w, const void* x, RowList rows, float* y) {
  const float* input = static_cast<const float*>(x);
  rows_in_fours(w, rows, [=](auto count, size_t i, const uint8_t* const* row, auto next) {
    dot_rows<Codec, count, Hints::kNext>(row, next, w.columns, input, y + i);
  });
}

// y += Σ c[r] · row[r] over kRows rows in one pass over y, a cache line of each row at a time; the
// rows next[r] follow.
template <class Codec, size_t kRows>
void axpy_rows(const uint8_t* const* row, const uint8_t* const* next, const float* coefficient,
               Range columns, float* y) {
  using L = typename Codec::Lanes;
  constexpr size_t kStep = kLine / Codec::kBytes;
  typename L::V c[kRows];
  for (size_t r = 0; r < kRows; ++r) c[r] = L::set1(coefficient[r]);
  size_t i = columns.begin;
  for (; i + kStep <= columns.end; i += kStep) {
    typename L::V sum[kLineVectors<Codec>];
    for (size_t v = 0; v < kLineVectors<Codec>; ++v) sum[v] = L::load(y + i + v * L::kLanes);
#pragma GCC unroll 4
    for (size_t r = 0; r < kRows; ++r) {
      __builtin_prefetch(next[r] + i * Codec::kBytes, 0, 2);
#pragma GCC unroll 8
      for (size_t v = 0; v < kLineVectors<Codec>; ++v) {
        const size_t at = i + v * L::kLanes;
        sum[v] = L::fma(c[r], Codec::lanes(row[r] + at * Codec::kBytes), sum[v]);
      }
    }
    for (size_t v = 0; v < kLineVectors<Codec>; ++v) L::store(y + i + v * L::kLanes, sum[v]);
  }
  for_lanes<L>(columns.end - i, [&](size_t k, size_t n) {
    typename L::V sum = load_some<L>(y + i + k, n);
    for (size_t r = 0; r < kRows; ++r) {
      const uint8_t* p = row[r] + (i + k) * Codec::kBytes;
      sum = L::fma(c[r], n == L::kLanes ? Codec::lanes(p) : Codec::lanes_n(p, n), sum);
    }
    store_some<L>(y + i + k, sum, n);
  });
}

template <class Codec>
void plain_axpy(const Matrix& w, RowList rows, const float* coefficient, Range columns, float* y) {
  rows_in_fours(w, rows, [=](auto count, size_t i, const uint8_t* const* row, auto next) {
    axpy_rows<Codec, count>(row, next, coefficient + i, columns, y);
  });
}

template <class Codec>
void plain_decode(const uint8_t* row, size_t columns, float* out) {
  using L = typename Codec::Lanes;
  for_lanes<L>(columns, [&](size_t i, size_t n) {
    const uint8_t* p = row + i * Codec::kBytes;
    store_some<L>(out + i, n == L::kLanes ? Codec::lanes(p) : Codec::lanes_n(p, n), n);
  });
}

template <class Codec>
void plain_dequantise_row(const void* row, size_t columns, float* out) {
  plain_decode<Codec>(static_cast<const uint8_t*>(row), columns, out);
}

template <class Codec>
struct PlainDecoder : PlainX {
  static void decode(const uint8_t* row, size_t begin, size_t depth, float* out) {
    plain_decode<Codec>(row + begin * Codec::kBytes, depth, out);
  }
};

// From this many tokens on a panel, transposed and widened once, pays (bench/kernels/rows_bench.cc;
// 64 x 4096, Zen 4).
constexpr size_t kPlainPanelTokens = 48;
// Two tokens read each weight once.
constexpr size_t kPlainGemmTokens = 2;

template <class Codec>
void plain_gemm(const GemmTask& task) {
  if (task.tokens < kPlainPanelTokens) return plain_blocks<Codec>(task);
  panel_gemm<typename Codec::Lanes, PlainDecoder<Codec>>(task);
}

template <class Codec>
constexpr WeightKernels lane_plain() {
  return {
      copy_row,          plain_gemv<Codec>,           plain_gemm<Codec>, plain_gather_dot<Codec>,
      plain_axpy<Codec>, plain_dequantise_row<Codec>, kPlainGemmTokens,  kPlainPanelTokens};
}

}  // namespace
}  // namespace hearth
