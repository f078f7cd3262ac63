// Sums over listed rows of a tile of f32, for many tokens: down over the active neurons of a prompt.
// Internal to kernels/.
#pragma once

#include "blocks.h"

namespace hearth {
namespace {

// A token's sums stay in registers while its list passes by.
template <class L>
void add_listed(const ListedSumTask& task) {
  constexpr size_t kVectors = kListedColumns / L::kLanes;
  for (size_t t = 0; t < task.tokens; ++t) {
    const uint32_t begin = task.offset[t];
    const uint32_t end = task.offset[t + 1];
    if (begin == end) continue;
    float* y = task.y + t * kListedColumns;
    typename L::V sum[kVectors];
    for (size_t v = 0; v < kVectors; ++v) sum[v] = L::load(y + v * L::kLanes);
    for (uint32_t e = begin; e < end; ++e) {
      const float* row = task.rows + task.place[e] * kListedColumns;
      const typename L::V c = L::set1(task.coefficient[e]);
#pragma GCC unroll 16
      for (size_t v = 0; v < kVectors; ++v)
        sum[v] = L::fma(c, L::load(row + v * L::kLanes), sum[v]);
    }
    for (size_t v = 0; v < kVectors; ++v) L::store(y + v * L::kLanes, sum[v]);
  }
}

}  // namespace
}  // namespace hearth
