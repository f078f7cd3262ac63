// The AVX-512 table (F, BW, VL, DQ, VNNI, VBMI, VPOPCNTDQ: Zen 4, Ice Lake and later).
#if defined(__x86_64__)
#include "avx512.h"

#include "attention.h"
#include "lanes-avx512.h"
#include "plain-weights.h"

namespace hearth {
namespace {

Kernels build() {
  // Plain types over lanes; the units have every function of the quantised ones.
  Kernels kernels = {"avx512",
                     {lane_plain<LaneF32<Avx512Lanes>>(), lane_plain<LaneF16<Avx512Lanes>>(),
                      lane_plain<LaneBF16<Avx512Lanes>>()},
                     lane_vector_kernels<Avx512Lanes>()};
  avx512::add_dots_32(kernels);
  avx512::add_dots_k(kernels);
  avx512::add_gemm(kernels);
  avx512::add_rows(kernels);
  avx512::add_vectors(kernels);
  return kernels;
}

}  // namespace

const Kernels& avx512_kernels() {
  static const Kernels kernels = build();
  return kernels;
}

}  // namespace hearth
#endif
