// Every weight kernel × type × instruction set against double precision, with the promises of
// kernels.h. Bounds: a sum of n rounded f32 terms in any order is off by at most (n + c) ε
// Σ|terms|; c counts the roundings before the sum (scale, x, product).
#include "weights.h"

#include <algorithm>
#include <string>

namespace hearth_test {
namespace {

using hearth::GemmTask;
using hearth::GemvTask;
using hearth::Kernels;
using hearth::Matrix;
using hearth::WeightKernels;

constexpr size_t kRounds = 8;

// A random matrix and random x rows, prepared by the kernels under test.
struct Problem {
  const Kernels* kernels;
  const WeightKernels* table;
  WeightType type;
  size_t rows, columns, tokens;
  Buffer weights;
  std::vector<float> x;      // as given
  std::vector<double> used;  // what the kernels see: d · q for quantised types
  Buffer prepared;
  Matrix matrix;

  Problem(const Kernels* k, WeightType t, size_t row_count, size_t column_count, size_t token_count,
          Random& random)
      : kernels(k),
        table(hearth::weight_kernels(k, static_cast<uint32_t>(t))),
        type(t),
        rows(row_count),
        columns(column_count),
        tokens(token_count),
        weights(row_count * hearth::row_bytes(t, column_count)),
        x(token_count * column_count),
        used(token_count * column_count),
        prepared(token_count * hearth::x_bytes(t, column_count)) {
    fill_weights(random, t, weights.u8(), weights.size());
    for (float& value : x) value = random.uniform() * (random.below(8) == 0 ? 4.0f : 1.0f);
    if (random.below(2))
      std::fill(x.begin(), x.begin() + static_cast<long>(std::min<size_t>(32, columns)), 0.0f);
    for (size_t token = 0; token < tokens; ++token) {
      table->prepare_x(&x[token * columns], columns, x_row(token));
    }
    see_x();
    matrix = {weights.u8(), columns, hearth::row_bytes(t, columns)};
  }

  uint8_t* x_row(size_t token) { return prepared.u8() + token * hearth::x_bytes(type, columns); }
  const uint8_t* row(size_t r) { return weights.u8() + r * matrix.row_bytes; }

  // The quantisation of kernels.h, in its own words: d in f32, q rounded to nearest even.
  void see_x() {
    for (size_t i = 0; i < used.size(); ++i) used[i] = x[i];
    if (!kernels->rounds_inputs || hearth::x_format(type) == hearth::XFormat::kF32) return;
    for (size_t group = 0; group < used.size(); group += 32) {
      float largest = 0;
      for (size_t i = group; i < group + 32; ++i) largest = std::max(largest, std::fabs(x[i]));
      const float d = largest / 127.0f;
      for (size_t i = group; i < group + 32; ++i) {
        used[i] = d == 0 ? 0 : static_cast<double>(d) * std::nearbyint(x[i] / d);
      }
    }
  }

  Weight exact(size_t r, size_t token) {
    Weight sum = {0, 0};
    for (size_t i = 0; i < columns; ++i) {
      const Weight w = weight_at(type, row(r), i);
      sum.value += w.value * used[token * columns + i];
      sum.magnitude += w.magnitude * std::fabs(used[token * columns + i]);
    }
    return sum;
  }

  double tolerance(const Weight& exact) const {
    return (static_cast<double>(columns) + 8) * kEpsilon * exact.magnitude + 1e-37;
  }
};

std::string describe(const Problem& p) {
  return std::string(weight_type_name(p.type)) + " " + std::to_string(p.rows) + "x" +
         std::to_string(p.columns) + "x" + std::to_string(p.tokens);
}

void test_gemv(Problem& p, Checks& checks, Random& random) {
  const std::string detail = describe(p);
  const Case what = {p.kernels->name, "gemv", detail.c_str()};
  std::vector<float> y(p.rows, -7);
  p.table->gemv(GemvTask{p.matrix, p.x_row(0), {0, p.rows}, y.data(), nullptr});
  for (size_t r = 0; r < p.rows; ++r) {
    const Weight exact = p.exact(r, 0);
    checks.near(what, y[r], exact.value, p.tolerance(exact));
  }
  const size_t cut = random.below(p.rows + 1);
  std::vector<float> parts(p.rows, -7);
  p.table->gemv(GemvTask{p.matrix, p.x_row(0), {cut, p.rows}, parts.data(), p.row(0)});
  p.table->gemv(GemvTask{p.matrix, p.x_row(0), {0, cut}, parts.data(), p.row(cut)});
  checks.same({p.kernels->name, "gemv in two ranges", detail.c_str()}, parts.data(), y.data(),
              p.rows * 4);
}

void test_gemm(Problem& p, Checks& checks, Random& random) {
  const std::string detail = describe(p);
  const Case what = {p.kernels->name, "gemm", detail.c_str()};
  Buffer scratch(hearth::gemm_scratch_bytes(p.columns));
  const size_t stride = p.rows + random.below(3);
  std::vector<float> y(p.tokens * stride, -7);
  const GemmTask task = {p.matrix, p.prepared.u8(), p.tokens,    y.data(),
                         stride,   {0, p.rows},     scratch.u8()};
  p.table->gemm(task);
  for (size_t t = 0; t < p.tokens; ++t) {
    for (size_t r = 0; r < p.rows; ++r) {
      const Weight exact = p.exact(r, t);
      checks.near(what, y[t * stride + r], exact.value, p.tolerance(exact));
    }
    for (size_t r = p.rows; r < stride; ++r) checks.near(what, y[t * stride + r], -7, 0);
  }
  if (hearth::x_format(p.type) == hearth::XFormat::kQ8 && p.tokens < p.table->panel_tokens) {
    for (size_t t = 0; t < p.tokens; ++t) {
      std::vector<float> alone(p.rows);
      p.table->gemv({p.matrix, p.x_row(t), {0, p.rows}, alone.data(), nullptr});
      checks.same({p.kernels->name, "gemm of few tokens", detail.c_str()}, &y[t * stride],
                  alone.data(), p.rows * 4);
    }
  }
  std::vector<float> parts(p.tokens * stride, -7);
  const size_t row_cut = random.below(p.rows + 1);
  for (size_t t = 0; t < p.tokens;) {
    const bool has_panels = p.table->panel_tokens > 0 && p.tokens >= p.table->panel_tokens;
    const size_t count = has_panels ? p.tokens : 1 + random.below(p.tokens - t);
    GemmTask part = {p.matrix, p.x_row(t),        count,       &parts[t * stride],
                     stride,   {row_cut, p.rows}, scratch.u8()};
    if (row_cut < p.rows) p.table->gemm(part);
    part.rows = {0, row_cut};
    if (row_cut > 0) p.table->gemm(part);
    t += count;
  }
  checks.same({p.kernels->name, "gemm in other cuts", detail.c_str()}, parts.data(), y.data(),
              y.size() * 4);
}

std::vector<uint32_t> random_rows(Random& random, size_t rows) {
  std::vector<uint32_t> index;
  for (uint32_t r = 0; r < rows; ++r) {
    if (random.below(3) != 0) index.push_back(r);
  }
  return index;
}

void test_gather_dot(Problem& p, Checks& checks, Random& random) {
  const std::string detail = describe(p);
  const std::vector<uint32_t> index = random_rows(random, p.rows);
  std::vector<float> y(index.size() + 1, -7);
  p.table->gather_dot(p.matrix, p.x_row(0), {index.data(), index.size()}, y.data());
  for (size_t i = 0; i < index.size(); ++i) {
    const Weight exact = p.exact(index[i], 0);
    checks.near({p.kernels->name, "gather_dot", detail.c_str()}, y[i], exact.value,
                p.tolerance(exact));
    float alone;
    p.table->gather_dot(p.matrix, p.x_row(0), {&index[i], 1}, &alone);
    checks.same({p.kernels->name, "gather_dot alone", detail.c_str()}, &alone, &y[i], 4);
  }
  checks.near({p.kernels->name, "gather_dot end", detail.c_str()}, y.back(), -7, 0);
}

void test_axpy(Problem& p, Checks& checks, Random& random) {
  const std::string detail = describe(p);
  const std::vector<uint32_t> index = random_rows(random, p.rows);
  std::vector<float> coefficient(index.size());
  for (float& c : coefficient) c = random.uniform();
  std::vector<float> start(p.columns);
  for (float& value : start) value = random.uniform();
  std::vector<float> y = start;
  p.table->axpy(p.matrix, {index.data(), index.size()}, coefficient.data(), {0, p.columns},
                y.data());
  for (size_t c = 0; c < p.columns; ++c) {
    double sum = start[c];
    double magnitude = std::fabs(start[c]);
    for (size_t i = 0; i < index.size(); ++i) {
      const Weight w = weight_at(p.type, p.row(index[i]), c);
      sum += w.value * coefficient[i];
      magnitude += w.magnitude * std::fabs(coefficient[i]);
    }
    const double tolerance = (static_cast<double>(index.size()) + 4) * kEpsilon * magnitude;
    checks.near({p.kernels->name, "axpy", detail.c_str()}, y[c], sum, tolerance);
  }
  std::vector<float> parts = start;
  const size_t cut = random.below(p.columns / 256 + 1) * 256;
  const size_t half = index.size() / 2;
  for (const hearth::Range columns : {hearth::Range{cut, p.columns}, hearth::Range{0, cut}}) {
    p.table->axpy(p.matrix, {index.data(), half}, coefficient.data(), columns, parts.data());
    p.table->axpy(p.matrix, {index.data() + half, index.size() - half}, coefficient.data() + half,
                  columns, parts.data());
  }
  checks.same({p.kernels->name, "axpy in other cuts", detail.c_str()}, parts.data(), y.data(),
              y.size() * 4);
}

void test_dequantise(Problem& p, Checks& checks) {
  const std::string detail = describe(p);
  std::vector<float> out(p.columns);
  p.table->dequantise_row(p.row(p.rows - 1), p.columns, out.data());
  for (size_t c = 0; c < p.columns; ++c) {
    const Weight w = weight_at(p.type, p.row(p.rows - 1), c);
    checks.near({p.kernels->name, "dequantise_row", detail.c_str()}, out[c], w.value,
                4 * kEpsilon * w.magnitude);
  }
}

// kernels.h: prepared rows are the same on all instruction sets (bytes past the last array are
// padding).
void test_prepare_x(Problem& p, Checks& checks) {
  const hearth::Inputs inputs =
      p.kernels->rounds_inputs ? hearth::Inputs::kRounded : hearth::Inputs::kExact;
  const WeightKernels* scalar = hearth::weight_kernels(hearth::select_kernels("scalar", inputs),
                                                       static_cast<uint32_t>(p.type));
  const size_t bytes = hearth::x_bytes(p.type, p.columns);
  Buffer expected(bytes);
  Buffer got(bytes);
  scalar->prepare_x(p.x.data(), p.columns, expected.u8());
  p.table->prepare_x(p.x.data(), p.columns, got.u8());
  checks.same({p.kernels->name, "prepare_x", describe(p).c_str()}, got.u8(), expected.u8(), bytes);
}

void test_type(const Kernels* kernels, WeightType type, Checks& checks) {
  const size_t block = hearth::block_elements(type);
  for (size_t round = 0; round < kRounds; ++round) {
    Random random(static_cast<uint64_t>(type) * 1000 + round);
    const size_t most = block == 1 ? 700 : block == 32 ? 40 : 5;  // beyond one panel of 512 columns
    size_t blocks = round == 0 ? 1 : 1 + random.below(most);
    // A step has four blocks of 32: one, two and three blocks follow the last whole one.
    if (block == 32 && round >= 1 && round <= 3) blocks = 4 * (1 + random.below(9)) + round;
    const size_t columns = blocks * block;
    Problem p(kernels, type, 1 + random.below(75), columns, 1 + random.below(round % 2 ? 60 : 5),
              random);
    test_prepare_x(p, checks);
    test_gemv(p, checks, random);
    test_gemm(p, checks, random);
    test_gather_dot(p, checks, random);
    test_axpy(p, checks, random);
    test_dequantise(p, checks);
  }
}

}  // namespace
}  // namespace hearth_test

int main() {
  using namespace hearth_test;
  Checks checks;
  for (const char* const* name = hearth::available_kernels(); *name; ++name) {
    for (const hearth::Inputs inputs : {hearth::Inputs::kRounded, hearth::Inputs::kExact}) {
      const Kernels* kernels = hearth::select_kernels(*name, inputs);
      for (const WeightType type : hearth::kWeightTypes) test_type(kernels, type, checks);
      std::printf("weights on %s, inputs %s: done\n", *name,
                  kernels->rounds_inputs ? "rounded" : "exact");
    }
  }
  return checks.finish("weights_test");
}
