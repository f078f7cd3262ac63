// Products of a few tokens with quantised rows on AVX-512: a Dot of four-rows.h for each of four rows
// and two or three tokens, so that the compiler unpacks each step of a row once for these tokens,
// and what is of x alone once for these rows. Sums are those of gemv, bit for bit.
// Internal to kernels/.
#pragma once

#include "avx512.h"
#include "four-rows.h"
#include "token-blocks.h"

namespace hearth {
namespace {

// What follows the whole steps of one token's x is kept in `last`.
template <class Dot>
Steps steps_of(const void* x, size_t columns, LastStep& last) {
  const size_t bytes = columns / Dot::Format::kBlock * Dot::Format::kBytes;
  const Q8Row prepared = q8_row(x, columns);
  Steps steps = {prepared, bytes / Dot::kBytes, bytes, false, {}};
  if (steps.whole > 0 && bytes % Dot::kBytes != 0) {
    last.fill(prepared, columns / kGroup);
    steps.has_last = true;
    steps.last = last.x();
  }
  return steps;
}

struct FewTokens {
  const GemmTask& task;
  const uint8_t* x;
  size_t x_stride;
  float* y;
  size_t y_stride;
};

template <class Dot>
struct FewTokensKernel {
  template <size_t kCount>
  static void block(const FewTokens& few) {
    const GemmTask& task = few.task;
    const Matrix& w = task.w;
    LastStep last[kCount];
    Steps steps[kCount];
    for (size_t t = 0; t < kCount; ++t) {
      steps[t] = steps_of<Dot>(few.x + t * few.x_stride, w.columns, last[t]);
    }
    const PrefetchedRows ahead(w, task.rows.end, task.next);
    size_t r = task.rows.begin;
    for (; r + 4 <= task.rows.end; r += 4) {
      const uint8_t* row[4];
      const uint8_t* next[4];
      for (size_t i = 0; i < 4; ++i) {
        row[i] = row_of(w, r + i);
        next[i] = ahead.of(row[i]);
      }
      dot_block<kCount>(row, next, steps, few.y + r, few.y_stride);
    }
    for (; r < task.rows.end; ++r) {
      for (size_t t = 0; t < kCount; ++t) {
        few.y[t * few.y_stride + r] = dot_row<Dot>(row_of(w, r), steps[t]);
      }
    }
  }

 private:
  template <size_t kCount>
  static void dot_block(const uint8_t* const* row, const uint8_t* const* next, const Steps* steps,
                        float* y, size_t y_stride) {
    typename Dot::Sum sum[4][kCount];
    for (size_t r = 0; r < 4; ++r) {
      for (size_t t = 0; t < kCount; ++t) sum[r][t] = Dot::start();
    }
    for (size_t i = 0; i < steps[0].whole; ++i) {
#pragma GCC unroll 4
      for (size_t r = 0; r < 4; ++r) {
        for (size_t line = 0; line < Dot::kBytes; line += kLine) {
          __builtin_prefetch(next[r] + i * Dot::kBytes + line, 0, 2);
        }
#pragma GCC unroll 3
        for (size_t t = 0; t < kCount; ++t) {
          Dot::add(row[r] + i * Dot::kBytes, steps[t].x, i, sum[r][t]);
        }
      }
    }
#pragma GCC unroll 4
    for (size_t r = 0; r < 4; ++r) {
#pragma GCC unroll 3
      for (size_t t = 0; t < kCount; ++t) {
        add_rest<Dot>(row[r], steps[t], sum[r][t]);
        y[t * y_stride + r] = Dot::finish(sum[r][t]);
      }
    }
  }
};

// From this many tokens on the product of a tile is as fast.
constexpr size_t kTileTokens = 4;

template <class Dot>
void few_or_tile_gemm(const GemmTask& task) {
  if (task.tokens >= kTileTokens) return avx512::tile_gemm(Dot::Format::kType, task);
  const size_t x_stride = q8_row_bytes(task.w.columns);
  const uint8_t* x = static_cast<const uint8_t*>(task.x);
  const FewTokens few = {task, x, x_stride, task.y, task.y_stride};
  in_token_blocks<FewTokensKernel<Dot>, 3, 2, 1>(few, task.tokens);
}

// gemv, gather_dot and gemm of a type.
template <class Dot>
void add_dots(Kernels& kernels) {
  WeightKernels& of_type = weights_of(kernels, Dot::Format::kType);
  of_type.gemv = four_row_gemv<Dot>;
  of_type.gather_dot = four_row_gather<Dot>;
  of_type.gemm = few_or_tile_gemm<Dot>;
  of_type.gemm_tokens = 2;
  of_type.panel_tokens = kTileTokens;
}

}  // namespace
}  // namespace hearth
