// The methods gate and threshold-gate: a neuron is active if act(gate), or act(up) of an ungated
// block, is not zero, or if its magnitude reaches a threshold.
#include <cmath>

#include "build.h"
#include "ffn.h"

namespace hearth {

namespace {

class Gates : public Selection {
 public:
  // least: the smallest magnitude of an active neuron.
  explicit Gates(float least) : least_(least) {}

  Scores scores() const final { return Scores::kGate; }

  size_t select(const FfnRun& run, const SelectTask& task) final {
    const FfnOp& op = run.op;
    const bool gated = op.gated();
    const void* x = (gated ? run.x_gate : run.x_up).row(task.row);
    candidate_dots(op, gated ? op.gate : op.up, x, task.candidates, task.scores);
    add_bias(op, gated ? op.gate_bias : op.up_bias, task.candidates, task.scores);
    const VectorKernels& vector = run.kernels->vector;
    vector.activate(ActivateTask{Gating::kUngated, op.activation, op.activation_threshold, nullptr,
                                 task.scores, task.scores, task.count()});
    return vector.select_magnitude(task.scores, task.count(), least_,
                                   static_cast<uint32_t>(task.candidates.begin), task.active);
  }

 protected:
  float least() const { return least_; }
  static const float* activated(const FfnRun& run, const MaskTask& task) {
    return run.op.gated() ? task.scores : task.h;
  }

 private:
  float least_;
};

class OpenGates final : public Gates {
 public:
  OpenGates() : Gates(kNotZero) {}
  size_t mask(const FfnRun& run, const MaskTask& task) override {
    const float* gates = activated(run, task);
    return keep(task, [gates](size_t i) { return gates[i] != 0; });
  }
};

class LargeGates final : public Gates {
 public:
  using Gates::Gates;
  size_t mask(const FfnRun& run, const MaskTask& task) override {
    const float* gates = activated(run, task);
    return keep(task, [this, gates](size_t i) { return std::fabs(gates[i]) >= least(); });
  }
};

}  // namespace

std::unique_ptr<Selection> select_open_gates() { return std::make_unique<OpenGates>(); }

std::unique_ptr<Selection> select_large_gates(const ThresholdGateMethodRecord& from) {
  return std::make_unique<LargeGates>(static_cast<float>(from.value));
}

}  // namespace hearth
