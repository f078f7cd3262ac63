// The method given: the active set lies in a slot, as a predict stage (or another device) made it.
#include "active-bits.h"
#include "build.h"
#include "ffn.h"

namespace hearth {

namespace {

class Given final : public Selection {
 public:
  Given(Slot active, size_t predictor_bytes) : active_(active), bytes_(predictor_bytes) {}

  Scores scores() const override { return Scores::kPrediction; }
  PredictorBytes predictor_bytes() const override { return {bytes_, 0}; }

  size_t list(const FfnRun& run, const SelectTask& task) override {
    const float* bits = active_.row(task.row);
    size_t count = 0;
    for (size_t i = task.candidates.begin; i < task.candidates.end; i++) {
      task.active[count] = static_cast<uint32_t>(i);
      count += is_active(bits, run.op.neuron(i)) ? 1 : 0;
    }
    return count;
  }

 private:
  Slot active_;
  size_t bytes_;
};

}  // namespace

std::unique_ptr<Selection> select_given(Builder& builder, const GivenMethodRecord& from) {
  const Slot active = builder.slot(from.active);
  return std::make_unique<Given>(active, static_cast<size_t>(from.predictor_bytes));
}

}  // namespace hearth
