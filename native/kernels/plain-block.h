// Products of plain weights with few tokens over lanes L (lanes-*.h): some rows and some tokens
// together in registers, so that each weight is widened once for all of these tokens and each x is
// loaded once for all of these rows. A panel (panel-gemm.h) needs fewer instructions for each token,
// but is transposed first.
// Internal to kernels/.
#pragma once

#include <type_traits>

#include "row-kernels.h"
#include "token-blocks.h"

namespace hearth {
namespace {

// y[t, r] = W[row[r], :] · x_t of kRows rows.
template <class Codec, size_t kRows>
struct PlainBlock {
  const uint8_t* row[kRows];
  const uint8_t* next[kRows];  // fetched while these are read
  size_t columns;
  const float* x;  // [tokens, x_stride]
  size_t x_stride;
  float* y;  // [tokens, y_stride]
  size_t y_stride;
};

template <class Codec, size_t kRows>
struct PlainBlockKernel {
  using L = typename Codec::Lanes;

  template <size_t kCount>
  static void block(const PlainBlock<Codec, kRows>& task) {
    typename L::V sum[kRows][kCount];
    for (size_t r = 0; r < kRows; ++r) {
      for (size_t t = 0; t < kCount; ++t) sum[r][t] = L::zero();
    }
    const float* x[kCount];
    for (size_t t = 0; t < kCount; ++t) x[t] = task.x + t * task.x_stride;
    size_t i = 0;
    for (; i + L::kLanes <= task.columns; i += L::kLanes) {
      typename L::V w[kRows];
#pragma GCC unroll 4
      for (size_t r = 0; r < kRows; ++r) {
        const uint8_t* p = task.row[r] + i * Codec::kBytes;
        w[r] = Codec::lanes(p);
        const size_t at = i * Codec::kBytes;
        if (at % kLine == 0) __builtin_prefetch(task.next[r] + at, 0, 2);
      }
#pragma GCC unroll 5
      for (size_t t = 0; t < kCount; ++t) {
        const typename L::V value = L::load(x[t] + i);
#pragma GCC unroll 4
        for (size_t r = 0; r < kRows; ++r) sum[r][t] = L::fma(w[r], value, sum[r][t]);
      }
    }
    if (const size_t left = task.columns - i; left > 0) {
      for (size_t r = 0; r < kRows; ++r) {
        const typename L::V w = Codec::lanes_n(task.row[r] + i * Codec::kBytes, left);
        for (size_t t = 0; t < kCount; ++t) {
          sum[r][t] = L::fma(w, L::load_n(x[t] + i, left), sum[r][t]);
        }
      }
    }
    for (size_t t = 0; t < kCount; ++t) {
      for (size_t r = 0; r < kRows; ++r) {
        task.y[t * task.y_stride + r] = L::reduce_add(sum[r][t]);
      }
    }
  }
};

// `Codec` is a Lane of plain-weights.h.
template <class Codec>
void plain_blocks(const GemmTask& task) {
  // Sums of four rows and five tokens take 20 of 32 registers, of two rows and four tokens half of 16.
  constexpr size_t kRows = Codec::Lanes::kTokens >= 8 ? 4 : 2;
  constexpr size_t kMostTokens = Codec::Lanes::kTokens >= 8 ? 5 : 4;
  const Matrix& w = task.w;
  const auto multiply = [&](size_t first, auto count) {
    PlainBlock<Codec, count> block = {};
    const bool is_last = first + 2 * count > task.rows.end && task.next != nullptr;
    const uint8_t* next =
        is_last ? static_cast<const uint8_t*>(task.next) : row_of(w, first + count);
    for (size_t r = 0; r < count; ++r) {
      block.row[r] = row_of(w, first + r);
      block.next[r] = next + r * w.row_bytes;
    }
    block.columns = w.columns;
    block.x = static_cast<const float*>(task.x);
    block.x_stride = f32_row_bytes(w.columns) / sizeof(float);
    block.y = task.y + first;
    block.y_stride = task.y_stride;
    in_even_blocks<PlainBlockKernel<Codec, count>, kMostTokens>(block, task.tokens);
  };
  size_t r = task.rows.begin;
  for (; r + kRows <= task.rows.end; r += kRows) {
    multiply(r, std::integral_constant<size_t, kRows>{});
  }
  for (; r < task.rows.end; ++r) multiply(r, std::integral_constant<size_t, 1>{});
}

}  // namespace
}  // namespace hearth
