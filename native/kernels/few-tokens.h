// Products of one or two tokens with quantised rows on AVX-512, by the dot products of four-rows.h: sums
// are those of gemv, bit for bit. More tokens take the product of sixteen rows (avx512-gemm.cc).
// Internal to kernels/.
#pragma once

#include "avx512.h"
#include "four-rows.h"

namespace hearth {
namespace {

// From this many tokens on sixteen rows are turned: for a row of 4096 columns and three tokens 118 ns
// in place of 136 (Q4_0), 125 of 154 (Q4_K), 156 of 184 (Q8_0), 199 of 205 (Q6_K).
constexpr size_t kLeastTurnedTokens = 3;

template <class Dot>
void few_or_many_gemm(const GemmTask& task) {
  const Matrix& w = task.w;
  if (task.tokens >= kLeastTurnedTokens) return avx512::vnni_gemm(Dot::Format::kType, task);
  if (task.tokens == 1) {
    return four_row_gemv<Dot>({w, task.x, task.rows, task.y, task.next});
  }
  const PrefetchedRows ahead(w, task.rows.end, task.next);
  const uint8_t* second = static_cast<const uint8_t*>(task.x) + q8_row_bytes(w.columns);
  with_steps<Dot>(task.x, w.columns, [&](const Steps& a) {
    with_steps<Dot>(second, w.columns, [&](const Steps& b) {
      const Steps both[2] = {a, b};
      dot_adjacent<Dot, 4, 2>(w, task.rows, ahead, both, task.y, task.y_stride);
    });
  });
}

// gemv, gather_dot and gemm of a type.
template <class Dot>
void add_dots(Kernels& kernels) {
  WeightKernels& of_type = weights_of(kernels, Dot::Format::kType);
  of_type.gemv = four_row_gemv<Dot>;
  of_type.gather_dot = four_row_gather<Dot>;
  of_type.gemm = few_or_many_gemm<Dot>;
  of_type.gemm_tokens = 2;
  of_type.panel_tokens = kLeastTurnedTokens;
}

}  // namespace
}  // namespace hearth
