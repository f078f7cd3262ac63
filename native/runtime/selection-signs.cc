// The method sign: a neuron is active if enough signs of its row agree with those of x, less a
// centre.
#include <algorithm>

#include "build.h"
#include "ffn.h"

namespace hearth {

namespace {

struct SignFields {
  const uint64_t* signs;   // [neurons, words]
  int32_t margin;          // the least score of an active neuron
  const int32_t* margins;  // [neurons], in place of margin; or null
  const float* centre;     // [dim], subtracted from x before its signs are taken; or null
};

class Signs final : public Selection {
 public:
  Signs(const SignFields& fields, size_t dim)
      : fields_(fields),
        words_(sign_words(dim)),
        x_(kMaxSparseRows * words_),
        centred_(fields.centre == nullptr ? 0 : dim) {}

  Scores scores() const override { return Scores::kPrediction; }
  PredictorBytes predictor_bytes() const override { return {0, words_ * sizeof(uint64_t)}; }

  void begin(const FfnRun& run) override {
    const FfnOp& op = run.op;
    x_.resize(std::max(x_.size(), run.rows * words_));
    for (uint32_t row = 0; row < run.rows; row++) {
      const float* x = op.x.row(row);
      if (fields_.centre != nullptr) {
        for (uint32_t i = 0; i < op.dim; i++) centred_[i] = x[i] - fields_.centre[i];
        x = centred_.data();
      }
      run.kernels->vector.sign_pack(x, op.dim, x_.data() + row * words_);
    }
  }

  size_t list(const FfnRun& run, const SelectTask& task) override {
    const FfnOp& op = run.op;
    const auto [begin, end] = task.candidates;
    auto* scores = reinterpret_cast<int32_t*>(task.scratch.indices);
    agreements(run, task, scores);
    if (fields_.margins != nullptr) {
      for (size_t i = begin; i < end; i++) scores[i - begin] -= fields_.margins[op.neuron(i)];
    }
    const int32_t least = fields_.margins == nullptr ? fields_.margin : 0;
    return run.kernels->vector.select_scores(scores, task.count(), least,
                                             static_cast<uint32_t>(begin), task.active);
  }

 private:
  const uint64_t* x_of(uint32_t row) const { return x_.data() + row * words_; }

  // Signs of each candidate's row that agree with x, less those that do not.
  void agreements(const FfnRun& run, const SelectTask& task, int32_t* out) const {
    const FfnOp& op = run.op;
    const auto [begin, end] = task.candidates;
    const auto sign_scores = run.kernels->vector.sign_scores;
    const uint64_t* x = x_of(task.row);
    if (op.subset == nullptr) {
      sign_scores(fields_.signs + begin * words_, op.dim, x, Range{0, end - begin}, out);
      return;
    }
    for (size_t i = begin; i < end; i++) {
      sign_scores(fields_.signs + op.subset[i] * words_, op.dim, x, Range{0, 1}, out + i - begin);
    }
  }

  SignFields fields_;
  size_t words_;
  std::vector<uint64_t> x_;     // [rows, words]: signs of x − centre
  std::vector<float> centred_;  // [dim], of the row at hand
};

}  // namespace

std::unique_ptr<Selection> select_by_signs(Builder& builder, const SignMethodRecord& from,
                                           const FfnOp& op) {
  SignFields fields{};
  fields.signs = builder.optional_array<uint64_t>(from.signs, op.neurons * sign_words(op.dim));
  fields.margin = static_cast<int32_t>(from.margin);
  fields.margins = builder.optional_array<int32_t>(from.margins, op.neurons);
  fields.centre = builder.optional_array<float>(from.centre, op.dim);
  return std::make_unique<Signs>(fields, op.dim);
}

}  // namespace hearth
