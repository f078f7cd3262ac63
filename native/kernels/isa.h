// The tables that select.cc chooses from. Each is built in its own unit with its own compiler
// flags, at the first call: only where select.cc has found that the machine can run it.
// Internal to kernels/.
#pragma once

#include "kernels.h"

namespace hearth {

const Kernels& scalar_kernels(Inputs inputs);
const Kernels& avx2_kernels(Inputs inputs);
const Kernels& avx512_kernels(Inputs inputs);
const Kernels& neon_kernels(Inputs inputs);

// The entry of a type in a table that is being built.
WeightKernels& weights_of(Kernels& kernels, WeightType type);

}  // namespace hearth
