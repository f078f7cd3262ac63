// Quantisers of the lattice types: the nearest point for each piece, the scale that fits the points
// best, and the nearest points once more. The bytes are those of src/quant/lattice-quantiser.ts, where
// the types are drawn, too. Internal to kernels/.
#pragma once

#include <type_traits>

#include "lattices.h"
#include "quantise-k.h"

namespace hearth {
namespace {

constexpr size_t kOctet = 8;
constexpr size_t kOctets = kSuperBlock / kOctet;

// The parts of a block, whatever its bytes are.
struct LatticeParts {
  double d = 0;
  uint8_t steps[16] = {};
  uint16_t points[64] = {};
  // Of magnitudes: bit i is set where element i of eight is negative. Else 1 for a shift of −1/8.
  uint8_t signs[kOctets] = {};
};

enum class LatticeSigns { kFree, kEven, kShift };

// Of eight elements with how much each counts, the point with the largest Σ w·p·(u − p/2); of equals
// the first. Points have few different halves, so that each half is multiplied once, and a first half
// that cannot win with any second is passed over.
template <size_t kCount>
class PointHalves {
 public:
  explicit PointHalves(const double (*points)[kOctet]) {
    size_t first_of[kCount];
    size_t second_of[kCount];
    for (size_t point = 0; point < kCount; ++point) {
      first_of[point] = first_.index(points[point]);
      second_of[point] = second_.index(points[point] + 4);
    }
    size_t place = 0;
    for (size_t half = 0; half < first_.count; ++half) {
      begins_[half] = static_cast<uint16_t>(place);
      for (size_t point = 0; point < kCount; ++point) {
        if (first_of[point] != half) continue;
        order_[place] = static_cast<uint16_t>(point);
        seconds_[place++] = static_cast<uint16_t>(second_of[point]);
      }
    }
    begins_[first_.count] = static_cast<uint16_t>(place);
  }

  size_t nearest(const double* units, const double* weights) const {
    double first[kMost], second[kMost];
    first_.gains(units, weights, first);
    const double most_of_second = second_.gains(units + 4, weights + 4, second);
    size_t best = 0;
    double most = -std::numeric_limits<double>::infinity();
    for (size_t half = 0; half < first_.count; ++half) {
      if (first[half] + most_of_second < most) continue;
      for (size_t i = begins_[half]; i < begins_[half + 1]; ++i) {
        const double gain = first[half] + second[seconds_[i]];
        if (gain < most || (gain == most && order_[i] > best)) continue;
        most = gain;
        best = order_[i];
      }
    }
    return best;
  }

 private:
  // Four numbers of at most four levels.
  static constexpr size_t kMost = 256;

  struct Halves {
    size_t count = 0;
    double numbers[4][kMost] = {};

    size_t index(const double* half) {
      for (size_t i = 0; i < count; ++i) {
        if (numbers[0][i] == half[0] && numbers[1][i] == half[1] && numbers[2][i] == half[2] &&
            numbers[3][i] == half[3]) {
          return i;
        }
      }
      for (size_t j = 0; j < 4; ++j) numbers[j][count] = half[j];
      return count++;
    }

    // Returns the largest.
    double gains(const double* units, const double* weights, double* out) const {
      for (size_t i = 0; i < count; ++i) {
        double gain = 0;
        for (size_t j = 0; j < 4; ++j) {
          const double number = numbers[j][i];
          gain += weights[j] * number * (units[j] - number / 2);
        }
        out[i] = gain;
      }
      double most = -std::numeric_limits<double>::infinity();
      for (size_t i = 0; i < count; ++i) most = out[i] > most ? out[i] : most;
      return most;
    }
  };

  Halves first_, second_;
  // The points of first half h are those of order_ from begins_[h] up to begins_[h + 1].
  uint16_t begins_[kMost + 1] = {};
  uint16_t order_[kCount] = {};
  uint16_t seconds_[kCount] = {};
};

// The same for four elements, eight points at a time.
template <size_t kCount>
class PointQuads {
 public:
  explicit PointQuads(const double (*points)[4]) {
    for (size_t point = 0; point < kCount; ++point) {
      for (size_t j = 0; j < 4; ++j) numbers_[j][point / kLanes][point % kLanes] = points[point][j];
    }
  }

  size_t nearest(const double* units, const double* weights) const {
    F64x8 most = every_lane(-std::numeric_limits<double>::infinity());
    F64x8 best{};
    for (size_t i = 0; i < kCount / kLanes; ++i) {
      F64x8 gain{};
      for (size_t j = 0; j < 4; ++j) {
        const F64x8 number = numbers_[j][i];
        gain += weights[j] * number * (units[j] - number / 2);
      }
      const I64x8 better = gain > most;
      most = better ? gain : most;
      best = better ? every_lane(static_cast<double>(i)) : best;
    }
    size_t lane = 0;
    for (size_t other = 1; other < kLanes; ++other) {
      if (most[other] > most[lane] || (most[other] == most[lane] && best[other] < best[lane])) {
        lane = other;
      }
    }
    return static_cast<size_t>(best[lane]) * kLanes + lane;
  }

 private:
  F64x8 numbers_[4][kCount / kLanes];
};

// Format: kCount points of kWidth, kPoints, kSigns, kShared (octets with one shift), kScale (elements
// of one), kLargestStep, factor(step), kBytes, pack(parts, out).
template <class Format>
class LatticeQuantiser {
 public:
  static void quantise(const float* x, size_t count, const float* importance, uint8_t* out) {
    static const LatticeQuantiser lattice;
    for (size_t at = 0; at < count; at += kSuperBlock, out += Format::kBytes) {
      Block block(x + at, importance == nullptr ? nullptr : importance + at);
      lattice.choose(block);
      std::memset(out, 0, Format::kBytes);
      Format::pack(block.parts, out);
    }
  }

 private:
  static constexpr size_t kWidth = Format::kWidth, kScale = Format::kScale;
  static constexpr size_t kGroups = kSuperBlock / kScale;

  struct Block {
    const float* x;
    double weights[kSuperBlock];
    double units[kScale];
    LatticeParts parts;

    Block(const float* values, const float* importance) : x(values) {
      const double mean = importance == nullptr ? 0 : mean_square(x, kSuperBlock);
      for (size_t i = 0; i < kSuperBlock; ++i) {
        const double value = x[i];
        weights[i] =
            importance == nullptr ? 1 : importance[i] * std::sqrt(2 * mean + value * value);
      }
    }
  };

  using Search =
      std::conditional_t<kWidth == kOctet, PointHalves<Format::kCount>, PointQuads<Format::kCount>>;

  struct Points {
    double number[Format::kCount][kWidth];
    double reach = 0;
    Points() {
      for (size_t point = 0; point < Format::kCount; ++point) {
        for (size_t j = 0; j < kWidth; ++j) {
          const double value = Format::kPoints.point[point][j];
          number[point][j] = Format::kSigns == LatticeSigns::kShift ? (value - 128) / 8 : value;
          reach = std::fabs(number[point][j]) > reach ? std::fabs(number[point][j]) : reach;
        }
      }
    }
  };

  Points points_;
  Search search_{points_.number};

  void choose(Block& block) const {
    double scales[kGroups];
    double largest = 0;
    for (size_t group = 0; group < kGroups; ++group) {
      scales[group] = fit(block, group);
      largest = scales[group] > largest ? scales[group] : largest;
    }
    LatticeParts& parts = block.parts;
    const float half = static_cast<float>(largest / Format::factor(Format::kLargestStep));
    parts.d = static_cast<double>(f32_of_f16(f16_of_f32(half)));
    for (size_t group = 0; group < kGroups; ++group) {
      const int step = nearest_step(parts.d == 0 ? 0 : scales[group] / parts.d);
      parts.steps[group] = static_cast<uint8_t>(step);
      assign(block, group, parts.d * Format::factor(step));
    }
  }

  // The scale of a group that fits the points best which the widest sensible scale leads to.
  double fit(Block& block, size_t group) const {
    const float* x = block.x + group * kScale;
    double largest = 0, squares = 0;
    for (size_t i = 0; i < kScale; ++i) {
      const double value = x[i];
      largest = std::fabs(value) > largest ? std::fabs(value) : largest;
      squares += value * value;
    }
    if (largest == 0) return 0;
    // A single outlier must not push all others below the smallest level.
    const double wide = 2.2 * std::sqrt(squares / static_cast<double>(kScale));
    const double fitted = assign(block, group, (largest < wide ? largest : wide) / points_.reach);
    return fitted > 0 ? fitted : 0;
  }

  // Chooses points and signs for a scale, and returns the scale that fits these best (least squares).
  double assign(Block& block, size_t group, double scale) const {
    const size_t first = group * kScale;
    const double inverse = scale == 0 ? 0 : 1 / scale;
    for (size_t i = 0; i < kScale; ++i) block.units[i] = block.x[first + i] * inverse;
    if constexpr (Format::kSigns == LatticeSigns::kShift) {
      choose_shifts(block, first);
    } else {
      for (size_t i = 0; i < kScale; i += kOctet) take_signs(block, i, first + i);
    }
    double xg = 0, gg = 0;
    for (size_t i = 0; i < kScale; i += kWidth) {
      const double* weights = block.weights + first + i;
      const size_t point = search_.nearest(block.units + i, weights);
      block.parts.points[(first + i) / kWidth] = static_cast<uint16_t>(point);
      for (size_t j = 0; j < kWidth; ++j) {
        const double wg = weights[j] * points_.number[point][j];
        xg += block.units[i + j] * wg;
        gg += points_.number[point][j] * wg;
      }
    }
    return gg == 0 ? scale : scale * xg / gg;
  }

  // Makes the units of eight elements positive, as far as the signs allow.
  static void take_signs(Block& block, size_t begin, size_t element) {
    double* units = block.units + begin;
    const double* weights = block.weights + element;
    unsigned bits = 0;
    size_t minuses = 0, least = 0;
    for (size_t i = 0; i < kOctet; ++i) {
      if (units[i] < 0) {
        bits |= 1u << i;
        ++minuses;
        units[i] = -units[i];
      }
      if (weights[i] * units[i] < weights[least] * units[least]) least = i;
    }
    if (Format::kSigns == LatticeSigns::kEven && minuses % 2 == 1) {
      bits ^= 1u << least;
      units[least] = -units[least];
    }
    block.parts.signs[element / kOctet] = static_cast<uint8_t>(bits);
  }

  // The shift towards the mean, one for as many points as share one; the units are then what remains.
  static void choose_shifts(Block& block, size_t first) {
    constexpr size_t kTogether = kOctet * Format::kShared;
    for (size_t begin = 0; begin < kScale; begin += kTogether) {
      double sum = 0;
      for (size_t i = begin; i < begin + kTogether; ++i) {
        sum += block.weights[first + i] * block.units[i];
      }
      const bool is_minus = sum < 0;
      for (size_t i = begin; i < begin + kTogether; ++i)
        block.units[i] += is_minus ? 0.125 : -0.125;
      for (size_t i = begin; i < begin + kTogether; i += kOctet) {
        block.parts.signs[(first + i) / kOctet] = is_minus;
      }
    }
  }

  static int nearest_step(double wanted) {
    int best = 0;
    for (int step = 1; step <= Format::kLargestStep; ++step) {
      if (std::fabs(Format::factor(step) - wanted) < std::fabs(Format::factor(best) - wanted)) {
        best = step;
      }
    }
    return best;
  }
};

}  // namespace
}  // namespace hearth
