// The AVX2 + FMA + F16C table.
#if defined(__x86_64__)
#include "avx2.h"

#include "attention.h"
#include "lanes-avx2.h"
#include "plain-weights.h"

namespace hearth {
namespace {

// A panel of f32 pays late beside dot products in integers (2048 x 2048, Zen 4): Q4_K with 12
// tokens, Q8_0 with 40 and Q4_0 with more.
constexpr size_t kGemmTokens32 = 32;
constexpr size_t kGemmTokensK = 12;

// gemm, rows and, where nothing replaces it, axpy by way of f32; the dot products are added.
template <class Codec>
constexpr WeightKernels quantised() {
  WeightKernels table = {};
  table.prepare_x = prepare_q8;
  table.gemm = panel_gemm<Avx2Lanes, QuantisedDecoder<Codec>>;
  table.axpy = generic_axpy<Codec::kBlock, Codec::kBytes, dequantise_quantised<Codec>>;
  table.dequantise_row = dequantise_quantised<Codec>;
  table.gemm_tokens = Codec::kBlock == kKBlock ? kGemmTokensK : kGemmTokens32;
  return table;
}

Kernels build() {
  Kernels kernels = {"avx2",
                     {lane_plain<LaneF32<Avx2Lanes>>(), lane_plain<LaneF16<Avx2Lanes>>(),
                      lane_plain<LaneBF16<Avx2Lanes>>(), quantised<Q8_0>(), quantised<Q4_0>(),
                      quantised<Q4_1>(), quantised<Q5_0>(), quantised<Q5_1>(), quantised<Q4_K>(),
                      quantised<Q5_K>(), quantised<Q6_K>()},
                     lane_vector_kernels<Avx2Lanes>()};
  avx2::add_dots_32(kernels);
  avx2::add_dots_k(kernels);
  avx2::add_axpy(kernels);
  return kernels;
}

}  // namespace

const Kernels& avx2_kernels() {
  static const Kernels kernels = build();
  return kernels;
}

}  // namespace hearth
#endif
