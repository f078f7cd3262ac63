// Rows over a state of fixed size: a causal convolution and the gated delta rule, over lanes L
// (lanes-*.h). Lanes are channels, or columns of the state: none depends on another.
// Internal to kernels/.
#pragma once

#include <cmath>

#include "row-kernels.h"

namespace hearth {
namespace {

template <class L>
void convolve(const ConvolveTask& task) {
  const size_t positions = task.taps - 1;
  for_lanes<L>(task.count, [&](size_t i, size_t n) {
    const typename L::V x = load_some<L>(task.x + i, n);
    const float* weights = task.weights + i;
    typename L::V sum = L::mul(load_some<L>(weights + positions * task.stride, n), x);
    float* held = task.held + i;
    for (size_t p = 0; p < positions; ++p) {
      const typename L::V value = load_some<L>(held + p * task.stride, n);
      sum = L::fma(load_some<L>(weights + p * task.stride, n), value, sum);
      if (p > 0) store_some<L>(held + (p - 1) * task.stride, value, n);
    }
    if (positions > 0) store_some<L>(held + (positions - 1) * task.stride, x, n);
    store_some<L>(task.out + i, sum, n);
  });
}

// 1 / ‖x‖, the norm being at least epsilon.
template <class L>
float inverse_length(const float* x, size_t count, float epsilon) {
  const double length = std::sqrt(sum_of_squares<L>(x, count, 0));
  return static_cast<float>(1.0 / (length > epsilon ? length : epsilon));
}

// Columns [from, from + kRegisters · kLanes) of the state, or `lanes` of one register. Sums over the
// keys are kept in four phases, so that an addition need not wait for the one before it.
template <class L, size_t kRegisters>
void delta_columns(const DeltaTask& task, float k_scale, float q_scale, size_t from, size_t lanes) {
  constexpr size_t kPhases = 4;
  using V = typename L::V;
  V sums[kRegisters][kPhases];
  const auto clear = [&] {
    for (auto& phases : sums) {
      for (V& sum : phases) sum = L::zero();
    }
  };
  const auto total = [&](size_t r) {
    return L::add(L::add(sums[r][0], sums[r][1]), L::add(sums[r][2], sums[r][3]));
  };
  float* state = task.state + from;
  clear();
  size_t i = 0;
  const auto recall = [&](size_t key, size_t phase) {
    const V k = L::set1(task.k[key]);
    for (size_t r = 0; r < kRegisters; ++r) {
      const V s = load_some<L>(state + key * task.stride + r * L::kLanes, lanes);
      sums[r][phase] = L::fma(k, s, sums[r][phase]);
    }
  };
  for (; i + kPhases <= task.keys; i += kPhases) {
    for (size_t phase = 0; phase < kPhases; ++phase) recall(i + phase, phase);
  }
  for (; i < task.keys; ++i) recall(i, 0);

  const V decay = L::set1(task.decay);
  V delta[kRegisters];  // times k's scale
  for (size_t r = 0; r < kRegisters; ++r) {
    const V recalled = L::mul(total(r), L::set1(task.decay * k_scale));
    const V v = load_some<L>(task.v + from + r * L::kLanes, lanes);
    delta[r] = L::mul(L::mul(L::sub(v, recalled), L::set1(task.strength)), L::set1(k_scale));
  }

  clear();
  const auto replace = [&](size_t key, size_t phase) {
    const V k = L::set1(task.k[key]);
    const V q = L::set1(task.q[key]);
    for (size_t r = 0; r < kRegisters; ++r) {
      float* at = state + key * task.stride + r * L::kLanes;
      const V s = L::fma(k, delta[r], L::mul(decay, load_some<L>(at, lanes)));
      store_some<L>(at, s, lanes);
      sums[r][phase] = L::fma(q, s, sums[r][phase]);
    }
  };
  for (i = 0; i + kPhases <= task.keys; i += kPhases) {
    for (size_t phase = 0; phase < kPhases; ++phase) replace(i + phase, phase);
  }
  for (; i < task.keys; ++i) replace(i, 0);
  for (size_t r = 0; r < kRegisters; ++r) {
    store_some<L>(task.out + from + r * L::kLanes, L::mul(total(r), L::set1(q_scale)), lanes);
  }
}

template <class L>
void delta_rule(const DeltaTask& task) {
  const float k_scale = inverse_length<L>(task.k, task.keys, task.epsilon);
  const float q_scale =
      inverse_length<L>(task.q, task.keys, task.epsilon) / std::sqrt(static_cast<float>(task.keys));
  size_t column = 0;
  for (; column + 2 * L::kLanes <= task.columns; column += 2 * L::kLanes) {
    delta_columns<L, 2>(task, k_scale, q_scale, column, L::kLanes);
  }
  for (; column < task.columns; column += L::kLanes) {
    const size_t left = task.columns - column;
    delta_columns<L, 1>(task, k_scale, q_scale, column, left < L::kLanes ? left : L::kLanes);
  }
}

}  // namespace
}  // namespace hearth
