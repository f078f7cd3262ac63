// The AVX2 + FMA + F16C table.
#if defined(__x86_64__)
#include "avx2.h"

#include "exact-weights.h"
#include "lanes-avx2.h"
#include "plain-weights.h"
#include "vector-kernels.h"

namespace hearth {
namespace {

// Plain types work over lanes. Quantised types work as on any machine, through f32 in gemm; the
// units add fast dot products, and axpy of two of them.
template <class Codec>
constexpr WeightKernels weights() {
  if constexpr (Codec::kX == XFormat::kF32) {
    return lane_plain<Lane<Codec, Avx2Lanes>>();
  } else {
    WeightKernels table = generic_quantised<Codec>();
    table.gemm = panel_gemm<Avx2Lanes, QuantisedDecoder<Codec>>;
    return table;
  }
}

Kernels build() {
  Kernels kernels = {"avx2", true, {}, lane_vector_kernels<Avx2Lanes>()};
  for_each_codec(
      [&kernels](auto codec) { weights_of(kernels, codec.kType) = weights<decltype(codec)>(); });
  avx2::add_dots_32(kernels);
  avx2::add_dots_k(kernels);
  avx2::add_dots_pairs(kernels);
  avx2::add_dots_book(kernels);
  avx2::add_dots_unpacked(kernels);
  avx2::add_axpy(kernels);
  avx2::add_quantisers(kernels);
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
