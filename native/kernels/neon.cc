// The NEON table (AArch64): plain weights and vectors over NEON lanes; quantised weights through
// plain C++ dot products, which compilers vectorise, and panels. Built and selected on ARM only.
// The kernel tests pass in an emulator (qemu-aarch64); nothing has been timed.
#if defined(__aarch64__)
#include "attention.h"
#include "isa.h"
#include "lanes-neon.h"
#include "plain-weights.h"

namespace hearth {
namespace {

template <class Codec>
constexpr WeightKernels quantised() {
  WeightKernels table = generic_quantised<Codec>();
  table.gemm = panel_gemm<NeonLanes, QuantisedDecoder<Codec>>;
  // As plain weights.
  table.gemm_tokens = 12;
  return table;
}

}  // namespace

const Kernels& neon_kernels() {
  static constexpr Kernels kKernels = {
      "neon",
      {lane_plain<LaneF32<NeonLanes>>(), lane_plain<LaneF16<NeonLanes>>(),
       lane_plain<LaneBF16<NeonLanes>>(), quantised<Q8_0>(), quantised<Q4_0>(), quantised<Q4_1>(),
       quantised<Q5_0>(), quantised<Q5_1>(), quantised<Q4_K>(), quantised<Q5_K>(),
       quantised<Q6_K>()},
      lane_vector_kernels<NeonLanes>()};
  return kKernels;
}

}  // namespace hearth
#endif
