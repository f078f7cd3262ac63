// The portable table: plain C++ for any machine, and what the fast tables are tested against.
#include "exact-weights.h"
#include "isa.h"
#include "lanes-scalar.h"
#include "quantisers.h"
#include "vector-kernels.h"

namespace hearth {
namespace {

Kernels build() {
  Kernels kernels = {"scalar", true, {}, lane_vector_kernels<ScalarLanes>()};
  for_each_codec([&kernels](auto codec) {
    weights_of(kernels, codec.kType) = generic_weights<decltype(codec)>();
  });
  set_quantisers<ScalarLanes>(kernels);
  return kernels;
}

}  // namespace

const Kernels& scalar_kernels(Inputs inputs) {
  static const Kernels rounded = build();
  static const Kernels exact = with_exact_weights<ScalarLanes>(build());
  return inputs == Inputs::kExact ? exact : rounded;
}

}  // namespace hearth
