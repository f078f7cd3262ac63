// The AVX-512 table (F, BW, VL, DQ, VNNI, VBMI, VPOPCNTDQ: Zen 4, Ice Lake and later).
#if defined(__x86_64__)
#include "avx512.h"

#include "attention.h"
#include "isa.h"
#include "lanes-avx512.h"
#include "plain-weights.h"

namespace hearth {
namespace {

constexpr VectorKernels vector_kernels() {
  VectorKernels table = lane_vector_kernels<Avx512Lanes>();
  table.sign_pack = avx512::sign_pack;
  table.sign_scores = avx512::sign_scores;
  table.select_at_least = avx512::select_at_least;
  table.select_magnitude = avx512::select_magnitude;
  table.select_scores = avx512::select_scores;
  table.read_stream = avx512::read_stream;
  return table;
}

// Integer panels: Q8_0 pays with 5 tokens, Q4_0 and the K types with 6 or 7 (2048 x 2048, Zen 4).
constexpr size_t kGemmTokens = 5;

}  // namespace

const Kernels kAvx512Kernels = {
    "avx512",
    {lane_plain<LaneF32<Avx512Lanes>>(),
     lane_plain<LaneF16<Avx512Lanes>>(),
     lane_plain<LaneBF16<Avx512Lanes>>(),
     {avx512::prepare_q8, avx512::gemv_q8_0, avx512::gemm_q8_0, avx512::gather_q8_0,
      avx512::axpy_q8_0, avx512::dequantise_q8_0, kGemmTokens},
     {avx512::prepare_q8, avx512::gemv_q4_0, avx512::gemm_q4_0, avx512::gather_q4_0,
      avx512::axpy_q4_0, avx512::dequantise_q4_0, kGemmTokens},
     {avx512::prepare_q8, avx512::gemv_q4_1, avx512::gemm_q4_1, avx512::gather_q4_1,
      avx512::axpy_q4_1, avx512::dequantise_q4_1, kGemmTokens},
     {avx512::prepare_q8, avx512::gemv_q5_0, avx512::gemm_q5_0, avx512::gather_q5_0,
      avx512::axpy_q5_0, avx512::dequantise_q5_0, kGemmTokens},
     {avx512::prepare_q8, avx512::gemv_q5_1, avx512::gemm_q5_1, avx512::gather_q5_1,
      avx512::axpy_q5_1, avx512::dequantise_q5_1, kGemmTokens},
     {avx512::prepare_q8, avx512::gemv_q4_k, avx512::gemm_q4_k, avx512::gather_q4_k,
      avx512::axpy_q4_k, avx512::dequantise_q4_k, kGemmTokens},
     {avx512::prepare_q8, avx512::gemv_q5_k, avx512::gemm_q5_k, avx512::gather_q5_k,
      avx512::axpy_q5_k, avx512::dequantise_q5_k, kGemmTokens},
     {avx512::prepare_q8, avx512::gemv_q6_k, avx512::gemm_q6_k, avx512::gather_q6_k,
      avx512::axpy_q6_k, avx512::dequantise_q6_k, kGemmTokens}},
    vector_kernels()};

}  // namespace hearth
#endif
