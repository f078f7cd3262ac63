// The methods gate and threshold-gate: a neuron is active if act(gate), or act(up) of an ungated
// block, is not zero, or if its magnitude reaches a threshold.
#include "build.h"
#include "ffn.h"

namespace hearth {

namespace {

class Gates final : public Selection {
 public:
  // least: the smallest magnitude of an active neuron.
  explicit Gates(float least) : least_(least) {}

  Scores scores() const override { return Scores::kGate; }

  void score(const FfnRun& run, const SelectTask& task) override {
    const FfnOp& op = run.op;
    const bool gated = op.gated();
    const void* x = (gated ? run.x_gate : run.x_up).row(task.row);
    candidate_dots(op, gated ? op.gate : op.up, x, task.candidates, task.scores);
    add_bias(op, gated ? op.gate_bias : op.up_bias, task.candidates, task.scores);
    run.kernels->vector.activate(ActivateTask{Gating::kUngated, op.activation,
                                              op.activation_threshold, nullptr, task.scores,
                                              task.scores, task.count()});
  }

  size_t list(const FfnRun& run, const SelectTask& task) override {
    return run.kernels->vector.select_magnitude(task.scores, task.count(), least_,
                                                static_cast<uint32_t>(task.candidates.begin),
                                                task.active);
  }

 private:
  float least_;
};

}  // namespace

std::unique_ptr<Selection> select_open_gates() { return std::make_unique<Gates>(kNotZero); }

std::unique_ptr<Selection> select_large_gates(const ThresholdGateMethodRecord& from) {
  return std::make_unique<Gates>(static_cast<float>(from.value));
}

}  // namespace hearth
