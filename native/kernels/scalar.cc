// The portable table: plain C++ for any machine, and what the fast tables are tested against.
#include "attention.h"
#include "generic-weights.h"
#include "isa.h"
#include "lanes-scalar.h"

namespace hearth {
const Kernels& scalar_kernels() {
  static constexpr Kernels kKernels = {
      "scalar",
      {generic_plain<F32>(), generic_plain<F16>(), generic_plain<BF16>(), generic_quantised<Q8_0>(),
       generic_quantised<Q4_0>(), generic_quantised<Q4_1>(), generic_quantised<Q5_0>(),
       generic_quantised<Q5_1>(), generic_quantised<Q4_K>(), generic_quantised<Q5_K>(),
       generic_quantised<Q6_K>()},
      lane_vector_kernels<ScalarLanes>()};
  return kKernels;
}

}  // namespace hearth
