// Kernels of quantised weights with unrounded inputs: every row is dequantised in pieces and
// multiplied in f32, so that a result has the rounding of f32 sums only. For `exact`: the kernels
// that round inputs to eight bits are several times faster. Equations: kernels.h.
// Internal to kernels/.
#pragma once

#include "isa.h"
#include "panel-gemm.h"

namespace hearth {
namespace {

// x is f32, in rows as far apart as those of rounded inputs, which are longer.
struct ExactX {
  static const float* x_rows(Range tokens, size_t begin, size_t, const GemmTask& task, float*,
                             size_t* stride) {
    *stride = q8_row_bytes(task.w.columns) / sizeof(float);
    return static_cast<const float*>(task.x) + tokens.begin * *stride + begin;
  }
};

template <class Codec>
struct ExactDecoder : ExactX {
  static void decode(const uint8_t* row, size_t begin, size_t depth, float* out) {
    dequantise_quantised<Codec>(row + begin / Codec::kBlock * Codec::kBytes, depth, out);
  }
};

// Columns are a multiple of 32, and so of every number of lanes.
template <class Codec, class L>
struct ExactDot {
  static float dot(const uint8_t* weights, size_t columns, const void* x) {
    const float* input = static_cast<const float*>(x);
    typename L::V sum = L::zero();
    float values[kKBlock];
    for (size_t begin = 0; begin < columns; begin += kKBlock) {
      const size_t depth = columns - begin < kKBlock ? columns - begin : kKBlock;
      ExactDecoder<Codec>::decode(weights, begin, depth, values);
      for (size_t i = 0; i < depth; i += L::kLanes) {
        sum = L::fma(L::load(values + i), L::load(input + begin + i), sum);
      }
    }
    return L::reduce_add(sum);
  }
};

// A row is dequantised once for all tokens of a panel.
constexpr size_t kExactGemmTokens = 2;

// The table with unrounded inputs for quantised types; everything else of it stays.
template <class L>
Kernels with_exact_weights(Kernels kernels) {
  kernels.rounds_inputs = false;
  for_each_codec([&kernels](auto codec) {
    using Codec = decltype(codec);
    if constexpr (Codec::kX == XFormat::kQ8) {
      WeightKernels& table = weights_of(kernels, Codec::kType);
      table.prepare_x = copy_row;
      table.gemv = generic_gemv<ExactDot<Codec, L>>;
      table.gemm = panel_gemm<L, ExactDecoder<Codec>>;
      table.gather_dot = generic_gather_dot<ExactDot<Codec, L>>;
      table.gemm_tokens = kExactGemmTokens;
      table.panel_tokens = 0;
    }
  });
  return kernels;
}

}  // namespace
}  // namespace hearth
