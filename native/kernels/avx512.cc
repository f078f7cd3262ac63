// The AVX-512 table (F, BW, VL, DQ, VNNI, VBMI, VPOPCNTDQ).
#if defined(__x86_64__)
#include "attention.h"
#include "isa.h"
#include "lanes-avx512.h"
#include "plain-weights.h"

namespace hearth {
namespace {

template <class Codec>
constexpr WeightKernels quantised() {
  WeightKernels table = generic_quantised<Codec>();
  table.gemm = panel_gemm<Avx512Lanes, QuantisedDecoder<Codec>>;
  return table;
}

}  // namespace

const Kernels kAvx512Kernels = {
    "avx512",
    {lane_plain<LaneF32<Avx512Lanes>>(), lane_plain<LaneF16<Avx512Lanes>>(),
     lane_plain<LaneBF16<Avx512Lanes>>(), quantised<Q8_0>(), quantised<Q4_0>(), quantised<Q4_1>(),
     quantised<Q5_0>(), quantised<Q5_1>(), quantised<Q4_K>(), quantised<Q5_K>(), quantised<Q6_K>()},
    lane_vector_kernels<Avx512Lanes>()};

}  // namespace hearth
#endif
