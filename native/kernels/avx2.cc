// The AVX2 + FMA + F16C table.
#if defined(__x86_64__)
#include "avx2.h"

#include "attention.h"
#include "isa.h"
#include "lanes-avx2.h"
#include "plain-weights.h"

namespace hearth {
namespace {

// A panel of f32 pays late beside dot products in integers (2048 x 2048, Zen 4): Q4_K with 12
// tokens, Q8_0 with 40 and Q4_0 with more.
constexpr size_t kGemmTokens32 = 32;
constexpr size_t kGemmTokensK = 12;

// Dot products in integers; gemm, rows and, where nothing replaces it, axpy by way of f32.
template <class Codec>
constexpr WeightKernels quantised(avx2::Gemv* gemv, avx2::GatherDot* gather_dot) {
  WeightKernels table = generic_quantised<Codec>();
  table.gemv = gemv;
  table.gather_dot = gather_dot;
  table.gemm = panel_gemm<Avx2Lanes, QuantisedDecoder<Codec>>;
  table.gemm_tokens = Codec::kBlock == kKBlock ? kGemmTokensK : kGemmTokens32;
  return table;
}

constexpr WeightKernels with_axpy(WeightKernels table, avx2::Axpy* axpy) {
  table.axpy = axpy;
  return table;
}

}  // namespace

const Kernels kAvx2Kernels = {
    "avx2",
    {lane_plain<LaneF32<Avx2Lanes>>(), lane_plain<LaneF16<Avx2Lanes>>(),
     lane_plain<LaneBF16<Avx2Lanes>>(),
     with_axpy(quantised<Q8_0>(avx2::gemv_q8_0, avx2::gather_q8_0), avx2::axpy_q8_0),
     with_axpy(quantised<Q4_0>(avx2::gemv_q4_0, avx2::gather_q4_0), avx2::axpy_q4_0),
     quantised<Q4_1>(avx2::gemv_q4_1, avx2::gather_q4_1),
     quantised<Q5_0>(avx2::gemv_q5_0, avx2::gather_q5_0),
     quantised<Q5_1>(avx2::gemv_q5_1, avx2::gather_q5_1),
     quantised<Q4_K>(avx2::gemv_q4_k, avx2::gather_q4_k),
     quantised<Q5_K>(avx2::gemv_q5_k, avx2::gather_q5_k),
     quantised<Q6_K>(avx2::gemv_q6_k, avx2::gather_q6_k)},
    lane_vector_kernels<Avx2Lanes>()};

}  // namespace hearth
#endif
