// The NEON table (AArch64): plain weights and vectors over NEON lanes; quantised weights through
// plain C++ dot products, which compilers vectorise, and panels. Built and selected on ARM only.
// The kernel tests pass in an emulator (qemu-aarch64); nothing has been timed.
#if defined(__aarch64__)
#include "exact-weights.h"
#include "isa.h"
#include "lanes-neon.h"
#include "plain-weights.h"
#include "quantisers.h"
#include "vector-kernels.h"

namespace hearth {
namespace {

template <class Codec>
constexpr WeightKernels weights() {
  if constexpr (Codec::kX == XFormat::kF32) {
    return lane_plain<Lane<Codec, NeonLanes>>();
  } else {
    WeightKernels table = generic_quantised<Codec>();
    table.gemm = panel_gemm<NeonLanes, QuantisedDecoder<Codec>>;
    // As plain weights.
    table.gemm_tokens = 12;
    return table;
  }
}

Kernels build() {
  Kernels kernels = {"neon", true, {}, lane_vector_kernels<NeonLanes>()};
  for_each_codec(
      [&kernels](auto codec) { weights_of(kernels, codec.kType) = weights<decltype(codec)>(); });
  set_quantisers<NeonLanes>(kernels);
  return kernels;
}

}  // namespace

const Kernels& neon_kernels(Inputs inputs) {
  static const Kernels rounded = build();
  static const Kernels exact = with_exact_weights<NeonLanes>(build());
  return inputs == Inputs::kExact ? exact : rounded;
}

}  // namespace hearth
#endif
