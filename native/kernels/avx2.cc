// The AVX2 + FMA + F16C table.
#if defined(__x86_64__)
#include "avx2.h"

#include "exact-weights.h"
#include "lanes-avx2.h"
#include "plain-weights.h"
#include "vector-kernels.h"

namespace hearth {
namespace {

// Against dot products in integers a panel of f32 pays late (2048 x 2048, Zen 4): for Q4_K from 12
// tokens on, for Q8_0 from 40, for Q4_0 from more.
constexpr size_t kGemmTokens32 = 32;
constexpr size_t kGemmTokensK = 12;

// Plain types work over lanes. Quantised types work through f32 in gemm, dequantise_row and axpy;
// the units add their dot products, and axpy of two of them.
template <class Codec>
constexpr WeightKernels weights() {
  if constexpr (Codec::kX == XFormat::kF32) {
    return lane_plain<Lane<Codec, Avx2Lanes>>();
  } else {
    WeightKernels table = {};
    table.prepare_x = prepare_q8;
    table.gemm = panel_gemm<Avx2Lanes, QuantisedDecoder<Codec>>;
    table.axpy = generic_axpy<Codec::kBlock, Codec::kBytes, dequantise_quantised<Codec>>;
    table.dequantise_row = dequantise_quantised<Codec>;
    table.gemm_tokens = Codec::kBlock == kKBlock ? kGemmTokensK : kGemmTokens32;
    return table;
  }
}

Kernels build() {
  Kernels kernels = {"avx2", true, {}, lane_vector_kernels<Avx2Lanes>()};
  for_each_codec(
      [&kernels](auto codec) { weights_of(kernels, codec.kType) = weights<decltype(codec)>(); });
  avx2::add_dots_32(kernels);
  avx2::add_dots_k(kernels);
  avx2::add_axpy(kernels);
  return kernels;
}

}  // namespace

const Kernels& avx2_kernels(Inputs inputs) {
  static const Kernels rounded = build();
  static const Kernels exact = with_exact_weights<Avx2Lanes>(build());
  return inputs == Inputs::kExact ? exact : rounded;
}

}  // namespace hearth
#endif
