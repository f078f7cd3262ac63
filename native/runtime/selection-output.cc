// The method threshold-output: a neuron is active if |h| times the norm of its down row reaches a
// threshold. h is computed for all candidates; what is saved is down.
#include <cmath>
#include <cstring>

#include "build.h"
#include "ffn.h"

namespace hearth {

namespace {

class LargeOutputs final : public Selection {
 public:
  LargeOutputs(float least, const float* down_norms) : least_(least), down_norms_(down_norms) {}

  Scores scores() const override { return Scores::kHidden; }

  void score(const FfnRun& run, const SelectTask& task) override { hidden(run, task); }

  size_t list(const FfnRun& run, const SelectTask& task) override {
    const FfnOp& op = run.op;
    const auto [begin, end] = task.candidates;
    float* weighted = task.scratch.floats;
    for (size_t i = begin; i < end; i++) {
      weighted[i - begin] = task.scores[i - begin] * down_norms_[op.neuron(i)];
    }
    return run.kernels->vector.select_magnitude(weighted, task.count(), least_,
                                                static_cast<uint32_t>(begin), task.active);
  }

 private:
  // h of the task's candidates, into its scores.
  static void hidden(const FfnRun& run, const SelectTask& task) {
    const FfnOp& op = run.op;
    float* gate = task.scratch.floats;
    size_t product = 0;
    if (op.gated() && !joined(run, product++, task, gate)) {
      candidate_dots(op, op.gate, run.x_gate.row(task.row), task.candidates, gate);
    }
    if (!joined(run, product, task, task.scores)) {
      candidate_dots(op, op.up, run.x_up.row(task.row), task.candidates, task.scores);
    }
    if (op.gated()) add_bias(op, op.gate_bias, task.candidates, gate);
    add_bias(op, op.up_bias, task.candidates, task.scores);
    run.kernels->vector.activate(ActivateTask{op.gating, op.activation, op.activation_threshold,
                                              gate, task.scores, task.scores, task.count()});
  }

  // Copies y of the candidates and returns true if the step's product went by channels.
  static bool joined(const FfnRun& run, size_t product, const SelectTask& task, float* y) {
    const ChannelProducts* channels = run.channels.get();
    if (channels == nullptr || !channels->by_channels(product)) return false;
    const float* sums = channels->join(product, task.row, task.candidates);
    std::memcpy(y, sums, task.count() * sizeof(float));
    return true;
  }

  float least_;
  const float* down_norms_;  // [neurons]
};

}  // namespace

std::unique_ptr<Selection> select_large_outputs(Builder& builder,
                                                const ThresholdOutputMethodRecord& from,
                                                const FfnOp& op) {
  const auto least = static_cast<float>(from.value);
  return std::make_unique<LargeOutputs>(least,
                                        builder.optional_array<float>(from.norms, op.neurons));
}

}  // namespace hearth
