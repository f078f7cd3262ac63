// The method mlp, the paper's predictor: a neuron is active if (fc2 · relu(fc1 · input))[neuron]
// reaches a threshold.
#include <utility>

#include "build.h"
#include "ffn.h"

namespace hearth {

namespace {

class Predictor final : public Selection {
 public:
  Predictor(Slot input, Weight fc1, Weight fc2, float threshold)
      : input_(input), fc1_(fc1), threshold_(threshold) {
    product_.weight = fc2;
  }

  Scores scores() const override { return Scores::kPrediction; }
  PredictorBytes predictor_bytes() const override {
    return {fc1_.bytes(), product_.weight.matrix.row_bytes};
  }
  const ScoreProduct* product() const override { return &product_; }

  // relu(fc1 · input), prepared for fc2.
  void add_stages(Builder& builder, const FfnRun& run) override {
    const auto rank = static_cast<uint32_t>(fc1_.rows);
    MatmulPart first;
    first.weight = fc1_;
    first.out = builder.shared_rows(SharedRows::kPredictor, rank, run.op.x.outputs);
    first.relu = true;
    builder.matmul(input_, first);
    product_.x = builder.prepare(first.out, product_.weight);
  }

  void score(const FfnRun& run, const SelectTask& task) override {
    candidate_dots(run.op, product_.weight, product_.x.row(task.row), task.candidates, task.scores);
  }

  size_t list(const FfnRun& run, const SelectTask& task) override {
    return run.kernels->vector.select_at_least(task.scores, task.count(), threshold_,
                                               static_cast<uint32_t>(task.candidates.begin),
                                               task.active);
  }

 private:
  Slot input_;
  Weight fc1_;
  ScoreProduct product_;
  float threshold_;
};

}  // namespace

std::unique_ptr<Selection> select_predicted(Builder& builder, const MlpMethodRecord& from) {
  const Slot input = builder.slot(from.input);
  const Weight fc1 = builder.weight(from.fc1);
  const Weight fc2 = builder.weight(from.fc2);
  const auto threshold = static_cast<float>(from.threshold);
  return std::make_unique<Predictor>(input, fc1, fc2, threshold);
}

}  // namespace hearth
