// Register-blocked product of a panel of f32 weights with several rows of x: the core of the float
// gemm and of attention over several rows. Each sum runs over the depth in order, so it does not
// depend on the blocking.
// Internal to kernels/.
#pragma once

#include "token-blocks.h"

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

template <class L>
struct PanelKernel {
  template <size_t kCount>
  static void block(const PanelTask& task) {
    panel_block<L, kCount>(task);
  }
};

template <class L>
void panel_product(const PanelTask& task, size_t tokens) {
  using Kernel = PanelKernel<L>;
  constexpr size_t kMost = L::kTokens;
  if constexpr (kMost > 8) {
    in_token_blocks<Kernel, kMost, 8, 4, 2, 1>(task, tokens);
  } else if constexpr (kMost > 4) {
    in_token_blocks<Kernel, kMost, 4, 2, 1>(task, tokens);
  } else {
    in_token_blocks<Kernel, kMost, 2, 1>(task, tokens);
  }
}

}  // namespace
}  // namespace hearth
