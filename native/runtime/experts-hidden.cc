// h of every pair, and its form for down: the thread that ends the last chunk of an expert makes it,
// while others go on with other experts. See experts.h.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>
#include <vector>

#include "experts.h"
#include "matmul.h"

namespace hearth {

namespace {

// y[i, r] = W[begin + r, :] · x_i for the pairs of one expert; y [pairs, stride].
struct ExpertProduct {
  const StackedWeight& stack;
  const ExpertInput& x;
  ExpertGroup group;
  Range rows;  // of the expert's matrix
  float* y;
  size_t stride;
};

class HiddenStage final : public Stage {
 public:
  explicit HiddenStage(std::shared_ptr<ExpertsRun> run)
      : run_(std::move(run)), unfinished_(run_->op.count) {
    const ExpertsOp& op = run_->op;
    vector_tile_ = rows_per_vector_chunk(
        op.neurons, op.up.weight.matrix.row_bytes + op.gate.weight.matrix.row_bytes);
  }

  // Per thread: products of up and of gate.
  size_t scratch_floats(size_t max_rows) const {
    return 2 * std::max<size_t>(vector_tile_, max_rows * kGemmRowTile);
  }

  Phase begin(const Step&) override {
    const ExpertsRun& run = *run_;
    const ExpertsOp& op = run.op;
    if (run.pairs == 0) return Phase{0, false};
    tile_ = run.gathered ? static_cast<uint32_t>(kGemmRowTile) : vector_tile_;
    tiles_ = static_cast<uint32_t>(ceil_divide(op.neurons, tile_));
    for (uint32_t i = 0; i < run.group_count; i++) {
      unfinished_[i].store(tiles_, std::memory_order_relaxed);
    }
    const size_t bytes = size_t{run.group_count} * op.neurons * op.up.weight.matrix.row_bytes;
    return Phase{run.group_count * tiles_, wakes_for(bytes)};
  }

  void chunk(const Step&, uint32_t index, const Scratch& scratch) override {
    const ExpertsRun& run = *run_;
    const ExpertsOp& op = run.op;
    const uint32_t at = index / tiles_;
    const ExpertGroup group = run.groups[at];
    const size_t begin = size_t{index % tiles_} * tile_;
    const Range rows{begin, std::min<size_t>(begin + tile_, op.neurons)};
    if (run.gathered) {
      hidden(group, rows, scratch);
    } else {
      // One pair after the other: the weights of a chunk stay in a cache.
      for (uint32_t pair = group.begin; pair < group.end; pair++) {
        hidden(ExpertGroup{group.expert, pair, pair + 1}, rows, scratch);
      }
    }
    // Chunks of an expert that end earlier release their h to the one that ends last.
    if (unfinished_[at].fetch_sub(1, std::memory_order_acq_rel) == 1) prepare(group);
  }

 private:
  void hidden(ExpertGroup group, Range rows, const Scratch& scratch) const {
    const ExpertsRun& run = *run_;
    const ExpertsOp& op = run.op;
    const size_t count = rows.end - rows.begin;
    float* up = scratch.floats;
    float* gate = up + group.pairs() * count;
    products(ExpertProduct{op.up, run.x_up, group, rows, up, count}, scratch);
    add_bias(op.up_bias.of(group.expert), group, rows, up);
    if (op.gated()) {
      products(ExpertProduct{op.gate, run.x_gate, group, rows, gate, count}, scratch);
      add_bias(op.gate_bias.of(group.expert), group, rows, gate);
    }
    run.kernels->vector.activate(ActivateTask{op.gating, op.activation, op.activation_threshold,
                                              op.gated() ? gate : nullptr, up, up,
                                              group.pairs() * count});
    for (uint32_t i = 0; i < group.pairs(); i++) {
      float* h = run.h + size_t{group.begin + i} * op.neurons + rows.begin;
      std::memcpy(h, up + i * count, count * sizeof(float));
    }
  }

  void products(const ExpertProduct& task, const Scratch& scratch) const {
    const ExpertsRun& run = *run_;
    const WeightKernels& kernels = *task.stack.weight.kernels;
    const Matrix matrix = task.stack.from(task.group.expert, task.rows.begin);
    const Range rows{0, task.rows.end - task.rows.begin};
    if (run.gathered && task.group.pairs() >= kernels.gemm_tokens) {
      kernels.gemm(GemmTask{matrix, task.x.of_pair(task.group.begin), task.group.pairs(), task.y,
                            task.stride, rows, scratch.gemm});
      return;
    }
    for (uint32_t i = 0; i < task.group.pairs(); i++) {
      const void* x = task.x.rows.row(run.row_of[task.group.begin + i]);
      kernels.gemv(matrix, x, rows, task.y + i * task.stride);
    }
  }

  void prepare(ExpertGroup group) const {
    const ExpertsRun& run = *run_;
    const size_t neurons = run.op.neurons;
    for (uint32_t pair = group.begin; pair < group.end; pair++) {
      run.op.down.weight.kernels->prepare_x(run.h + pair * neurons, neurons,
                                            run.prepared_h + pair * run.h_bytes);
    }
  }

  static void add_bias(const float* bias, ExpertGroup group, Range rows, float* y) {
    if (bias == nullptr) return;
    const size_t count = rows.end - rows.begin;
    for (uint32_t i = 0; i < group.pairs(); i++) {
      for (size_t r = 0; r < count; r++) y[i * count + r] += bias[rows.begin + r];
    }
  }

  std::shared_ptr<ExpertsRun> run_;
  std::vector<std::atomic<uint32_t>> unfinished_;  // chunks, by group
  uint32_t vector_tile_ = 1;
  uint32_t tile_ = 1;
  uint32_t tiles_ = 1;
};

}  // namespace

std::unique_ptr<Stage> make_experts_hidden(std::shared_ptr<ExpertsRun> run, ScratchNeeds& needs) {
  const ExpertsOp& op = run->op;
  needs.need_gemm(op.up.weight.matrix.columns);
  auto stage = std::make_unique<HiddenStage>(std::move(run));
  needs.need_floats(stage->scratch_floats(needs.max_rows));
  return stage;
}

}  // namespace hearth
