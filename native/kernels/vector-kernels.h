// The table of the vector kernels over lanes L (lanes-*.h).
// Internal to kernels/.
#pragma once

#include "attention.h"
#include "listed-sums.h"
#include "recurrent.h"
#include "row-kernels.h"
#include "select-kernels.h"

namespace hearth {
namespace {

template <class L>
constexpr VectorKernels lane_vector_kernels() {
  VectorKernels table = {};
  table.rms_norm = rms_norm<L>;
  table.layer_norm = layer_norm<L>;
  table.softmax = softmax<L>;
  table.activate = activate<L>;
  table.add = add<L>;
  table.scale = scale<L>;
  table.soft_cap = soft_cap<L>;
  table.rope = rope<L>;
  table.argmax = argmax<L>;
  table.f32_to_f16 = f32_to_f16<L>;
  table.f16_to_f32 = f16_to_f32<L>;
  table.f32_to_q8_0 = f32_to_q8_0;
  table.attention = attention<L>;
  table.attention_merge = attention_merge<L>;
  table.convolve = convolve<L>;
  table.delta_rule = delta_rule<L>;
  table.add_listed = add_listed<L>;
  table.sign_pack = sign_pack;
  table.sign_scores = sign_scores;
  table.select_at_least = select_at_least;
  table.select_magnitude = select_magnitude;
  table.select_scores = select_scores;
  table.read_stream = read_stream;
  return table;
}

}  // namespace
}  // namespace hearth
