// The active neurons of few rows: h by gathered dot products, the output by axpy into private sums
// of fixed groups of the active list, added in order. See ffn.h.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "ffn.h"
#include "matmul.h"

namespace hearth {

namespace {

// Neurons per group where there are enough: each group starts three times with rows that nothing
// prefetched.
constexpr uint32_t kWishedNeurons = 64;

class ActiveStage final : public Stage {
 public:
  explicit ActiveStage(std::shared_ptr<FfnRun> run) : run_(std::move(run)) {}

  Phase begin(const Step&) override {
    FfnRun& run = *run_;
    if (run.way != Way::kSparse) return Phase{0, false};
    if (run.selection->scores() == Scores::kPrediction) {
      const auto passed = std::chrono::steady_clock::now() - run.started;
      run.predictor_ms = std::chrono::duration<double, std::milli>(passed).count();
    }
    size_t active = 0;
    for (uint32_t row = 0; row < run.rows; row++) {
      join(row);
      active += run.active_count[row];
      if (!run.op.down_rows) {
        std::memset(run.h.row(row), 0, run.h.width * sizeof(float));
      }
    }
    run.active_cuts.assign(run.active_count.data(), run.rows, kWishedNeurons);
    const size_t row_bytes = run.op.up.matrix.row_bytes * 3;
    return Phase{run.active_cuts.chunks(), wakes_for(active * row_bytes)};
  }

  void chunk(const Step&, uint32_t index, const Scratch& scratch) override {
    const FfnRun& run = *run_;
    const FfnOp& op = run.op;
    const ListCuts::Group group = run.active_cuts.group(index);
    if (group.count == 0) return;
    const uint32_t row = group.row;
    size_t count = group.count;
    const uint32_t* candidates = active_list(row) + group.begin;
    uint32_t* ids = scratch.indices;
    for (size_t i = 0; i < count; i++) ids[i] = static_cast<uint32_t>(op.neuron(candidates[i]));
    float* h = scratch.floats;
    float* spare = scratch.floats + round_up(group.count, 16);
    if (run.gate_first()) {
      count = hidden_of_open_gates(row, ids, count, h, spare);
    } else {
      hidden(row, candidates, RowList{ids, count}, h, spare);
    }
    if (op.down_rows) {
      // The method dense reads all neurons: the others are measured against it, and its meter
      // counts them.
      const size_t kept = takes_all() ? count : compact(h, ids, count);
      if (op.hidden_norm != nullptr) weigh(RowList{ids, kept}, h, group.sum);
      sum_rows(op.down, RowList{ids, kept}, h,
               run.sums->data + static_cast<size_t>(group.sum) * op.dim);
      return;
    }
    float* out = run.h.row(row);
    for (size_t i = 0; i < count; i++) out[ids[i]] = h[i];
  }

 private:
  bool takes_all() const { return run_->selection->scores() == Scores::kNone; }

  uint32_t* active_list(uint32_t row) const {
    return run_->scratch->active + static_cast<size_t>(row) * (run_->op.neurons + 16);
  }

  // Writes the row's pieces behind one another: rising, since the pieces are.
  void join(uint32_t row) const {
    FfnRun& run = *run_;
    uint32_t* list = active_list(row);
    if (takes_all()) {
      run.active_count[row] = run.op.candidates();
      for (uint32_t i = 0; i < run.op.candidates(); i++) list[i] = i;
      return;
    }
    const uint32_t* pieces = run.scratch->selected + row * run.scratch->selection_stride;
    uint32_t total = 0;
    for (uint32_t piece = 0; piece < run.selecting_chunks; piece++) {
      const uint32_t count = run.selected_count[row * run.selecting_chunks + piece];
      std::memcpy(list + total, pieces + static_cast<size_t>(piece) * (run.selecting_size + 16),
                  count * sizeof(uint32_t));
      total += count;
    }
    run.active_count[row] = total;
  }

  // Computes h of the listed neurons; `spare` has room for a float per neuron.
  void hidden(uint32_t row, const uint32_t* candidates, RowList ids, float* h, float* spare) const {
    const FfnRun& run = *run_;
    const FfnOp& op = run.op;
    const float* scores = run.scratch->scores + static_cast<size_t>(row) * op.neurons;
    const Scores scored = run.selection->scores();
    if (scored == Scores::kHidden || (scored == Scores::kGate && !op.gated())) {
      for (size_t i = 0; i < ids.count; i++) h[i] = scores[candidates[i]];
      return;
    }
    dots(op.up, run.x_up.row(row), ids, h);
    add_bias(op.up_bias, ids, h);
    const auto activate = run.kernels->vector.activate;
    if (scored == Scores::kGate) {
      // The score is act(g) already.
      if (op.gating == Gating::kBoth) {
        activate(ActivateTask{Gating::kUngated, op.activation, op.activation_threshold, nullptr, h,
                              h, ids.count});
      }
      for (size_t i = 0; i < ids.count; i++) h[i] *= scores[candidates[i]];
      return;
    }
    if (op.gated()) {
      dots(op.gate, run.x_gate.row(row), ids, spare);
      add_bias(op.gate_bias, ids, spare);
    }
    activate(
        ActivateTask{op.gating, op.activation, op.activation_threshold, spare, h, h, ids.count});
  }

  // h of those listed neurons whose act(g) is not zero: `ids` keeps these only; returns how many.
  size_t hidden_of_open_gates(uint32_t row, uint32_t* ids, size_t count, float* h,
                              float* gate) const {
    const FfnRun& run = *run_;
    const FfnOp& op = run.op;
    const auto activate = [&](float* x) {
      run.kernels->vector.activate(ActivateTask{Gating::kUngated, op.activation,
                                                op.activation_threshold, nullptr, x, x, count});
    };
    dots(op.gate, run.x_gate.row(row), RowList{ids, count}, gate);
    add_bias(op.gate_bias, RowList{ids, count}, gate);
    activate(gate);
    count = compact(gate, ids, count);
    dots(op.up, run.x_up.row(row), RowList{ids, count}, h);
    add_bias(op.up_bias, RowList{ids, count}, h);
    if (op.gating == Gating::kBoth) activate(h);
    for (size_t i = 0; i < count; i++) h[i] *= gate[i];
    return count;
  }

  // bias, by neuron: null for none.
  static void add_bias(const float* bias, RowList ids, float* y) {
    if (bias == nullptr) return;
    for (size_t i = 0; i < ids.count; i++) y[i] += bias[ids.index[i]];
  }

  void dots(const Weight& weight, const void* x, RowList ids, float* y) const {
    const FfnOp& op = run_->op;
    if (takes_all() && op.subset == nullptr) {
      // Adjacent rows, which gemv reads faster.
      const Matrix rows = weight.from(ids.index[0]);
      weight.kernels->gemv(GemvTask{rows, x, Range{0, ids.count}, y, nullptr});
    } else {
      weight.kernels->gather_dot(weight.matrix, x, ids, y);
    }
  }

  // A norm's weights are applied before down, its scale to the sum behind it (ReduceStage): the
  // scale is known only once all groups have counted their squares.
  void weigh(RowList ids, float* h, uint32_t sum) const {
    double squares = 0;
    for (size_t i = 0; i < ids.count; i++) {
      squares += static_cast<double>(h[i]) * h[i];
      h[i] *= run_->op.hidden_norm[ids.index[i]];
    }
    run_->active_squares[sum] = static_cast<float>(squares);
  }

  // Drops neurons whose h (or gate) is zero: no more of their weights need be read. Returns the
  // number that is left.
  static size_t compact(float* h, uint32_t* ids, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
      h[kept] = h[i];
      ids[kept] = ids[i];
      kept += h[i] != 0 ? 1 : 0;
    }
    return kept;
  }

  std::shared_ptr<FfnRun> run_;
};

class ReduceStage final : public JoinStage {
 public:
  explicit ReduceStage(std::shared_ptr<FfnRun> run) : run_(std::move(run)) {}

 protected:
  const ListCuts* cuts() const override {
    return run_->way == Way::kSparse ? &run_->active_cuts : nullptr;
  }
  size_t width() const override { return run_->op.dim; }

  void join(uint32_t row, Range columns) const override {
    const FfnRun& run = *run_;
    const FfnOp& op = run.op;
    const size_t count = columns.end - columns.begin;
    const VectorKernels& vector = run.kernels->vector;
    const ListCuts& lists = run.active_cuts;
    float* sums = run.sums->data + size_t{lists.first_sum(row)} * op.dim + columns.begin;
    join_sums(vector, lists.of(row).groups, op.dim, count, sums);
    if (op.hidden_norm != nullptr) vector.scale(hidden_scale(row), count, sums);
    if (op.down_bias != nullptr) vector.add(op.down_bias + columns.begin, count, sums);
    float* out = op.out.row(row) + columns.begin;
    if (op.adds) {
      vector.add(sums, count, out);
    } else {
      std::memcpy(out, sums, count * sizeof(float));
    }
  }

 private:
  // 1/√(Σh²/neurons + ε), in the order of the groups.
  float hidden_scale(uint32_t row) const {
    const FfnRun& run = *run_;
    const uint32_t first = run.active_cuts.first_sum(row);
    double squares = 0;
    for (uint32_t i = 0; i < run.active_cuts.of(row).groups; i++) {
      squares += run.active_squares[first + i];
    }
    return static_cast<float>(1 / std::sqrt(squares / run.op.neurons + run.op.hidden_epsilon));
  }

  std::shared_ptr<FfnRun> run_;
};

}  // namespace

std::unique_ptr<Stage> make_ffn_active(std::shared_ptr<FfnRun> run, ScratchNeeds& needs) {
  run->active_count.resize(kMaxSparseRows);
  if (run->op.hidden_norm != nullptr) {
    run->active_squares.resize(size_t{kMaxSparseRows} * (kMaxGroups + 1));
  }
  // Shorter lists may have larger groups, up to the wished size.
  const uint32_t size =
      std::max(kWishedNeurons, cut_list(run->op.candidates(), kWishedNeurons).size);
  needs.need_floats(2 * round_up(size, 16));
  needs.need_indices(size);
  return std::make_unique<ActiveStage>(std::move(run));
}

std::unique_ptr<Stage> make_ffn_reduce(std::shared_ptr<FfnRun> run) {
  return std::make_unique<ReduceStage>(std::move(run));
}

}  // namespace hearth
