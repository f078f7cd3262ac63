// Register-blocked product of a panel of f32 weights with several rows of x: the core of the float
// gemm and of attention over several rows. Each sum runs over the depth in order, so it does not
// depend on the blocking.
// Internal to kernels/.
#pragma once

#include "blocks.h"

namespace hearth {
namespace {

// y[t, c] (+)= Σ_k x[t, k] · panel[k, c] for c in 0 … 2·kLanes
struct PanelTask {
  const float* panel;  // [depth, panel_stride]
  size_t panel_stride;
  const float* x;  // [tokens, x_stride]
  size_t x_stride;
  size_t depth;
  float* y;  // [tokens, y_stride]
  size_t y_stride;
  bool accumulate;  // y counts as the sum so far
};

// Rows of x that are reached from one pointer: 0, 1 and 2 strides are addressing modes.
constexpr size_t kTokensPerBase = 3;

template <class L, size_t kCount>
void panel_block(const PanelTask& task) {
  typename L::V sum[kCount][2];
  for (size_t t = 0; t < kCount; ++t) {
    for (size_t half = 0; half < 2; ++half) {
      const float* y = task.y + t * task.y_stride + half * L::kLanes;
      sum[t][half] = task.accumulate ? L::load(y) : L::zero();
    }
  }
  constexpr size_t kBases = (kCount + kTokensPerBase - 1) / kTokensPerBase;
  const float* base[kBases];
  for (size_t b = 0; b < kBases; ++b) base[b] = task.x + b * kTokensPerBase * task.x_stride;
  const float* panel = task.panel;
  for (size_t k = 0; k < task.depth; ++k, panel += task.panel_stride) {
    const typename L::V w0 = L::load(panel);
    const typename L::V w1 = L::load(panel + L::kLanes);
#pragma GCC unroll 16
    for (size_t t = 0; t < kCount; ++t) {
      const typename L::V x = L::set1(base[t / kTokensPerBase][t % kTokensPerBase * task.x_stride]);
      sum[t][0] = L::fma(x, w0, sum[t][0]);
      sum[t][1] = L::fma(x, w1, sum[t][1]);
    }
    for (size_t b = 0; b < kBases; ++b) ++base[b];
  }
  for (size_t t = 0; t < kCount; ++t) {
    for (size_t half = 0; half < 2; ++half) {
      L::store(task.y + t * task.y_stride + half * L::kLanes, sum[t][half]);
    }
  }
}

template <class L, size_t kCount>
void panel_blocks(PanelTask task, size_t tokens) {
  for (; tokens >= kCount; tokens -= kCount) {
    panel_block<L, kCount>(task);
    task.x += kCount * task.x_stride;
    task.y += kCount * task.y_stride;
  }
  if constexpr (kCount > 1) {
    constexpr size_t kNext = kCount > 8 ? 8 : kCount > 4 ? 4 : kCount > 2 ? 2 : 1;
    if (tokens > 0) panel_blocks<L, kNext>(task, tokens);
  }
}

template <class L>
void panel_product(const PanelTask& task, size_t tokens) {
  panel_blocks<L, L::kTokens>(task, tokens);
}

}  // namespace
}  // namespace hearth
