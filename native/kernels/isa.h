// The tables that select.cc chooses from, each built in its own unit with its own compiler flags.
// Internal to kernels/.
#pragma once

#include "kernels.h"

namespace hearth {

extern const Kernels kScalarKernels;
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
extern const Kernels kNeonKernels;

// Order of Kernels::weights.
constexpr WeightType kWeightTypes[kWeightTypeCount] = {
    WeightType::kF32,  WeightType::kF16,  WeightType::kBF16, WeightType::kQ8_0,
    WeightType::kQ4_0, WeightType::kQ4_1, WeightType::kQ5_0, WeightType::kQ5_1,
    WeightType::kQ4_K, WeightType::kQ5_K, WeightType::kQ6_K};

}  // namespace hearth
