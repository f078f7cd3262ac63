// See recurrent.h. A chunk is a block of channels, or of the columns of one head, for all rows of the
// step: rows of one sequence follow each other, and no block reads another.
#include "recurrent.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace hearth {

namespace {

// 16 KiB of a convolution with four taps: half of a first-level cache.
constexpr uint32_t kChannelsPerChunk = 1024;
// 16 KiB of a state with 128 keys.
constexpr uint32_t kColumnsPerChunk = 32;
// Bytes of state that are worth the pool's threads.
constexpr size_t kParallelBytes = 512 * 1024;

class ConvolveStage final : public Stage {
 public:
  ConvolveStage(const Kernels& kernels, const RecurrentStates& states, const ConvolveOp& op)
      : convolve_(kernels.vector.convolve), states_(states), op_(op) {}

  Phase begin(const Step& step) override {
    const RecurrentShape& shape = states_.shape(op_.layer);
    const auto chunks = static_cast<uint32_t>(ceil_divide(shape.channels, kChannelsPerChunk));
    const size_t bytes = 4 * (shape.inputs() + shape.channels) * step.rows;
    return Phase{step.rows == 0 ? 0 : chunks, bytes >= kParallelBytes};
  }

  void chunk(const Step& step, uint32_t index, const Scratch&) override {
    const RecurrentShape& shape = states_.shape(op_.layer);
    const uint32_t first = index * kChannelsPerChunk;
    const uint32_t count = std::min(kChannelsPerChunk, shape.channels - first);
    for (uint32_t row = 0; row < step.rows; row++) {
      float* held = states_.inputs(op_.layer, step.sequence[row]) + first;
      if (step.position[row] == 0) {
        for (uint32_t p = 0; p < shape.positions; p++) {
          std::memset(held + size_t{p} * shape.channels, 0, count * sizeof(float));
        }
      }
      convolve_(ConvolveTask{op_.weights + first, held, op_.x.row(row) + first,
                             op_.out.row(row) + first, size_t{shape.positions} + 1, shape.channels,
                             count});
    }
  }

 private:
  void (*convolve_)(const ConvolveTask&);
  const RecurrentStates& states_;
  ConvolveOp op_;
};

// log(1 + e^x)
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }

class DeltaRuleStage final : public Stage {
 public:
  DeltaRuleStage(const Kernels& kernels, const RecurrentStates& states, const DeltaRuleOp& op)
      : delta_rule_(kernels.vector.delta_rule), states_(states), op_(op) {}

  Phase begin(const Step& step) override {
    const RecurrentShape& shape = states_.shape(op_.layer);
    const size_t bytes = 4 * shape.heads * shape.matrix() * step.rows;
    return Phase{step.rows == 0 ? 0 : shape.heads * blocks(), bytes >= kParallelBytes};
  }

  void chunk(const Step& step, uint32_t index, const Scratch&) override {
    const RecurrentShape& shape = states_.shape(op_.layer);
    const uint32_t head = index / blocks();
    const uint32_t first = index % blocks() * kColumnsPerChunk;
    const uint32_t count = std::min(kColumnsPerChunk, shape.columns - first);
    const size_t key = size_t{head / op_.key_run % op_.key_heads} * shape.rows;
    const size_t keys = size_t{op_.key_heads} * shape.rows;
    const size_t value = size_t{head} * shape.columns + first;
    for (uint32_t row = 0; row < step.rows; row++) {
      float* state = states_.matrix(op_.layer, step.sequence[row], head) + first;
      if (step.position[row] == 0) {
        for (uint32_t i = 0; i < shape.rows; i++) {
          std::memset(state + size_t{i} * shape.columns, 0, count * sizeof(float));
        }
      }
      const float* x = op_.x.row(row);
      const double gate = double{op_.decay.row(row)[head]} + op_.bias[head];
      const double decay = std::exp(op_.rate[head] * softplus(gate));
      const double strength = 1 / (1 + std::exp(-double{op_.strength.row(row)[head]}));
      delta_rule_(DeltaTask{state, shape.rows, shape.columns, count, x + key, x + keys + key,
                            x + 2 * keys + value, static_cast<float>(decay),
                            static_cast<float>(strength), op_.epsilon, op_.out.row(row) + value});
    }
  }

 private:
  uint32_t blocks() const {
    return static_cast<uint32_t>(ceil_divide(states_.shape(op_.layer).columns, kColumnsPerChunk));
  }

  void (*delta_rule_)(const DeltaTask&);
  const RecurrentStates& states_;
  DeltaRuleOp op_;
};

}  // namespace

RecurrentStates::RecurrentStates(const std::vector<RecurrentShape>& layers) : layers_(layers) {
  for (const RecurrentShape& layer : layers_) {
    const size_t floats = layer.states * layer.floats();
    data_.push_back(floats == 0 ? nullptr : arena_.array<float>(floats));
  }
}

float* RecurrentStates::inputs(uint32_t layer, size_t state) const {
  return data_[layer] + state * layers_[layer].floats();
}

float* RecurrentStates::matrix(uint32_t layer, size_t state, uint32_t head) const {
  const RecurrentShape& shape = layers_[layer];
  return inputs(layer, state) + shape.inputs() + head * shape.matrix();
}

void RecurrentStates::copy(size_t from, size_t to) {
  if (from == to) return;
  for (uint32_t layer = 0; layer < layers_.size(); layer++) {
    const size_t bytes = layers_[layer].floats() * sizeof(float);
    if (layers_[layer].states == 0) continue;
    std::memcpy(inputs(layer, to), inputs(layer, from), bytes);
  }
}

std::unique_ptr<Stage> make_convolve(const Kernels& kernels, const RecurrentStates& states,
                                     const ConvolveOp& op) {
  return std::make_unique<ConvolveStage>(kernels, states, op);
}
std::unique_ptr<Stage> make_delta_rule(const Kernels& kernels, const RecurrentStates& states,
                                       const DeltaRuleOp& op) {
  return std::make_unique<DeltaRuleStage>(kernels, states, op);
}

}  // namespace hearth
