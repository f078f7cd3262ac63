// e^x, erf and the activations over lanes L (lanes-*.h).
// Internal to kernels/.
#pragma once

#include "blocks.h"

namespace hearth {
namespace {

// Horner: c[0] x^(count-1) + … + c[count-1].
template <class L, size_t kCount>
typename L::V polynomial(typename L::V x, const float (&c)[kCount]) {
  typename L::V sum = L::set1(c[0]);
  for (size_t i = 1; i < kCount; ++i) sum = L::fma(sum, x, L::set1(c[i]));
  return sum;
}

// e^x = 2^n e^r with |r| <= ln2 / 2; polynomial of Cephes expf (S. Moshier), within 2 ulp where the
// result is normal; 0 below -104, infinity above 89. NaN becomes one of these: callers keep NaN by
// their other terms.
template <class L>
typename L::V exp_lanes(typename L::V x) {
  constexpr float kTerms[] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                              4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
  x = L::min(L::max(x, L::set1(-104.0f)), L::set1(89.0f));
  const typename L::V n = L::round(L::mul(x, L::set1(1.44269504088896341f)));
  typename L::V r = L::fma(n, L::set1(-0.693359375f), x);
  r = L::fma(n, L::set1(2.12194440e-4f), r);
  const typename L::V e = L::fma(polynomial<L>(r, kTerms), L::mul(r, r), L::add(r, L::set1(1)));
  // In two factors: 2^n alone leaves the normal range at both ends.
  const typename L::V half = L::round(L::mul(n, L::set1(0.5f)));
  return L::mul(L::mul(e, L::pow2(half)), L::pow2(L::sub(n, half)));
}

// erf for |x| < 1 by its series, else 1 − e^(−x²) P(1/x²) / x; Cephes ndtrf. Absolute error below
// 2e-7.
template <class L>
typename L::V erf_lanes(typename L::V x) {
  constexpr float kSmall[] = {
      7.853861353153693e-5f, -8.010193625184903e-4f, 5.188327685732524e-3f, -2.685381193529856e-2f,
      1.128358514861418e-1f, -3.761262582423300e-1f, 1.128379165726710f};
  constexpr float kMiddle[] = {
      2.326819970068386e-2f,  -1.387039388740657e-1f, 3.687424674597105e-1f,
      -5.824733027278666e-1f, 6.210004621745983e-1f,  -4.944515323274145e-1f,
      3.404879937665872e-1f,  -2.741127028184656e-1f, 5.638259427472472e-1f};
  constexpr float kLarge[] = {-1.047766399936249e+1f, 1.297719955372516e+1f, -7.495518717768503f,
                              2.921019019210786f,     -1.015265279202700f,   4.218463358204948e-1f,
                              -2.820767439740514e-1f, 5.641895067754075e-1f};
  const typename L::V size = L::abs(x);
  const typename L::V one = L::set1(1);
  const typename L::V small = L::mul(x, polynomial<L>(L::mul(x, x), kSmall));
  const typename L::V inverse = L::div(one, L::max(size, one));
  const typename L::V square = L::mul(inverse, inverse);
  const typename L::V tail =
      L::select_ge(size, L::set1(2), polynomial<L>(square, kLarge), polynomial<L>(square, kMiddle));
  const typename L::V decay = exp_lanes<L>(L::sub(L::zero(), L::mul(size, size)));
  const typename L::V large = L::sub(one, L::mul(L::mul(decay, inverse), tail));
  const typename L::V signed_large = L::select_ge(x, L::zero(), large, L::sub(L::zero(), large));
  return L::select_ge(one, size, small, signed_large);
}

// x / (1 + e^(−z))
template <class L>
typename L::V times_sigmoid(typename L::V x, typename L::V z) {
  return L::div(x, L::add(L::set1(1), exp_lanes<L>(L::sub(L::zero(), z))));
}

template <class L>
typename L::V act_lanes(Activation kind, float threshold, typename L::V x) {
  switch (kind) {
    case Activation::kSilu:
      return times_sigmoid<L>(x, x);
    case Activation::kGelu: {
      const typename L::V erf = erf_lanes<L>(L::mul(x, L::set1(0.70710678118654752f)));
      return L::mul(L::mul(x, L::set1(0.5f)), L::add(erf, L::set1(1)));
    }
    case Activation::kGeluTanh: {
      // (1 + tanh z) / 2 = 1 / (1 + e^(−2z)), z = √(2/π) (x + 0.044715 x³)
      const typename L::V cubic = L::fma(L::mul(L::mul(x, x), x), L::set1(0.044715f), x);
      return times_sigmoid<L>(x, L::mul(cubic, L::set1(1.5957691216057308f)));
    }
    case Activation::kRelu:
      return L::max(x, L::zero());
    case Activation::kRelu2: {
      const typename L::V positive = L::max(x, L::zero());
      return L::mul(positive, positive);
    }
    case Activation::kFatRelu:
      return L::select_ge(x, L::set1(threshold), x, L::zero());
    case Activation::kSigmoid:
      return times_sigmoid<L>(L::set1(1), x);
    case Activation::kClampedSwish: {
      // min keeps a NaN that is its second operand.
      const typename L::V y = L::min(L::set1(7), x);
      return times_sigmoid<L>(y, L::mul(y, L::set1(1.702f)));
    }
  }
  return x;
}

}  // namespace
}  // namespace hearth
