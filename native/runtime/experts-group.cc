// The order of a step's pairs, and what an op's run is measured by. See experts.h.
#include <algorithm>
#include <cstring>
#include <utility>

#include "../system/page-stream.h"
#include "experts.h"

namespace hearth {

namespace {

// Inputs that a chunk copies: 64 rows of some KB are some us.
constexpr uint32_t kPairsPerChunk = 64;

class GroupStage final : public Stage {
 public:
  explicit GroupStage(std::shared_ptr<ExpertsRun> run) : run_(std::move(run)) {}

  Phase begin(const Step& step) override {
    ExpertsRun& run = *run_;
    run.started = std::chrono::steady_clock::now();
    run.rows = run.op.out.rows(step);
    run.up_rows.store(0, std::memory_order_relaxed);
    mark_computed(run);
    order_pairs(run);
    if (*run.is_memory_scarce) read_ahead(run);
    const ExpertsOp& op = run.op;
    const size_t enough = std::min(op.up.weight.kernels->gemm_tokens,
                                   op.gated() ? op.gate.weight.kernels->gemm_tokens : SIZE_MAX);
    run.gathered = most_pairs(run) >= enough;
    if (!run.gathered) return Phase{0, false};
    return Phase{static_cast<uint32_t>(ceil_divide(run.pairs, kPairsPerChunk)), false};
  }

  void chunk(const Step&, uint32_t index, const Scratch&) override {
    ExpertsRun& run = *run_;
    const uint32_t begin = index * kPairsPerChunk;
    const uint32_t end = std::min(begin + kPairsPerChunk, run.pairs);
    gather(run.x_up, begin, end);
    if (run.op.gated() && run.x_gate.gathered != run.x_up.gathered) gather(run.x_gate, begin, end);
  }

 private:
  // Anew in each step: the subset may have been replaced.
  static void mark_computed(ExpertsRun& run) {
    const ExpertsOp& op = run.op;
    std::fill(run.computed.begin(), run.computed.end(), op.subset == nullptr ? 1 : 0);
    for (uint32_t i = 0; op.subset != nullptr && i < op.subset_count; i++) {
      run.computed[op.subset[i]] = 1;
    }
  }

  // A counting sort: pairs of an expert keep the order of their rows.
  static void order_pairs(ExpertsRun& run) {
    const uint32_t used = run.op.used();
    std::fill(run.cursor.begin(), run.cursor.end(), 0);
    for (uint32_t row = 0; row < run.rows; row++) {
      const float* ids = run.op.routes.row(row);
      for (uint32_t i = 0; i < used; i++) {
        const uint32_t expert = static_cast<uint32_t>(ids[i]);
        run.cursor[expert] += run.computed[expert];
      }
    }
    run.group_count = 0;
    uint32_t begin = 0;
    for (uint32_t expert = 0; expert < run.op.count; expert++) {
      const uint32_t pairs = run.cursor[expert];
      run.cursor[expert] = begin;
      if (pairs == 0) continue;
      run.groups[run.group_count++] = ExpertGroup{expert, begin, begin + pairs};
      begin += pairs;
    }
    run.pairs = begin;
    for (uint32_t row = 0; row < run.rows; row++) {
      const float* ids = run.op.routes.row(row);
      for (uint32_t i = 0; i < used; i++) {
        const uint32_t expert = static_cast<uint32_t>(ids[i]);
        if (run.computed[expert] == 0) continue;
        const uint32_t pair = run.cursor[expert]++;
        run.row_of[pair] = row;
        run.weight_of[pair] = ids[used + i];
      }
    }
  }

  // The disk is asked for all of them at once, not page by page.
  static void read_ahead(const ExpertsRun& run) {
    const ExpertsOp& op = run.op;
    const auto ask = [](const StackedWeight& stack, uint32_t expert, size_t rows) {
      const Matrix matrix = stack.from(expert, 0);
      will_need(matrix.data, rows * matrix.row_bytes);
    };
    for (uint32_t i = 0; i < run.group_count; i++) {
      const uint32_t expert = run.groups[i].expert;
      if (op.gated()) ask(op.gate, expert, op.neurons);
      ask(op.up, expert, op.neurons);
      ask(op.down, expert, op.dim());
    }
  }

  // Of one expert.
  static uint32_t most_pairs(const ExpertsRun& run) {
    uint32_t most = 0;
    for (uint32_t i = 0; i < run.group_count; i++) most = std::max(most, run.groups[i].pairs());
    return most;
  }

  void gather(const ExpertInput& x, uint32_t begin, uint32_t end) const {
    const size_t bytes = x.rows.row_bytes;
    for (uint32_t pair = begin; pair < end; pair++) {
      std::memcpy(x.gathered + pair * bytes, x.rows.row(run_->row_of[pair]), bytes);
    }
  }

  std::shared_ptr<ExpertsRun> run_;
};

class EndStage final : public Stage {
 public:
  explicit EndStage(std::shared_ptr<ExpertsRun> run) : run_(std::move(run)) {}

  Phase begin(const Step& step) override {
    const ExpertsRun& run = *run_;
    if (run.rows == 0) return Phase{0, false};
    const ExpertsOp& op = run.op;
    const double gate = op.gated() ? static_cast<double>(op.gate.weight.matrix.row_bytes) : 0;
    const double up = static_cast<double>(op.up.weight.matrix.row_bytes);
    const double down = static_cast<double>(op.down.weight.matrix.row_bytes) * op.dim();
    const double neurons = static_cast<double>(run.group_count) * op.neurons;
    // A row that several pairs read is read once.
    const double read = static_cast<double>(run.up_rows.load(std::memory_order_relaxed));
    const double up_rows = op.gate_decides() && !run.gathered ? std::min(read, neurons) : neurons;
    const auto time = std::chrono::steady_clock::now() - run.started;
    FfnCounts counts;
    counts.rows = run.rows;
    counts.active = static_cast<double>(run.pairs) * op.neurons;
    counts.bytes_touched = neurons * gate + up_rows * up + run.group_count * down;
    counts.ms = std::chrono::duration<double, std::milli>(time).count();
    run.meter->add(counts);
    const uint32_t shown = op.out.shown(step);
    if (shown < run.rows) show(run, shown);
    return Phase{0, false};
  }

 private:
  static void show(const ExpertsRun& run, uint32_t row) {
    const float* ids = run.op.routes.row(row);
    std::vector<uint32_t> chosen(ids, ids + run.op.used());
    std::sort(chosen.begin(), chosen.end());
    run.meter->shown.show(std::move(chosen));
  }

  std::shared_ptr<ExpertsRun> run_;
};

}  // namespace

std::unique_ptr<Stage> make_experts_group(std::shared_ptr<ExpertsRun> run) {
  return std::make_unique<GroupStage>(std::move(run));
}

std::unique_ptr<Stage> make_experts_end(std::shared_ptr<ExpertsRun> run) {
  return std::make_unique<EndStage>(std::move(run));
}

}  // namespace hearth
