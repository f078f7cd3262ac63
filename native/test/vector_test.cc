// Vector kernels of every instruction set against double precision. Bounds are counts of f32
// roundings; e^x is allowed its 2 ulp (kernels.h), so sigmoid and softmax terms are within 4 ulp
// relative, plus those of their sums.
#include <algorithm>
#include <limits>
#include <string>

#include "weights.h"

namespace hearth_test {
namespace {

using hearth::Activation;
using hearth::Gating;
using hearth::Kernels;

constexpr double kPi = 3.14159265358979323846;
constexpr double kUlp = 2 * kEpsilon;
constexpr double kSmallest = std::numeric_limits<float>::min();
constexpr size_t kSizes[] = {1, 2, 7, 16, 31, 64, 100, 257, 1024};

std::vector<float> random_values(Random& random, size_t count, float size) {
  std::vector<float> values(count);
  for (float& value : values) value = random.uniform() * size;
  return values;
}

double rms_factor(const std::vector<float>& x, double centre, double epsilon) {
  double sum = 0;
  for (const float value : x) sum += (value - centre) * (value - centre);
  return 1 / std::sqrt(sum / static_cast<double>(x.size()) + epsilon);
}

void test_norms(const Kernels* k, size_t count, Checks& checks, Random& random) {
  const std::vector<float> x = random_values(random, count, 3);
  const std::vector<float> weight = random_values(random, count, 2);
  const std::vector<float> bias = random_values(random, count, 1);
  const std::string detail = std::to_string(count);
  std::vector<float> out(count);
  double mean = 0;
  for (const float value : x) mean += value / static_cast<double>(count);
  k->vector.rms_norm({x.data(), weight.data(), nullptr, 1e-5f, out.data(), count});
  const double rms = rms_factor(x, 0, 1e-5f);
  for (size_t i = 0; i < count; ++i) {
    const double expected = x[i] * rms * weight[i];
    checks.near({k->name, "rms_norm", detail.c_str()}, out[i], expected,
                16 * kEpsilon * std::fabs(expected) + 1e-30);
  }
  k->vector.layer_norm({x.data(), weight.data(), bias.data(), 1e-5f, out.data(), count});
  const double factor = rms_factor(x, mean, 1e-5f);
  for (size_t i = 0; i < count; ++i) {
    const double expected = (x[i] - mean) * factor * weight[i] + bias[i];
    // The mean is rounded to f32: an absolute error of ε |mean|, and of ε·3 in x − mean, times
    // factor and weight.
    const double size = (std::fabs(x[i]) + std::fabs(mean) + 3) * factor * std::fabs(weight[i]) +
                        std::fabs(bias[i]);
    checks.near({k->name, "layer_norm", detail.c_str()}, out[i], expected, 16 * kEpsilon * size);
  }
}

void test_softmax(const Kernels* k, size_t count, Checks& checks, Random& random) {
  const std::vector<float> x = random_values(random, count, 60);
  const std::string detail = std::to_string(count);
  const float most = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (const float value : x) sum += std::exp(static_cast<double>(value - most));
  std::vector<float> out = x;
  k->vector.softmax(out.data(), count);
  for (size_t i = 0; i < count; ++i) {
    const double expected = std::exp(static_cast<double>(x[i] - most)) / sum;
    checks.near({k->name, "softmax", detail.c_str()}, out[i], expected,
                16 * kUlp * expected + 1e-37);
  }
}

// Softmax over {x, 0} would hide the error of e^x. silu shows it: silu(−x) ≈ −x e^(−x) for large x.
void test_exp(const Kernels* k, Checks& checks) {
  std::vector<float> x;
  for (float value = -85; value < -20; value += 0.0371f) x.push_back(value);
  std::vector<float> out(x.size());
  k->vector.activate(
      {Gating::kUngated, Activation::kSilu, 0, nullptr, x.data(), out.data(), x.size()});
  for (size_t i = 0; i < x.size(); ++i) {
    const double expected = x[i] / (1 + std::exp(-static_cast<double>(x[i])));
    checks.near({k->name, "exp", std::to_string(x[i]).c_str()}, out[i], expected,
                3.5 * kUlp * std::fabs(expected));
  }
}

double exact_activation(Activation kind, double x, double threshold) {
  switch (kind) {
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kGelu:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Activation::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / kPi) * (x + 0.044715 * x * x * x)));
    case Activation::kRelu:
      return x > 0 ? x : 0;
    case Activation::kRelu2:
      return x > 0 ? x * x : 0;
    case Activation::kFatRelu:
      return x >= threshold ? x : 0;
    case Activation::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::kClampedSwish:
      return std::min(x, 7.0) / (1 + std::exp(-1.702 * std::min(x, 7.0)));
  }
  std::abort();
}

constexpr Activation kActivations[] = {
    Activation::kSilu,  Activation::kGelu,    Activation::kGeluTanh, Activation::kRelu,
    Activation::kRelu2, Activation::kFatRelu, Activation::kSigmoid,  Activation::kClampedSwish};

void test_activations(const Kernels* k, size_t count, Checks& checks, Random& random) {
  std::vector<float> gate = random_values(random, count, 9);
  std::vector<float> up = random_values(random, count, 9);
  gate[0] = 0;
  up[0] = -200;
  std::vector<float> out(count);
  for (const Activation kind : kActivations) {
    for (const Gating gating :
         {Gating::kUngated, Gating::kGated, Gating::kBoth, Gating::kClamped}) {
      const std::string detail =
          std::to_string(static_cast<int>(kind)) + "/" + std::to_string(static_cast<int>(gating));
      k->vector.activate({gating, kind, 0.5f, gate.data(), up.data(), out.data(), count});
      for (size_t i = 0; i < count; ++i) {
        const double g = exact_activation(kind, gate[i], 0.5);
        const double u = exact_activation(kind, up[i], 0.5);
        const double expected = gating == Gating::kUngated ? u
                                : gating == Gating::kGated ? g * up[i]
                                : gating == Gating::kBoth
                                    ? g * u
                                    : g * (1 + std::min(std::max(up[i], -7.0f), 7.0f));
        // gelu: erf is good to 2e-7 absolute (vector-math.h), so the result to 2e-7 |x| / 2 and
        // rounding. gelu-tanh: z is off by 4 ε |z|, which moves the sigmoid by at most that (z
        // s'(z) < 0.3) relative to |x|.
        const double slack =
            kind == Activation::kGelu || kind == Activation::kGeluTanh ? 2e-7 : 8 * kUlp;
        const double size = gating == Gating::kUngated
                                ? std::fabs(up[i]) * (1 + std::fabs(u))
                                : std::fabs(gate[i]) * (1 + std::fabs(g)) * (1 + std::fabs(up[i])) *
                                      (1 + std::fabs(u));
        // A sigmoid is not small where x is: its error is a share of itself, or of the smallest normal
        // number where e^-x overflows.
        const bool is_sigmoid = kind == Activation::kSigmoid;
        const double allowed =
            is_sigmoid ? 8 * kUlp * std::fabs(expected) + kSmallest * (1 + std::fabs(up[i]))
                       : slack * size;
        checks.near({k->name, "activate", detail.c_str()}, out[i], expected, allowed);
      }
    }
  }
}

void test_rope(const Kernels* k, size_t pairs, Checks& checks, Random& random) {
  const size_t head_dim = 2 * pairs + 2;
  const size_t heads = 3;
  const std::vector<float> x = random_values(random, heads * head_dim, 2);
  std::vector<float> frequencies(pairs);
  for (size_t i = 0; i < pairs; ++i) {
    frequencies[i] =
        static_cast<float>(std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(pairs)));
  }
  std::vector<float> cosine(pairs);
  std::vector<float> sine(pairs);
  hearth::rope_angles({1234, frequencies.data(), pairs, 1.25f}, cosine.data(), sine.data());
  for (const bool halves : {false, true}) {
    std::vector<float> out = x;
    k->vector.rope({out.data(), heads, head_dim, pairs, cosine.data(), sine.data(),
                    halves ? hearth::RopePairing::kHalves : hearth::RopePairing::kAdjacent});
    const std::string detail = std::to_string(pairs) + (halves ? " halves" : " adjacent");
    const Case what = {k->name, "rope", detail.c_str()};
    for (size_t h = 0; h < heads; ++h) {
      for (size_t i = 0; i < pairs; ++i) {
        const size_t first = h * head_dim + (halves ? i : 2 * i);
        const size_t second = h * head_dim + (halves ? i + pairs : 2 * i + 1);
        const double angle = 1234.0 * frequencies[i];
        const double c = std::cos(angle) * 1.25;
        const double s = std::sin(angle) * 1.25;
        const double tolerance = 4 * kEpsilon * 1.25 * (std::fabs(x[first]) + std::fabs(x[second]));
        checks.near(what, out[first], x[first] * c - x[second] * s, tolerance);
        checks.near(what, out[second], x[first] * s + x[second] * c, tolerance);
      }
      for (size_t i = 2 * pairs; i < head_dim; ++i)
        checks.near(what, out[h * head_dim + i], x[h * head_dim + i], 0);
    }
  }
}

void test_conversions(const Kernels* k, size_t count, Checks& checks, Random& random) {
  std::vector<float> x(count);
  for (float& value : x) {
    value = random.uniform() * std::ldexp(1.0f, static_cast<int>(random.below(44)) - 28);
  }
  const std::string detail = std::to_string(count);
  Buffer half(count * 2);
  k->vector.f32_to_f16(x.data(), count, half.u8());
  for (size_t i = 0; i < count; ++i) {
    const double tolerance = std::max(std::fabs(x[i]) / 2048.0, std::ldexp(1.0, -25));
    const double got = f16_value(half.u8() + 2 * i);
    checks.near({k->name, "f32_to_f16", detail.c_str()}, got, x[i], tolerance);
  }
  std::vector<float> back(count);
  k->vector.f16_to_f32(half.u8(), count, back.data());
  for (size_t i = 0; i < count; ++i) {
    checks.near({k->name, "f16_to_f32", detail.c_str()}, back[i], f16_value(half.u8() + 2 * i), 0);
  }
  const size_t blocks = count / 32 * 32;
  Buffer packed(blocks / 32 * 34);
  k->vector.f32_to_q8_0(x.data(), blocks, packed.u8());
  for (size_t i = 0; i < blocks; ++i) {
    float largest = 0;
    for (size_t j = i / 32 * 32; j < i / 32 * 32 + 32; ++j)
      largest = std::max(largest, std::fabs(x[j]));
    // Half a step, and d rounded to f16 (relative 2^-11, or 2^-25 where it is subnormal) times up
    // to 127.
    const double step = largest / 127.0;
    const double tolerance = step * 0.5001 + 127 * std::max(step / 2048, std::ldexp(1.0, -25));
    checks.near({k->name, "f32_to_q8_0", detail.c_str()},
                weight_at(WeightType::kQ8_0, packed.u8(), i).value, x[i], tolerance);
  }
}

void test_signs(const Kernels* k, size_t columns, Checks& checks, Random& random) {
  const size_t rows = 9;
  const size_t words = hearth::sign_words(columns);
  const std::vector<float> w = random_values(random, rows * columns, 1);
  const std::vector<float> x = random_values(random, columns, 1);
  std::vector<uint64_t> signs(rows * words);
  std::vector<uint64_t> packed(words);
  for (size_t r = 0; r < rows; ++r)
    k->vector.sign_pack(&w[r * columns], columns, &signs[r * words]);
  k->vector.sign_pack(x.data(), columns, packed.data());
  std::vector<int32_t> score(rows);
  k->vector.sign_scores(signs.data(), columns, packed.data(), {0, 4}, score.data());
  k->vector.sign_scores(signs.data(), columns, packed.data(), {4, rows}, score.data());
  for (size_t r = 0; r < rows; ++r) {
    int expected = 0;
    for (size_t i = 0; i < columns; ++i)
      expected += std::signbit(w[r * columns + i]) == std::signbit(x[i]) ? 1 : -1;
    checks.near({k->name, "sign_scores", std::to_string(columns).c_str()}, score[r], expected, 0);
  }
}

void test_select(const Kernels* k, size_t count, Checks& checks, Random& random) {
  const std::vector<float> x = random_values(random, count, 1);
  std::vector<int32_t> scores(count);
  for (size_t i = 0; i < count; ++i) scores[i] = static_cast<int32_t>(random.below(100)) - 50;
  std::vector<uint32_t> index(count + 16);
  const std::string detail = std::to_string(count);
  for (int form = 0; form < 3; ++form) {
    std::vector<uint32_t> expected;
    for (size_t i = 0; i < count; ++i) {
      const bool keep = form == 0   ? x[i] >= 0.25f
                        : form == 1 ? std::fabs(x[i]) >= 0.25f
                                    : scores[i] >= 7;
      if (keep) expected.push_back(1000 + static_cast<uint32_t>(i));
    }
    const size_t kept =
        form == 0   ? k->vector.select_at_least(x.data(), count, 0.25f, 1000, index.data())
        : form == 1 ? k->vector.select_magnitude(x.data(), count, 0.25f, 1000, index.data())
                    : k->vector.select_scores(scores.data(), count, 7, 1000, index.data());
    const Case what = {k->name, "select", detail.c_str()};
    checks.near(what, static_cast<double>(kept), static_cast<double>(expected.size()), 0);
    if (kept == expected.size()) checks.same(what, index.data(), expected.data(), kept * 4);
  }
}

// Token t has 3 t mod 7 listed rows of `count`: some have none.
void test_add_listed(const Kernels* k, size_t count, Checks& checks, Random& random) {
  constexpr size_t kColumns = hearth::kListedColumns;
  constexpr size_t kTokens = 9;
  const size_t rows = std::min<size_t>(count, 256);
  const std::vector<float> values = random_values(random, rows * kColumns, 2);
  std::vector<uint32_t> offset = {0};
  for (size_t t = 0; t < kTokens; ++t) {
    offset.push_back(offset.back() + static_cast<uint32_t>(3 * t % 7));
  }
  std::vector<uint8_t> place(offset.back());
  for (uint8_t& p : place) p = static_cast<uint8_t>(random.below(rows));
  const std::vector<float> coefficient = random_values(random, place.size(), 2);
  std::vector<float> y = random_values(random, kTokens * kColumns, 2);
  std::vector<float> expected = y;
  for (size_t t = 0; t < kTokens; ++t) {
    for (uint32_t e = offset[t]; e < offset[t + 1]; ++e) {
      for (size_t c = 0; c < kColumns; ++c) {
        float& sum = expected[t * kColumns + c];
        sum = std::fma(coefficient[e], values[place[e] * kColumns + c], sum);
      }
    }
  }
  k->vector.add_listed(
      {values.data(), place.data(), offset.data(), coefficient.data(), kTokens, y.data()});
  checks.same({k->name, "add_listed", std::to_string(rows).c_str()}, y.data(), expected.data(),
              y.size() * sizeof(float));
}

void test_simple(const Kernels* k, size_t count, Checks& checks, Random& random) {
  std::vector<float> x = random_values(random, count, 5);
  std::vector<float> y = random_values(random, count, 5);
  const std::string detail = std::to_string(count);
  std::vector<float> out = y;
  k->vector.add(x.data(), count, out.data());
  for (size_t i = 0; i < count; ++i)
    checks.near({k->name, "add", detail.c_str()}, out[i], x[i] + y[i], 0);
  k->vector.scale(1.5f, count, out.data());
  for (size_t i = 0; i < count; ++i)
    checks.near({k->name, "scale", detail.c_str()}, out[i], (x[i] + y[i]) * 1.5f, 0);
  std::vector<float> capped = x;
  capped[0] = std::nanf("");
  k->vector.soft_cap(3, count, capped.data());
  checks.near({k->name, "soft cap of NaN", detail.c_str()}, capped[0] != capped[0], 1, 0);
  for (size_t i = 1; i < count; ++i) {
    const double expected = 3 * std::tanh(static_cast<double>(x[i]) / 3);
    checks.near({k->name, "soft cap", detail.c_str()}, capped[i], expected, 3 * 16 * 0x1p-24);
  }
  const size_t best = random.below(count);
  x[best] = 77;
  x[count - 1] = 77;
  checks.near({k->name, "argmax", detail.c_str()}, k->vector.argmax(x.data(), count),
              static_cast<double>(best), 0);
}

}  // namespace
}  // namespace hearth_test

int main() {
  using namespace hearth_test;
  Checks checks;
  for (const char* const* name = hearth::available_kernels(); *name; ++name) {
    const hearth::Kernels* k = hearth::select_kernels(*name);
    test_exp(k, checks);
    for (const size_t count : kSizes) {
      Random random(count);
      test_norms(k, count, checks, random);
      test_softmax(k, count, checks, random);
      test_activations(k, count, checks, random);
      test_rope(k, count, checks, random);
      test_conversions(k, count, checks, random);
      test_signs(k, count, checks, random);
      test_select(k, count, checks, random);
      test_add_listed(k, count, checks, random);
      test_simple(k, count, checks, random);
    }
    std::printf("vectors on %s: done\n", *name);
  }
  return checks.finish("vector_test");
}
