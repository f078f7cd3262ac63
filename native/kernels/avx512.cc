// The AVX-512 table (F, BW, VL, DQ, VNNI, VBMI, VPOPCNTDQ: Zen 4, Ice Lake and later).
#if defined(__x86_64__)
#include "avx512.h"

#include "exact-weights.h"
#include "lanes-avx512.h"
#include "plain-weights.h"
#include "vector-kernels.h"

namespace hearth {
namespace {

Kernels build() {
  Kernels kernels = {"avx512", true, {}, lane_vector_kernels<Avx512Lanes>()};
  weights_of(kernels, WeightType::kF32) = lane_plain<Lane<F32, Avx512Lanes>>();
  weights_of(kernels, WeightType::kF16) = lane_plain<Lane<F16, Avx512Lanes>>();
  weights_of(kernels, WeightType::kBF16) = lane_plain<Lane<BF16, Avx512Lanes>>();
  // Every function of the quantised types.
  avx512::add_dots_32(kernels);
  avx512::add_dots_k(kernels);
  avx512::add_gemm(kernels);
  avx512::add_rows(kernels);
  avx512::add_vectors(kernels);
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
