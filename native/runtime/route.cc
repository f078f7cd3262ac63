// See route.h.
#include "route.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace hearth {

namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
// The smallest normal f16, as in llama.cpp: a sum of weights below it does not divide them.
constexpr float kLeastSum = 6.103515625e-5f;
// A row takes about 2 us: up to this many a phase of chunks costs more.
constexpr uint32_t kSerialRows = 4;
constexpr uint32_t kRowsPerChunk = 16;

// The best of a row so far, the highest first, the lower id first on a tie.
struct Best {
  float* ids;
  uint32_t room;
  uint32_t count = 0;

  // Ids come in rising order.
  void offer(uint32_t id, const float* choice) {
    if (count == room && !(choice[id] > choice[last()])) return;
    uint32_t place = count < room ? count++ : room - 1;
    while (place > 0 && choice[id] > choice[static_cast<uint32_t>(ids[place - 1])]) {
      ids[place] = ids[place - 1];
      place--;
    }
    ids[place] = static_cast<float>(id);
  }

  uint32_t last() const { return static_cast<uint32_t>(ids[count - 1]); }
};

class RouteStage final : public Stage {
 public:
  RouteStage(const Kernels& kernels, const RouteOp& op)
      : vector_(kernels.vector), op_(op), memory_(scratch_floats(op)) {}

  static size_t scratch_floats(const RouteOp& op) {
    return 2 * size_t{op.experts()} + 2 * size_t{op.groups};
  }

  Phase begin(const Step& step) override {
    const uint32_t rows = op_.out.rows(step);
    if (rows > kSerialRows) {
      return Phase{static_cast<uint32_t>(ceil_divide(rows, kRowsPerChunk)), false};
    }
    for (uint32_t row = 0; row < rows; row++) run_row(row, memory_.data());
    return Phase{0, false};
  }

  void chunk(const Step& step, uint32_t index, const Scratch& scratch) override {
    const uint32_t begin = index * kRowsPerChunk;
    const uint32_t end = std::min(begin + kRowsPerChunk, op_.out.rows(step));
    for (uint32_t row = begin; row < end; row++) run_row(row, scratch.floats);
  }

 private:
  void run_row(uint32_t row, float* memory) const {
    const uint32_t experts = op_.experts();
    const uint32_t used = op_.used();
    float* ids = op_.out.row(row);
    float* weights = ids + used;
    float* scores = memory;
    float* choice = scores + experts;
    score(op_.x.row(row), scores);
    judge(op_.x.row(row), scores, choice);
    // The sigmoid's kernel does not keep NaN: of the logits, too.
    if (has_nan(op_.x.row(row)) || has_nan(choice)) {
      for (uint32_t i = 0; i < used; i++) ids[i] = static_cast<float>(i);
      std::fill(weights, weights + used, kNaN);
      return;
    }
    choose(choice, choice + experts, ids);
    for (uint32_t i = 0; i < used; i++) weights[i] = scores[static_cast<uint32_t>(ids[i])];
    weigh(ids, weights);
  }

  // Of values of the experts.
  bool has_nan(const float* x) const {
    return std::any_of(x, x + op_.experts(), [](float value) { return std::isnan(value); });
  }

  // Not a number where softmax has a logit that is none, or an infinite one.
  void score(const float* logits, float* scores) const {
    const uint32_t experts = op_.experts();
    std::memcpy(scores, logits, experts * sizeof(float));
    if (op_.scores == RouterScores::kSoftmax) {
      softmax(scores, experts);
    } else if (op_.scores == RouterScores::kSigmoid) {
      vector_.activate(ActivateTask{Gating::kUngated, Activation::kSigmoid, 0, nullptr, scores,
                                    scores, experts});
    }
  }

  // The kernel does not keep NaN.
  void softmax(float* x, size_t count) const {
    bool finite = true;
    float most = -kInfinity;
    for (size_t i = 0; i < count; i++) {
      finite = finite && !std::isnan(x[i]);
      most = std::max(most, x[i]);
    }
    if (finite && std::isfinite(most)) {
      vector_.softmax(x, count);
    } else {
      std::fill(x, x + count, kNaN);
    }
  }

  // What experts are compared by. Scores rise with their logits: where nothing else counts, these
  // decide, without a rounding.
  void judge(const float* logits, const float* scores, float* choice) const {
    const uint32_t experts = op_.experts();
    if (op_.bias != nullptr) {
      for (uint32_t i = 0; i < experts; i++) choice[i] = scores[i] + op_.bias[i];
      return;
    }
    const bool by_logit = op_.groups == 1 && !std::isnan(scores[0]);
    std::memcpy(choice, by_logit ? logits : scores, experts * sizeof(float));
  }

  // `room` for two floats a group.
  void choose(const float* choice, float* room, float* ids) const {
    Best best{ids, op_.used()};
    if (op_.groups == 1) {
      for (uint32_t id = 0; id < op_.experts(); id++) best.offer(id, choice);
      return;
    }
    const uint32_t size = op_.experts() / op_.groups;
    float* sums = room;
    for (uint32_t group = 0; group < op_.groups; group++) {
      float first = -kInfinity;
      float second = -kInfinity;
      for (uint32_t i = group * size; i < (group + 1) * size; i++) {
        second = std::max(second, std::min(first, choice[i]));
        first = std::max(first, choice[i]);
      }
      sums[group] = first + second;
    }
    Best kept{room + op_.groups, op_.groups_used};
    for (uint32_t group = 0; group < op_.groups; group++) kept.offer(group, sums);
    std::sort(kept.ids, kept.ids + kept.count);
    for (uint32_t i = 0; i < kept.count; i++) {
      const uint32_t begin = static_cast<uint32_t>(kept.ids[i]) * size;
      for (uint32_t id = begin; id < begin + size; id++) best.offer(id, choice);
    }
  }

  void weigh(const float* ids, float* weights) const {
    const uint32_t used = op_.used();
    if (op_.scores == RouterScores::kSoftmaxOfChosen) softmax(weights, used);
    float divisor = 1;
    if (op_.normalise) {
      float sum = 0;
      for (uint32_t i = 0; i < used; i++) sum += weights[i];
      divisor = sum < kLeastSum ? kLeastSum : sum;
    }
    for (uint32_t i = 0; i < used; i++) {
      weights[i] = weights[i] / divisor * op_.scale;
      if (op_.factors != nullptr) weights[i] *= op_.factors[static_cast<uint32_t>(ids[i])];
    }
  }

  const VectorKernels& vector_;
  RouteOp op_;
  std::vector<float> memory_;
};

}  // namespace

std::unique_ptr<Stage> make_route(const Kernels& kernels, const RouteOp& op, ScratchNeeds& needs) {
  needs.need_floats(RouteStage::scratch_floats(op));
  return std::make_unique<RouteStage>(kernels, op);
}

}  // namespace hearth
