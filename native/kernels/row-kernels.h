// Norms, softmax, activations, rope, conversions over lanes L (lanes-*.h). Equations: kernels.h.
// Internal to kernels/.
#pragma once

#include <cmath>

#include "generic-weights.h"
#include "vector-math.h"

namespace hearth {
namespace {

// Calls body(offset, lanes that count) over 0 … count.
template <class L, class Body>
inline void for_lanes(size_t count, Body body) {
  size_t i = 0;
  for (; i + L::kLanes <= count; i += L::kLanes) body(i, L::kLanes);
  if (i < count) body(i, count - i);
}

template <class L>
typename L::V load_some(const float* p, size_t n) {
  return n == L::kLanes ? L::load(p) : L::load_n(p, n);
}

template <class L>
void store_some(float* p, typename L::V x, size_t n) {
  if (n == L::kLanes) {
    L::store(p, x);
  } else {
    L::store_n(p, x, n);
  }
}

// Sums in double: a row is short, and a norm's error reaches every element.
template <class L>
double sum_of_squares(const float* x, size_t count, float centre) {
  typename L::V sum = L::zero();
  double total = 0;
  size_t i = 0;
  while (i + L::kLanes <= count) {
    for (size_t step = 0; step < 8 && i + L::kLanes <= count; ++step, i += L::kLanes) {
      const typename L::V value = L::sub(L::load(x + i), L::set1(centre));
      sum = L::fma(value, value, sum);
    }
    total += L::reduce_add(sum);
    sum = L::zero();
  }
  for (; i < count; ++i) total += static_cast<double>(x[i] - centre) * (x[i] - centre);
  return total;
}

template <class L>
double sum_of(const float* x, size_t count) {
  double total = 0;
  size_t i = 0;
  while (i + L::kLanes <= count) {
    typename L::V sum = L::zero();
    for (size_t step = 0; step < 8 && i + L::kLanes <= count; ++step, i += L::kLanes) {
      sum = L::add(sum, L::load(x + i));
    }
    total += L::reduce_add(sum);
  }
  for (; i < count; ++i) total += x[i];
  return total;
}

// out = (x − centre) · factor · weight + bias
template <class L>
void normalise(const NormTask& task, float centre, float factor) {
  for_lanes<L>(task.count, [&](size_t i, size_t n) {
    typename L::V value = L::sub(load_some<L>(task.x + i, n), L::set1(centre));
    value = L::mul(value, L::set1(factor));
    if (task.weight) value = L::mul(value, load_some<L>(task.weight + i, n));
    if (task.bias) value = L::add(value, load_some<L>(task.bias + i, n));
    store_some<L>(task.out + i, value, n);
  });
}

template <class L>
void rms_norm(const NormTask& task) {
  const double mean = sum_of_squares<L>(task.x, task.count, 0) / static_cast<double>(task.count);
  normalise<L>(task, 0, static_cast<float>(1.0 / std::sqrt(mean + task.epsilon)));
}

template <class L>
void layer_norm(const NormTask& task) {
  const double count = static_cast<double>(task.count);
  const float centre = static_cast<float>(sum_of<L>(task.x, task.count) / count);
  const double variance = sum_of_squares<L>(task.x, task.count, centre) / count;
  normalise<L>(task, centre, static_cast<float>(1.0 / std::sqrt(variance + task.epsilon)));
}

template <class L>
void softmax(float* x, size_t count) {
  float most = x[0];
  for (size_t i = 0; i < count; ++i) most = x[i] > most ? x[i] : most;
  double sum = 0;
  for_lanes<L>(count, [&](size_t i, size_t n) {
    const typename L::V e = exp_lanes<L>(L::sub(load_some<L>(x + i, n), L::set1(most)));
    store_some<L>(x + i, e, n);
    if (n == L::kLanes) {
      sum += L::reduce_add(e);
    } else {
      for (size_t k = 0; k < n; ++k) sum += x[i + k];
    }
  });
  const typename L::V factor = L::set1(static_cast<float>(1.0 / sum));
  for_lanes<L>(count, [&](size_t i, size_t n) {
    store_some<L>(x + i, L::mul(load_some<L>(x + i, n), factor), n);
  });
}

template <class L>
void activate(const ActivateTask& task) {
  for_lanes<L>(task.count, [&](size_t i, size_t n) {
    const typename L::V up = load_some<L>(task.up + i, n);
    if (task.gating == Gating::kUngated) {
      store_some<L>(task.out + i, act_lanes<L>(task.activation, task.threshold, up), n);
      return;
    }
    const typename L::V gate = load_some<L>(task.gate + i, n);
    const typename L::V open = act_lanes<L>(task.activation, task.threshold, gate);
    typename L::V value = up;
    if (task.gating == Gating::kBoth) value = act_lanes<L>(task.activation, task.threshold, up);
    if (task.gating == Gating::kClamped) {
      value = L::add(L::set1(1), L::max(L::set1(-7), L::min(L::set1(7), up)));
    }
    store_some<L>(task.out + i, L::mul(open, value), n);
  });
}

template <class L>
void add(const float* x, size_t count, float* out) {
  for_lanes<L>(count, [&](size_t i, size_t n) {
    store_some<L>(out + i, L::add(load_some<L>(out + i, n), load_some<L>(x + i, n)), n);
  });
}

template <class L>
void scale(float factor, size_t count, float* out) {
  for_lanes<L>(count, [&](size_t i, size_t n) {
    store_some<L>(out + i, L::mul(load_some<L>(out + i, n), L::set1(factor)), n);
  });
}

// tanh a = 1 − 2 / (e^2a + 1)
template <class L>
void soft_cap(float cap, size_t count, float* out) {
  for_lanes<L>(count, [&](size_t i, size_t n) {
    const typename L::V x = load_some<L>(out + i, n);
    const typename L::V e = exp_lanes<L>(L::mul(x, L::set1(2 / cap)));
    const typename L::V share = L::div(L::set1(2), L::add(e, L::set1(1)));
    const typename L::V capped = L::mul(L::set1(cap), L::sub(L::set1(1), share));
    store_some<L>(out + i, L::select_ge(x, x, capped, x), n);
  });
}

// (a, b) -> (a cos − b sin, a sin + b cos)
template <class L>
void rope_halves(const RopeTask& task, float* head) {
  float* second = head + task.pairs;
  for_lanes<L>(task.pairs, [&](size_t i, size_t n) {
    const typename L::V a = load_some<L>(head + i, n);
    const typename L::V b = load_some<L>(second + i, n);
    const typename L::V c = load_some<L>(task.cosine + i, n);
    const typename L::V s = load_some<L>(task.sine + i, n);
    store_some<L>(head + i, L::sub(L::mul(a, c), L::mul(b, s)), n);
    store_some<L>(second + i, L::add(L::mul(a, s), L::mul(b, c)), n);
  });
}

template <class L>
void rope_adjacent(const RopeTask& task, float* head) {
  size_t i = 0;
  for (; i + L::kLanes <= task.pairs; i += L::kLanes) {
    typename L::V a;
    typename L::V b;
    L::load_pairs(head + 2 * i, &a, &b);
    const typename L::V c = L::load(task.cosine + i);
    const typename L::V s = L::load(task.sine + i);
    L::store_pairs(head + 2 * i, L::sub(L::mul(a, c), L::mul(b, s)),
                   L::add(L::mul(a, s), L::mul(b, c)));
  }
  for (; i < task.pairs; ++i) {
    const float a = head[2 * i];
    const float b = head[2 * i + 1];
    head[2 * i] = a * task.cosine[i] - b * task.sine[i];
    head[2 * i + 1] = a * task.sine[i] + b * task.cosine[i];
  }
}

template <class L>
void rope(const RopeTask& task) {
  for (size_t h = 0; h < task.heads; ++h) {
    float* head = task.x + h * task.head_dim;
    if (task.pairing == RopePairing::kHalves) {
      rope_halves<L>(task, head);
    } else {
      rope_adjacent<L>(task, head);
    }
  }
}

template <class L>
uint32_t argmax(const float* x, size_t count) {
  typename L::V most = L::set1(x[0]);
  size_t i = 0;
  for (; i + L::kLanes <= count; i += L::kLanes) most = L::max(L::load(x + i), most);
  float value = L::reduce_max(most);
  for (; i < count; ++i) value = x[i] > value ? x[i] : value;
  for (size_t k = 0; k < count; ++k) {
    if (x[k] == value) return static_cast<uint32_t>(k);
  }
  return 0;
}

template <class L>
void f32_to_f16(const float* x, size_t count, void* out) {
  uint16_t* half = static_cast<uint16_t*>(out);
  for_lanes<L>(count, [&](size_t i, size_t n) {
    if (n == L::kLanes) {
      L::store_f16(half + i, L::load(x + i));
    } else {
      L::store_f16_n(half + i, L::load_n(x + i, n), n);
    }
  });
}

template <class L>
void f16_to_f32(const void* x, size_t count, float* out) {
  const uint16_t* half = static_cast<const uint16_t*>(x);
  for_lanes<L>(count, [&](size_t i, size_t n) {
    if (n == L::kLanes) {
      L::store(out + i, L::load_f16(half + i));
    } else {
      L::store_n(out + i, L::load_f16_n(half + i, n), n);
    }
  });
}

// ggml's quantize_row_q8_0: q by the f32 d, of which the file keeps the f16.
inline void f32_to_q8_0(const float* x, size_t count, void* out) {
  uint8_t* block = static_cast<uint8_t*>(out);
  for (size_t i = 0; i < count; i += kGroup, block += Q8_0::kBytes) {
    float d;
    int8_t q[kGroup];
    quantise_group(x + i, q, &d);
    const uint16_t half = f16_of_f32(d);
    std::memcpy(block, &half, sizeof half);
    std::memcpy(block + 2, q, sizeof q);
  }
}

}  // namespace
}  // namespace hearth
