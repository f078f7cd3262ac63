// The portable table: plain C++ for any machine, and what the fast tables are tested against.
#include "generic-weights.h"
#include "isa.h"
#include "lanes-scalar.h"
#include "vector-kernels.h"

namespace hearth {
namespace {

Kernels build() {
  Kernels kernels = {"scalar", {}, lane_vector_kernels<ScalarLanes>()};
  for_each_codec([&kernels](auto codec) {
    weights_of(kernels, codec.kType) = generic_weights<decltype(codec)>();
  });
  return kernels;
}

}  // namespace

const Kernels& scalar_kernels() {
  static const Kernels kernels = build();
  return kernels;
}

}  // namespace hearth
