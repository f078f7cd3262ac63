// Attention of every instruction set and cache type against double precision, over decode and
// prefill shapes.
#include <algorithm>
#include <string>

#include "kernels/rounding.h"
#include "weights.h"

namespace hearth_test {
namespace {

using hearth::AttentionTask;
using hearth::Kernels;
using hearth::KvType;

// A cache of one sequence with `kv_heads` heads; the tested one is not the first, so that strides
// matter.
struct Cache {
  KvType type;
  size_t head_dim, positions, stride, offset;
  Buffer k, v;

  Cache(const Kernels* kernels, KvType t, size_t dim, size_t count, Random& random)
      : type(t),
        head_dim(dim),
        positions(count),
        stride(2 * hearth::kv_row_bytes(t, dim)),
        offset(hearth::kv_row_bytes(t, dim)),
        k(count * stride),
        v(count * stride) {
    for (size_t p = 0; p < count; ++p) {
      store(kernels, k, p, random);
      store(kernels, v, p, random);
    }
  }
  void store(const Kernels* kernels, Buffer& to, size_t position, Random& random) {
    std::vector<float> row(head_dim);
    for (float& value : row) value = random.uniform() * 2;
    uint8_t* out = to.u8() + position * stride + offset;
    if (type == KvType::kF32) std::memcpy(out, row.data(), head_dim * 4);
    if (type == KvType::kF16) kernels->vector.f32_to_f16(row.data(), head_dim, out);
    if (type == KvType::kQ8_0) kernels->vector.f32_to_q8_0(row.data(), head_dim, out);
  }
  double at(Buffer& from, size_t position, size_t i) {
    const uint8_t* row = from.u8() + position * stride + offset;
    return weight_at(static_cast<WeightType>(type), row, i).value;
  }
  hearth::KvHead head(Buffer& of) { return {of.u8() + offset, head_dim, stride}; }
};

// Without windows, caps and sinks, which the conformance suite has: of one KV head and its q heads.
AttentionTask task_of(Cache& cache, size_t heads, size_t rows, const uint32_t* visible) {
  AttentionTask task{};
  task.type = cache.type;
  task.k = cache.head(cache.k);
  task.v = cache.head(cache.v);
  task.cells = hearth::round_up(cache.positions, 64);
  task.heads = heads;
  task.rows = rows;
  task.positions = {0, cache.positions};
  task.visible = visible;
  return task;
}

struct Shape {
  size_t head_dim, heads, rows, positions;
};

struct Exact {
  std::vector<double> value;
  double tolerance;
};

// softmax(q Kᵀ scale) V of one q over positions [begin, end).
Exact exact_attention(Cache& cache, const float* q, double scale, hearth::Range seen) {
  std::vector<double> score;
  double most = -1e300;
  double magnitude = 0;
  for (size_t p = seen.begin; p < seen.end; ++p) {
    double sum = 0;
    double size = 0;
    for (size_t i = 0; i < cache.head_dim; ++i) {
      sum += q[i] * scale * cache.at(cache.k, p, i);
      size += std::fabs(q[i] * scale * cache.at(cache.k, p, i));
    }
    score.push_back(sum);
    most = std::max(most, sum);
    magnitude = std::max(magnitude, size);
  }
  Exact exact = {std::vector<double>(cache.head_dim), 0};
  double total = 0;
  for (size_t p = seen.begin; p < seen.end; ++p) {
    const double weight = std::exp(score[p - seen.begin] - most);
    total += weight;
    for (size_t i = 0; i < cache.head_dim; ++i) exact.value[i] += weight * cache.at(cache.v, p, i);
  }
  for (double& value : exact.value) value /= total;
  // A score is off by (head_dim + 4) ε magnitude, so a weight is by that relative, twice
  // (numerator, denominator); sums of |v| <= 2 over the positions add ε each.
  const double count = static_cast<double>(seen.end - seen.begin);
  exact.tolerance =
      2 * kEpsilon * (2 * (static_cast<double>(cache.head_dim) + 4) * magnitude + 2 * count + 64);
  return exact;
}

std::string detail_of(KvType type, const Shape& shape) {
  return std::to_string(static_cast<int>(type)) + " dim " + std::to_string(shape.head_dim) +
         " heads " + std::to_string(shape.heads) + " rows " + std::to_string(shape.rows) +
         " positions " + std::to_string(shape.positions);
}

void test_shape(const Kernels* k, KvType type, const Shape& shape, Checks& checks) {
  Random random(shape.head_dim * 131 + shape.heads * 17 + shape.rows + shape.positions);
  Cache cache(k, type, shape.head_dim, shape.positions, random);
  const size_t stride = shape.heads * shape.head_dim + 5;
  std::vector<float> q(shape.rows * stride);
  for (float& value : q) value = random.uniform() * 3;
  std::vector<uint32_t> visible(shape.rows);
  for (size_t i = 0; i < shape.rows; ++i)
    visible[i] = static_cast<uint32_t>(shape.positions - shape.rows + i + 1);
  std::vector<float> out(q.size(), -7);
  Buffer scratch(hearth::attention_scratch_bytes());
  const float scale = 1 / std::sqrt(static_cast<float>(shape.head_dim));
  AttentionTask task = task_of(cache, shape.heads, shape.rows, visible.data());
  task.q = q.data();
  task.q_stride = stride;
  task.scale = scale;
  task.out = out.data();
  task.out_stride = stride;
  task.scratch = scratch.u8();
  k->vector.attention(task);
  const std::string detail = detail_of(type, shape);
  for (size_t i = 0; i < shape.rows; ++i) {
    for (size_t h = 0; h < shape.heads; ++h) {
      const size_t at = i * stride + h * shape.head_dim;
      const Exact exact = exact_attention(cache, &q[at], scale, {0, visible[i]});
      for (size_t c = 0; c < shape.head_dim; ++c) {
        checks.near({k->name, "attention", detail.c_str()}, out[at + c], exact.value[c],
                    exact.tolerance);
      }
    }
  }
  if (shape.rows < 3) return;
  std::vector<float> alone(q.size(), -7);  // the last two rows without the others
  const size_t skip = shape.rows - 2;
  task.rows = 2;
  task.q += skip * stride;
  task.visible += skip;
  task.out = &alone[skip * stride];
  k->vector.attention(task);
  checks.same({k->name, "attention without other rows", detail.c_str()}, &alone[skip * stride],
              &out[skip * stride], (stride + shape.heads * shape.head_dim) * 4);
}

// One row whose positions are cut in parts and merged.
void test_merge(const Kernels* k, Checks& checks) {
  constexpr size_t kDim = 64, kPositions = 300, kParts = 3;
  Random random(5);
  Cache cache(k, KvType::kF16, kDim, kPositions, random);
  std::vector<float> q(kDim);
  for (float& value : q) value = random.uniform() * 4;
  const uint32_t visible = kPositions - 40;
  std::vector<float> part(kParts * kDim);
  std::vector<float> state(kParts * 2);
  const float* parts[kParts];
  const float* states[kParts];
  Buffer scratch(hearth::attention_scratch_bytes());
  for (size_t i = 0; i < kParts; ++i) {
    parts[i] = &part[i * kDim];
    states[i] = &state[i * 2];
    AttentionTask task = task_of(cache, 1, 1, &visible);
    task.q = q.data();
    task.q_stride = kDim;
    task.positions = {i * 128, std::min((i + 1) * 128, kPositions)};
    task.scale = 0.125f;
    task.out = &part[i * kDim];
    task.out_stride = kDim;
    task.state = &state[i * 2];
    task.scratch = scratch.u8();
    k->vector.attention(task);
  }
  std::vector<float> out(kDim);
  k->vector.attention_merge({parts, states, kParts, kDim, out.data()});
  const Exact exact = exact_attention(cache, q.data(), 0.125, {0, visible});
  for (size_t c = 0; c < kDim; ++c) {
    checks.near({k->name, "attention_merge", ""}, out[c], exact.value[c], exact.tolerance);
  }
}

}  // namespace
}  // namespace hearth_test

int main() {
  using namespace hearth_test;
  constexpr Shape kShapes[] = {{64, 8, 1, 1},   {64, 8, 1, 200}, {64, 1, 1, 65},  {128, 4, 17, 130},
                               {64, 8, 33, 70}, {32, 7, 64, 64}, {96, 2, 3, 129}, {256, 1, 5, 192},
                               {512, 1, 2, 40}, {64, 3, 40, 40}};
  constexpr Shape kOdd[] = {{40, 3, 1, 90}, {80, 2, 20, 90}, {8, 4, 6, 66}, {1, 1, 4, 5}};
  Checks checks;
  for (const char* const* name = hearth::available_kernels(); *name; ++name) {
    const hearth::Kernels* k = hearth::select_kernels(*name);
    for (const hearth::KvType type :
         {hearth::KvType::kF32, hearth::KvType::kF16, hearth::KvType::kQ8_0}) {
      for (const Shape& shape : kShapes) test_shape(k, type, shape, checks);
      if (type == hearth::KvType::kQ8_0) continue;
      for (const Shape& shape : kOdd) test_shape(k, type, shape, checks);
    }
    test_merge(k, checks);
    std::printf("attention on %s: done\n", *name);
  }
  return checks.finish("attention_test");
}
