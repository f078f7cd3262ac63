// The quantisers of a table: plain C++ over lanes, compiled for each instruction set in a unit of its
// own (avx512-quantise.cc, …). Internal to kernels/.
#pragma once

#include "isa.h"
#include "quantise-book.h"
#include "quantise-lattice-types.h"
#include "row-kernels.h"

namespace hearth {
namespace {

template <void (*quantise)(const float*, size_t, const float*, uint8_t*)>
void quantise_row(const float* x, size_t columns, const float* importance, void* out) {
  quantise(x, columns, importance, static_cast<uint8_t*>(out));
}

template <class L>
void quantise_f16(const float* x, size_t count, const float*, uint8_t* out) {
  f32_to_f16<L>(x, count, out);
}

template <class L>
void set_quantisers(Kernels& kernels) {
  const auto set = [&kernels](WeightType type, QuantiseRow quantise) {
    weights_of(kernels, type).quantise_row = quantise;
  };
  set(WeightType::kF32, quantise_row<quantise_f32>);
  set(WeightType::kF16, quantise_row<quantise_f16<L>>);
  set(WeightType::kBF16, quantise_row<quantise_bf16>);
  set(WeightType::kQ8_0, quantise_row<quantise_q8_0>);
  set(WeightType::kQ4_0, quantise_row<SignedBlocks<4>::quantise>);
  set(WeightType::kQ5_0, quantise_row<SignedBlocks<5>::quantise>);
  set(WeightType::kQ4_1, quantise_row<MinimumBlocks<4>::quantise>);
  set(WeightType::kQ5_1, quantise_row<MinimumBlocks<5>::quantise>);
  set(WeightType::kQ2_K, quantise_row<Q2Blocks::quantise>);
  set(WeightType::kQ3_K, quantise_row<quantise_q3_k>);
  set(WeightType::kQ4_K, quantise_row<OffsetSuperBlocks<4>::quantise>);
  set(WeightType::kQ5_K, quantise_row<OffsetSuperBlocks<5>::quantise>);
  set(WeightType::kQ6_K, quantise_row<quantise_q6_k>);
  set(WeightType::kIQ4_NL, quantise_row<quantise_iq4_nl>);
  set(WeightType::kIQ4_XS, quantise_row<quantise_iq4_xs>);
  set(WeightType::kMXFP4, quantise_row<quantise_mxfp4>);
  set(WeightType::kNVFP4, quantise_row<quantise_nvfp4>);
  set(WeightType::kIQ3_XXS, quantise_row<LatticeQuantiser<WriteIq3Xxs>::quantise>);
  set(WeightType::kIQ3_S, quantise_row<LatticeQuantiser<WriteIq3S>::quantise>);
  set(WeightType::kIQ2_XXS, quantise_row<LatticeQuantiser<WriteIq2Xxs>::quantise>);
  set(WeightType::kIQ2_XS, quantise_row<LatticeQuantiser<WriteIq2Xs>::quantise>);
  set(WeightType::kIQ2_S, quantise_row<LatticeQuantiser<WriteIq2S>::quantise>);
  set(WeightType::kIQ1_S, quantise_row<LatticeQuantiser<WriteIq1S>::quantise>);
  set(WeightType::kIQ1_M, quantise_row<LatticeQuantiser<WriteIq1M>::quantise>);
  set(WeightType::kTQ1_0, quantise_row<quantise_tq1_0>);
  set(WeightType::kTQ2_0, quantise_row<quantise_tq2_0>);
}

}  // namespace
}  // namespace hearth
