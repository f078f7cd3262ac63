// What the quantisers of the K, book and lattice types search with: eight groups of elements at once,
// a lane of double precision for each. Within a lane sums run over the elements in order, so every
// machine writes the bytes that the reference does (src/quant/scale-search.ts, book.ts).
// Internal to kernels/.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace hearth {
namespace {

// All that take or give vectors are inlined: no call's ABI is at stake.
#define HEARTH_LANE_INLINE [[gnu::always_inline]] inline

constexpr size_t kLanes = 8;

using F64x8 = double __attribute__((vector_size(64)));
using I64x8 = int64_t __attribute__((vector_size(64)));
using U8x8 = uint8_t __attribute__((vector_size(8)));

// Adding 1.5 * 2^52 leaves a whole number in the low bits, rounded to nearest, ties to even, for
// |x| < 2^51.
constexpr double kIntegerShift = 6755399441055744.0;

HEARTH_LANE_INLINE F64x8 every_lane(double value) { return F64x8{} + value; }

HEARTH_LANE_INLINE F64x8 round_even(F64x8 x) { return (x + kIntegerShift) - kIntegerShift; }

HEARTH_LANE_INLINE double round_even(double x) { return (x + kIntegerShift) - kIntegerShift; }

HEARTH_LANE_INLINE F64x8 larger(F64x8 a, F64x8 b) { return a > b ? a : b; }

HEARTH_LANE_INLINE F64x8 smaller(F64x8 a, F64x8 b) { return a < b ? a : b; }

// Not a number becomes the low end.
HEARTH_LANE_INLINE F64x8 clamped(F64x8 x, double low, double high) {
  return smaller(larger(x, every_lane(low)), every_lane(high));
}

HEARTH_LANE_INLINE double clamped(double x, double low, double high) {
  x = x > low ? x : low;
  return x < high ? x : high;
}

HEARTH_LANE_INLINE F64x8 magnitude(F64x8 x) { return x < 0 ? -x : x; }

// Lane by lane: there is no operator.
HEARTH_LANE_INLINE F64x8 square_root(F64x8 x) {
  for (size_t lane = 0; lane < kLanes; ++lane) x[lane] = std::sqrt(x[lane]);
  return x;
}

// Whole numbers as bytes, the low eight bits of each.
HEARTH_LANE_INLINE U8x8 bytes_of(F64x8 whole) {
  return __builtin_convertvector(reinterpret_cast<I64x8>(whole + kIntegerShift), U8x8);
}

// Elements of up to eight groups, [kCount] vectors: lane g of vector i is element i of group g.
// Lanes without a group are zero.
template <size_t kCount>
struct Groups {
  F64x8 x[kCount];

  // `groups` of the rows of `stride` floats that begin at `from`.
  void load(const float* from, size_t stride, size_t groups) {
    if (groups < kLanes) {
      for (size_t i = 0; i < kCount; ++i) x[i] = F64x8{};
    }
    auto* to = reinterpret_cast<double*>(x);
    for (size_t group = 0; group < groups; ++group) {
      for (size_t i = 0; i < kCount; ++i) to[i * kLanes + group] = from[group * stride + i];
    }
  }
};

// Mean square of `count` floats, summed in order.
inline double mean_square(const float* x, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; ++i) sum += static_cast<double>(x[i]) * x[i];
  return sum / static_cast<double>(count);
}

// How much each element counts where an importance is known: importance · √(2·mean x² + x²), the mean
// being that of the element's block. Lanes without a group are zero.
template <size_t kCount>
HEARTH_LANE_INLINE void weigh(const Groups<kCount>& values, const Groups<kCount>& importance,
                              const F64x8& mean_squares, Groups<kCount>& weights) {
  for (size_t i = 0; i < kCount; ++i) {
    const F64x8 x = values.x[i];
    weights.x[i] = importance.x[i] * square_root(2 * mean_squares + x * x);
  }
}

struct OffsetFit {
  F64x8 scale;
  F64x8 offset;
};

// x ~ scale · q − offset with offset >= 0 and codes q of 0 .. kLargest. Candidate k divides the range
// into kLargest + first + 0.1 · k steps. Source: ggml's make_qkx2_quants; the error comes from the sums
// of the least-squares fit, so that a candidate needs one pass instead of two.
template <size_t kCount, int kLargest, int kCandidates>
class OffsetSearch {
 public:
  // `weights` null: |x| + rms.
  HEARTH_LANE_INLINE OffsetFit run(const Groups<kCount>& values, const Groups<kCount>* weights,
                                   double first) {
    F64x8 low{}, high = values.x[0];
    for (size_t i = 0; i < kCount; ++i) {
      low = smaller(values.x[i], low);
      high = larger(values.x[i], high);
    }
    prepare(values, weights);
    const I64x8 varies = high > low;
    fit_ = {F64x8{}, -low};
    error_ = every_lane(std::numeric_limits<double>::infinity());
    const F64x8 plain = kLargest / (high - low);
    const Sums sums = sums_of(values, plain);
    keep_if_better({1 / plain, fit_.offset}, sums, varies);
    for (int k = 0; k < kCandidates; ++k) {
      const F64x8 range = high + fit_.offset;
      const F64x8 inverse = (kLargest + first + 0.1 * k) / range;
      try_fitted(sums_of(values, inverse), varies & (range > 0));
    }
    return fit_;
  }

 private:
  // Over the codes l: Σ w·l, Σ w·l², Σ w·x·l.
  struct Sums {
    F64x8 l, ll, xl;
  };

  HEARTH_LANE_INLINE void prepare(const Groups<kCount>& values, const Groups<kCount>* weights) {
    F64x8 squares{};
    for (size_t i = 0; i < kCount; ++i) squares += values.x[i] * values.x[i];
    const F64x8 rms = square_root(squares / static_cast<double>(kCount));
    w_ = x_ = xx_ = F64x8{};
    for (size_t i = 0; i < kCount; ++i) {
      const F64x8 x = values.x[i];
      const F64x8 w = weights != nullptr ? weights->x[i] : rms + magnitude(x);
      weights_[i] = w;
      w_ += w;
      x_ += w * x;
      xx_ += w * x * x;
    }
  }

  HEARTH_LANE_INLINE Sums sums_of(const Groups<kCount>& values, F64x8 inverse) const {
    Sums sums = {F64x8{}, F64x8{}, F64x8{}};
    for (size_t i = 0; i < kCount; ++i) {
      const F64x8 x = values.x[i];
      const F64x8 l = round_even(clamped((x + fit_.offset) * inverse, 0, kLargest));
      const F64x8 wl = weights_[i] * l;
      sums.l += wl;
      sums.ll += wl * l;
      sums.xl += wl * x;
    }
    return sums;
  }

  HEARTH_LANE_INLINE void try_fitted(const Sums& sums, I64x8 allowed) {
    const F64x8 determinant = w_ * sums.ll - sums.l * sums.l;
    const F64x8 scale = (w_ * sums.xl - x_ * sums.l) / determinant;
    const F64x8 minimum = (sums.ll * x_ - sums.l * sums.xl) / determinant;
    const I64x8 above = minimum > 0;
    keep_if_better({above ? sums.xl / sums.ll : scale, -(above ? F64x8{} : minimum)}, sums,
                   allowed & (determinant > 0));
  }

  // The error is Σ w·(scale·l + minimum − x)², multiplied out.
  HEARTH_LANE_INLINE void keep_if_better(const OffsetFit& fit, const Sums& sums, I64x8 allowed) {
    const F64x8 scale = fit.scale, minimum = -fit.offset;
    const F64x8 squares = scale * scale * sums.ll + minimum * minimum * w_ + xx_;
    const F64x8 mixed = scale * minimum * sums.l - scale * sums.xl - minimum * x_;
    const F64x8 error = squares + 2 * mixed;
    const I64x8 better = allowed & (error < error_);
    error_ = better ? error : error_;
    fit_.scale = better ? scale : fit_.scale;
    fit_.offset = better ? fit.offset : fit_.offset;
  }

  OffsetFit fit_;
  F64x8 error_;
  F64x8 weights_[kCount];
  F64x8 w_, x_, xx_;  // Σ w, Σ w·x, Σ w·x²
};

// Of each group the value of largest magnitude, with its sign; of equals the first.
template <size_t kCount>
HEARTH_LANE_INLINE F64x8 signed_largest(const Groups<kCount>& values) {
  F64x8 largest{};
  for (size_t i = 0; i < kCount; ++i) {
    largest = magnitude(values.x[i]) > magnitude(largest) ? values.x[i] : largest;
  }
  return largest;
}

// Below this a group counts as zero (ggml's GROUP_MAX_EPS).
constexpr double kNegligible = 1e-15;

// The scale of the candidate that takes most of the error away: with q of `quantise` for x / scale the
// least-squares scale Σ w·x·q / Σ w·q² takes (Σ w·x·q)² / Σ w·q². Of equals the first.
struct ScaleChoice {
  F64x8 scale{};
  F64x8 gain{};

  template <size_t kCount, class Quantise>
  HEARTH_LANE_INLINE void consider(const Groups<kCount>& values, const Groups<kCount>& weights,
                                   F64x8 inverse, Quantise quantise) {
    F64x8 xq{}, qq{};
    for (size_t i = 0; i < kCount; ++i) {
      const F64x8 x = values.x[i];
      const F64x8 q = quantise(x * inverse);
      const F64x8 wq = weights.x[i] * q;
      xq += wq * x;
      qq += wq * q;
    }
    const I64x8 better = (qq > 0) & (xq * xq > gain * qq);
    scale = better ? xq / qq : scale;
    gain = better ? scale * xq : gain;
  }
};

// Of elements that nothing is known of but their values: large ones count for more.
template <size_t kCount>
void weigh_by_square(const Groups<kCount>& values, Groups<kCount>& weights) {
  for (size_t i = 0; i < kCount; ++i) weights.x[i] = values.x[i] * values.x[i];
}

// The scales of groups with codes −half .. half − 1, x ~ scale · q. 0 for negligible values.
template <size_t kCount, int kHalf>
HEARTH_LANE_INLINE F64x8 search_signed_scale(const Groups<kCount>& values,
                                             const Groups<kCount>& weights) {
  const F64x8 largest = signed_largest(values);
  ScaleChoice choice;
  // The middle first, so that a tie keeps it.
  for (int candidate = 0; candidate <= 18; ++candidate) {
    const int step = candidate % 2 == 0 ? candidate / 2 : -(candidate + 1) / 2;
    const F64x8 inverse = -(kHalf + 0.1 * step) / largest;
    choice.consider(values, weights, inverse,
                    [](F64x8 scaled) { return round_even(clamped(scaled, -kHalf, kHalf - 1)); });
  }
  return magnitude(largest) < kNegligible ? F64x8{} : choice.scale;
}

}  // namespace
}  // namespace hearth
