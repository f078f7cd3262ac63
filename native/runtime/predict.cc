// The active set of a block by its predictor, for blocks that are given it: the predictor's own
// stages, then one that writes bits. A chunk judges a piece of the neurons in one row.
#include <algorithm>
#include <cstring>
#include <utility>

#include "active-bits.h"
#include "build.h"
#include "ffn.h"
#include "matmul.h"

namespace hearth {

namespace {

// Whole elements of the result, and of fc2 with a rank of 1024 some 64 KB in Q8_0.
constexpr uint32_t kPiece = 64;
static_assert(kPiece % kNeuronsPerElement == 0, "pieces share no element");
// Kernels that select write whole vectors.
constexpr size_t kSpare = 16;

class PredictStage final : public Stage {
 public:
  explicit PredictStage(std::shared_ptr<FfnRun> run) : run_(std::move(run)) {}

  Phase begin(const Step& step) override {
    FfnRun& run = *run_;
    run.rows = run.op.x.rows(step);
    if (run.rows == 0) return Phase{0, false};
    run.selection->begin(run);
    pieces_ = static_cast<uint32_t>(ceil_divide(run.op.neurons, kPiece));
    const PredictorBytes bytes = run.selection->predictor_bytes();
    return Phase{pieces_ * run.rows, wakes_for(run.rows * run.op.neurons * bytes.per_candidate)};
  }

  void chunk(const Step&, uint32_t index, const Scratch& scratch) override {
    const FfnRun& run = *run_;
    const uint32_t row = index % run.rows;
    const uint32_t begin = index / run.rows * kPiece;
    const uint32_t end = std::min(begin + kPiece, run.op.neurons);
    auto* active = reinterpret_cast<uint32_t*>(scratch.floats + kPiece);
    const size_t count = run.selection->select(
        run, SelectTask{row, Range{begin, end}, scratch.floats, active, scratch});
    uint32_t bits[kPiece / kNeuronsPerElement] = {};
    for (size_t i = 0; i < count; i++) {
      const uint32_t place = active[i] - begin;
      bits[place / kNeuronsPerElement] |= 1U << place % kNeuronsPerElement;
    }
    float* out = run.op.out.row(row) + begin / kNeuronsPerElement;
    const size_t elements = ceil_divide(end - begin, kNeuronsPerElement);
    for (size_t i = 0; i < elements; i++) out[i] = static_cast<float>(bits[i]);
  }

 private:
  std::shared_ptr<FfnRun> run_;
  uint32_t pieces_ = 0;
};

}  // namespace

void build_predict(Builder& builder, Reader& reader) {
  auto run = std::make_shared<FfnRun>();
  const auto from = reader.record<PredictRecord>();
  run->op.x = builder.slot(from.x);
  run->op.out = builder.slot(from.out);
  run->op.layer = whole(from.layer);
  run->op.dim = run->op.x.width;
  run->op.neurons = whole(from.neurons);
  run->kernels = &builder.kernels();
  run->selection = read_selection(builder, reader, run->op);
  run->selection->add_stages(builder, *run);
  builder.needs().need_floats(2 * kPiece + kSpare);
  builder.needs().need_indices(kPiece);
  builder.writes(run->op.out);
  builder.add(std::make_unique<PredictStage>(std::move(run)));
}

}  // namespace hearth
