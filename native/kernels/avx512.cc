// The AVX-512 table (F, BW, VL, DQ, VNNI, VBMI, VPOPCNTDQ: Zen 4, Ice Lake and later).
#if defined(__x86_64__)
#include "avx512.h"

#include "exact-weights.h"
#include "lanes-avx512.h"
#include "plain-weights.h"
#include "vector-kernels.h"

namespace hearth {
namespace {

// Plain types work over lanes. Of quantised types the units below replace what they have: all dot
// products and gemm, and axpy and rows of some.
template <class Codec>
constexpr WeightKernels weights() {
  if constexpr (Codec::kX == XFormat::kF32) {
    return lane_plain<Lane<Codec, Avx512Lanes>>();
  } else {
    return generic_quantised<Codec>();
  }
}

Kernels build() {
  Kernels kernels = {"avx512", true, {}, lane_vector_kernels<Avx512Lanes>()};
  for_each_codec(
      [&kernels](auto codec) { weights_of(kernels, codec.kType) = weights<decltype(codec)>(); });
  avx512::add_gemm(kernels);
  avx512::add_dots_32(kernels);
  avx512::add_dots_k(kernels);
  avx512::add_dots_pairs(kernels);
  avx512::add_dots_book(kernels);
  avx512::add_dots_unpacked(kernels);
  avx512::add_rows(kernels);
  avx512::add_vectors(kernels);
  avx512::add_quantisers(kernels);
  return kernels;
}

}  // namespace

const Kernels& avx512_kernels(Inputs inputs) {
  static const Kernels rounded = build();
  static const Kernels exact = with_exact_weights<Avx512Lanes>(build());
  return inputs == Inputs::kExact ? exact : rounded;
}

}  // namespace hearth
#endif
