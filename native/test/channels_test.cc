// Sums over listed rows of a matrix: every entry of a list in one group, and products over channels
// against double precision, in memory of the size that they ask for.
#include "runtime/channels.h"

#include "weights.h"

namespace {

using namespace hearth_test;
using hearth::ChannelLists;
using hearth::ChannelProducts;
using hearth::Kernels;
using hearth::ListCuts;
using hearth::Range;
using hearth::SharedSums;
using hearth::Step;

constexpr uint32_t kWished = 128;

void test_cuts(Checks& checks) {
  Random random(3);
  const uint32_t fixed[] = {0, 1, 31, 32, 33, 128, 512, 513, 4096, 4097, 131072};
  for (size_t round = 0; round < 200; ++round) {
    const uint32_t rows = 1 + static_cast<uint32_t>(random.below(hearth::kMaxSparseRows));
    uint32_t counts[hearth::kMaxSparseRows];
    uint32_t total = 0;
    for (uint32_t row = 0; row < rows; ++row) {
      counts[row] =
          round < 11 ? fixed[(round + row) % 11] : static_cast<uint32_t>(random.below(9000));
      total += counts[row];
    }
    ListCuts cuts;
    cuts.assign(counts, rows, kWished);
    std::vector<std::vector<int>> seen(rows);
    for (uint32_t row = 0; row < rows; ++row) seen[row].resize(counts[row]);
    std::vector<int> written(cuts.sums());
    for (uint32_t chunk = 0; chunk < cuts.chunks(); ++chunk) {
      const ListCuts::Group group = cuts.group(chunk);
      for (uint32_t i = 0; i < group.count; ++i) ++seen[group.row].at(group.begin + i);
      if (group.count > 0) ++written.at(group.sum);
    }
    bool once = true;
    for (const auto& list : seen) {
      for (const int times : list) once = once && times == 1;
    }
    for (const int times : written) once = once && times <= 1;
    checks.near({"", "cut_list", "every entry once, every sum at most once"}, once, 1, 0);
    const double most = total / kWished + 4.0 * rows;
    checks.near({"", "cut_list", "sums in bounds"}, cuts.sums() <= most, 1, 0);
  }
}

// A slot's rows, their lists, and what a step says of them.
struct Rows {
  Rows(Random& random, uint32_t width, const std::vector<size_t>& every)
      : x(every.size() * width * sizeof(float)),
        index(every.size() * hearth::round_up(width, 16) * sizeof(uint32_t)),
        value(every.size() * hearth::round_up(width, 16) * sizeof(float)) {
    for (size_t row = 0; row < every.size(); ++row) {
      for (size_t i = 0; i < width; ++i) {
        x.f32()[row * width + i] = i % every[row] == 0 ? random.uniform() : 0.0f;
      }
    }
    lists.slot = hearth::Slot{x.f32(), width, false};
    lists.index = reinterpret_cast<uint32_t*>(index.u8());
    lists.value = value.f32();
    step.rows = static_cast<uint32_t>(every.size());
    const auto stage = hearth::make_channel_lists(&lists);
    const hearth::Phase phase = stage->begin(step);
    for (uint32_t chunk = 0; chunk < phase.chunks; ++chunk) stage->chunk(step, chunk, {});
  }
  double x_at(size_t row, size_t channel) const { return lists.slot.row(row)[channel]; }

  Buffer x, index, value;
  ChannelLists lists;
  Step step;
};

struct Shape {
  WeightType type;
  uint32_t channels;
  uint32_t outputs;
  std::vector<size_t> every;  // one number per row: its channels 0, every, 2 · every … are not zero
};

void test_products(Checks& checks, const Kernels& kernels, const Shape& shape) {
  Random random(shape.channels + shape.outputs);
  const Rows rows(random, shape.channels, shape.every);
  const size_t row_bytes = hearth::row_bytes(shape.type, shape.outputs);
  Buffer copy(shape.channels * row_bytes);
  fill_weights(random, shape.type, copy.u8(), copy.size());
  hearth::Weight by_channels;
  by_channels.type = shape.type;
  by_channels.kernels = hearth::weight_kernels(&kernels, static_cast<uint32_t>(shape.type));
  by_channels.matrix = hearth::Matrix{copy.u8(), shape.outputs, row_bytes};
  by_channels.rows = shape.channels;
  // Only the size of the rows counts here: they are never read.
  hearth::Weight by_rows = by_channels;
  by_rows.matrix = hearth::Matrix{nullptr, shape.channels, shape.channels * size_t{8}};
  by_rows.rows = shape.outputs;

  SharedSums sums;
  ChannelProducts products(kernels, &rows.lists, &sums);
  products.add(by_rows, by_channels, nullptr);
  products.add(by_rows, by_channels, nullptr);
  Buffer memory(products.sum_floats(shape.every.size()) * sizeof(float));
  sums.data = memory.f32();
  const hearth::Phase phase = products.begin(rows.step);
  const Case went = {kernels.name, "channels", weight_type_name(shape.type)};
  checks.near(went, products.all_by_channels(), 1, 0);
  if (!products.all_by_channels()) return;
  for (uint32_t chunk = 0; chunk < phase.chunks; ++chunk) products.chunk(chunk);
  for (size_t row = 0; row < shape.every.size(); ++row) {
    const float* y = products.join(1, static_cast<uint32_t>(row), Range{0, shape.outputs});
    for (size_t out = 0; out < shape.outputs; out += 7) {
      double expected = 0, size = 0;
      for (size_t i = 0; i < shape.channels; i += shape.every[row]) {
        const double x = rows.x_at(row, i);
        const Weight w = weight_at(shape.type, copy.u8() + i * row_bytes, out);
        expected += x * w.value;
        size += std::fabs(x) * w.magnitude;
      }
      const double terms = static_cast<double>(shape.channels / shape.every[row]) + 4;
      checks.near(went, y[out], expected, terms * kEpsilon * size);
    }
  }
}

}  // namespace

int main() {
  Checks checks;
  test_cuts(checks);
  for (const char* const* name = hearth::available_kernels(); *name != nullptr; ++name) {
    const Kernels& kernels = *hearth::select_kernels(*name);
    for (const WeightType type :
         {WeightType::kF32, WeightType::kF16, WeightType::kQ8_0, WeightType::kQ4_0}) {
      test_products(checks, kernels, {type, 1000, 96, {2}});
      test_products(checks, kernels, {type, 600, 160, {4, 1001, 7, 3}});
      test_products(checks, kernels, {type, 1160, 32, {5, 5, 5, 5, 5, 5, 5, 5}});
      test_products(checks, kernels, {type, 520, 32, {8, 9, 10, 11, 12, 13, 14, 15}});
    }
  }
  return checks.finish("channels");
}
