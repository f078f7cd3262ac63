// The clock and the counts of a feed-forward block, and the choice of its way. See ffn.h.
#include <algorithm>
#include <utility>

#include "ffn.h"

namespace hearth {

namespace {

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

Way way_of(const FfnRun& run) {
  const bool is_few = run.rows <= kMaxSparseRows;
  if (run.selection->scores() != Scores::kNone) return is_few ? Way::kSparse : Way::kTiled;
  // One row against a transposed down is a list of all neurons; several are a matrix product.
  const bool lists = is_few && (run.op.subset != nullptr || (run.op.down_rows && run.rows == 1));
  return lists ? Way::kSparse : Way::kDense;
}

class StartStage final : public Stage {
 public:
  explicit StartStage(std::shared_ptr<FfnRun> run) : run_(std::move(run)) {}

  Phase begin(const Step& step) override {
    run_->rows = run_->op.x.rows(step);
    run_->way = way_of(*run_);
    run_->predictor_ms = 0;
    run_->started = std::chrono::steady_clock::now();
    return Phase{0, false};
  }

 private:
  std::shared_ptr<FfnRun> run_;
};

// Bytes of the parts of a block: predictor and scores for all candidates, per neuron for the rest.
struct BlockBytes {
  double predictor = 0;
  double gate = 0;  // a neuron
  double up = 0;
  double down = 0;
};

BlockBytes bytes_of(const FfnRun& run) {
  const FfnOp& op = run.op;
  BlockBytes bytes;
  bytes.gate = op.gated() ? static_cast<double>(op.gate.matrix.row_bytes) : 0;
  bytes.up = static_cast<double>(op.up.matrix.row_bytes);
  bytes.down = static_cast<double>(op.down.bytes()) / op.neurons;
  const PredictorBytes predictor = run.selection->predictor_bytes();
  bytes.predictor = static_cast<double>(predictor.fixed) +
                    static_cast<double>(op.candidates()) * predictor.per_candidate;
  return bytes;
}

// Bytes of gate and up for all candidates: of their rows, or of the channels that were read
// instead.
double hidden_bytes(const FfnRun& run, double gate_rows, double up_rows) {
  const ChannelProducts* channels = run.channels.get();
  if (channels == nullptr) return gate_rows + up_rows;
  const size_t up = run.op.gated() ? 1 : 0;
  const double gate = run.op.gated() && channels->by_channels(0) ? channels->bytes(0) : gate_rows;
  return gate + (channels->by_channels(up) ? channels->bytes(up) : up_rows);
}

// Bytes that a step of the sparse way read, with `active` neurons in all its rows together.
double sparse_bytes(const FfnRun& run, double active) {
  const FfnOp& op = run.op;
  const double rows = run.rows;
  const BlockBytes bytes = bytes_of(run);
  const double all = rows * op.candidates();
  double dots = 0;
  switch (run.selection->scores()) {
    case Scores::kNone:
    case Scores::kPrediction:
      dots = active * (bytes.gate + bytes.up);
      break;
    case Scores::kGate:
      dots = op.gated() ? all * bytes.gate + active * bytes.up : all * bytes.up;
      break;
    case Scores::kHidden:
      dots = hidden_bytes(run, all * bytes.gate, all * bytes.up);
      break;
  }
  const double down = op.down_rows ? active * bytes.down : static_cast<double>(op.down.bytes());
  return rows * bytes.predictor + dots + down;
}

double dense_bytes(const FfnRun& run) {
  const FfnOp& op = run.op;
  const BlockBytes bytes = bytes_of(run);
  return bytes.predictor + op.candidates() * (bytes.gate + bytes.up) +
         static_cast<double>(op.down.bytes());
}

class EndStage final : public Stage {
 public:
  explicit EndStage(std::shared_ptr<FfnRun> run) : run_(std::move(run)) {}

  Phase begin(const Step& step) override {
    const FfnRun& run = *run_;
    if (run.rows == 0) return Phase{0, false};
    const uint32_t watched = std::min(step.watched, run.rows);
    const bool is_sparse = run.way == Way::kSparse;
    if (is_sparse && watched > 0) {
      run.meter->count_neurons(run.scratch->active, size_t{run.op.neurons} + 16,
                               run.active_count.data(), watched);
    }
    const uint32_t shown = run.op.x.shown(step);
    const bool selects = is_sparse && run.selection->scores() != Scores::kNone;
    if (selects && shown < run.rows) show(run, shown);
    FfnCounts counts;
    counts.rows = run.rows;
    counts.predictor_ms = run.predictor_ms;
    counts.ms = milliseconds_since(run.started);
    if (is_sparse) {
      for (uint32_t row = 0; row < run.rows; row++) counts.active += run.active_count[row];
      counts.bytes_touched = sparse_bytes(run, counts.active);
    } else {
      const bool is_tiled = run.way == Way::kTiled;
      const uint64_t in_tiles = run.active_in_tiles.load(std::memory_order_relaxed);
      const double all = static_cast<double>(run.rows) * run.op.candidates();
      counts.active = is_tiled ? static_cast<double>(in_tiles) : all;
      counts.bytes_touched = dense_bytes(run);
    }
    run.meter->add(counts);
    return Phase{0, false};
  }

 private:
  static void show(const FfnRun& run, uint32_t row) {
    const uint32_t* list = run.scratch->active + row * (size_t{run.op.neurons} + 16);
    std::vector<uint32_t> ids(list, list + run.active_count[row]);
    for (uint32_t& id : ids) id = static_cast<uint32_t>(run.op.neuron(id));
    run.meter->shown.show(std::move(ids));
  }

  std::shared_ptr<FfnRun> run_;
};

}  // namespace

void FfnMeter::count_neurons(const uint32_t* lists, size_t stride, const uint32_t* lengths,
                             uint32_t rows) {
  std::lock_guard<std::mutex> lock(neurons_mutex_);
  if (neurons_.active.empty()) return;
  neurons_.rows += rows;
  for (uint32_t row = 0; row < rows; row++) {
    const uint32_t* list = lists + row * stride;
    for (uint32_t i = 0; i < lengths[row]; i++) neurons_.active[list[i]]++;
  }
}

NeuronCounts FfnMeter::take_neurons() {
  NeuronCounts fresh;
  fresh.active.resize(candidates_);
  std::lock_guard<std::mutex> lock(neurons_mutex_);
  std::swap(fresh, neurons_);
  return fresh;
}

std::unique_ptr<Stage> make_ffn_start(std::shared_ptr<FfnRun> run) {
  return std::make_unique<StartStage>(std::move(run));
}

std::unique_ptr<Stage> make_ffn_end(std::shared_ptr<FfnRun> run) {
  return std::make_unique<EndStage>(std::move(run));
}

}  // namespace hearth
