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
  const void* next;  // what is read after them
};

// Chunks of a thread in a step without products of matrices: enough that threads end together, and
// few, since the first KB of each are waited for.
constexpr size_t kChunksPerThread = 8;
constexpr size_t kLeastChunkBytes = 128 * 1024;
// Rows of up and gate that stay in a cache for the next pair of their expert.
constexpr size_t kKeptBytes = 128 * 1024;
constexpr size_t kRowMultiple = 8;
// Up to this share of open gates, in quarters, single rows of up are read faster than all of them.
constexpr size_t kListedQuarters = 3;

class HiddenStage final : public Stage {
 public:
  HiddenStage(std::shared_ptr<ExpertsRun> run, size_t threads)
      : run_(std::move(run)), threads_(threads), unfinished_(run_->op.count) {}

  // Per thread: products of up and of gate.
  size_t scratch_floats(size_t max_rows) const {
    return 2 * std::max<size_t>(run_->op.neurons, max_rows * kGemmRowTile);
  }

  Phase begin(const Step&) override {
    const ExpertsRun& run = *run_;
    const ExpertsOp& op = run.op;
    if (run.pairs == 0) return Phase{0, false};
    tile_ = static_cast<uint32_t>(run.gathered ? kGemmRowTile : vector_tile());
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
      hidden(group, rows, nullptr, scratch);
    } else {
      by_pair(group, rows, first_row(index + threads_), scratch);
    }
    // Chunks of an expert that end earlier release their h to the one that ends last.
    if (unfinished_[at].fetch_sub(1, std::memory_order_acq_rel) == 1) prepare(group);
  }

 private:
  size_t neuron_bytes() const {
    const ExpertsOp& op = run_->op;
    return op.up.weight.matrix.row_bytes + op.gate.weight.matrix.row_bytes;
  }

  size_t vector_tile() const {
    const size_t neurons = run_->op.neurons;
    const size_t share = run_->group_count * neurons / (threads_ * kChunksPerThread);
    const size_t least = kLeastChunkBytes / neuron_bytes();
    const size_t tiles = ceil_divide(neurons, std::max<size_t>({share, least, 1}));
    return round_up(ceil_divide(neurons, tiles), kRowMultiple);
  }

  // What is read first.
  const StackedWeight& leading() const {
    return run_->op.gate_decides() ? run_->op.gate : run_->op.up;
  }

  // Of the chunk that a thread is likely to take next; null behind the last.
  const void* first_row(size_t index) const {
    const ExpertsRun& run = *run_;
    if (index >= size_t{run.group_count} * tiles_) return nullptr;
    return leading().from(run.groups[index / tiles_].expert, index % tiles_ * tile_).data;
  }

  // One pair after the other over rows that stay in a cache meanwhile; `next` is read after them.
  void by_pair(ExpertGroup group, Range rows, const void* next, const Scratch& scratch) const {
    const StackedWeight& first = leading();
    const size_t kept = round_up(std::max<size_t>(1, kKeptBytes / neuron_bytes()), kRowMultiple);
    const size_t step = group.pairs() == 1 ? rows.end - rows.begin : kept;
    for (size_t begin = rows.begin; begin < rows.end; begin += step) {
      const size_t end = std::min(begin + step, rows.end);
      const void* again = first.from(group.expert, begin).data;
      const void* after = end < rows.end ? first.from(group.expert, end).data : next;
      for (uint32_t pair = group.begin; pair < group.end; pair++) {
        const bool is_last = pair + 1 == group.end && after != nullptr;
        const ExpertGroup one{group.expert, pair, pair + 1};
        const Range part{begin, end};
        if (run_->op.gate_decides()) {
          gate_first(one, part, is_last ? after : again, scratch);
        } else {
          hidden(one, part, is_last ? after : again, scratch);
        }
      }
    }
  }

  // h of one pair, from those rows of up alone whose neurons have an open gate: exactly what all
  // rows give, as long as they are finite.
  void gate_first(ExpertGroup pair, Range rows, const void* next, const Scratch& scratch) const {
    ExpertsRun& run = *run_;
    const ExpertsOp& op = run.op;
    const size_t count = rows.end - rows.begin;
    float* gate = scratch.floats;
    float* up = gate + count;
    products(ExpertProduct{op.gate, run.x_gate, pair, rows, gate, count, next}, scratch);
    add_bias(op.gate_bias.of(pair.expert), pair, rows, gate);
    activate(gate, count);
    uint32_t* open = scratch.indices;
    size_t active = 0;
    for (size_t i = 0; i < count; i++) {
      open[active] = static_cast<uint32_t>(i);
      active += gate[i] != 0 ? 1 : 0;
    }
    const bool is_listed = 4 * active <= kListedQuarters * count;
    if (!is_listed) {
      for (size_t i = 0; i < count; i++) open[i] = static_cast<uint32_t>(i);
      active = count;
    }
    run.up_rows.fetch_add(active, std::memory_order_relaxed);
    const Matrix matrix = op.up.from(pair.expert, rows.begin);
    const void* x = run.x_up.rows.row(run.row_of[pair.begin]);
    const WeightKernels& kernels = *op.up.weight.kernels;
    if (is_listed) {
      kernels.gather_dot(matrix, x, RowList{open, active}, up);
    } else {
      kernels.gemv(GemvTask{matrix, x, Range{0, count}, up, next});
    }
    const float* bias = op.up_bias.of(pair.expert);
    if (bias != nullptr) {
      for (size_t i = 0; i < active; i++) up[i] += bias[rows.begin + open[i]];
    }
    if (op.gating == Gating::kBoth) activate(up, active);
    float* h = run.h + size_t{pair.begin} * op.neurons + rows.begin;
    std::memset(h, 0, count * sizeof(float));
    for (size_t i = 0; i < active; i++) h[open[i]] = gate[open[i]] * up[i];
  }

  // In place.
  void activate(float* x, size_t count) const {
    const ExpertsOp& op = run_->op;
    run_->kernels->vector.activate(ActivateTask{Gating::kUngated, op.activation,
                                                op.activation_threshold, nullptr, x, x, count});
  }

  void hidden(ExpertGroup group, Range rows, const void* next, const Scratch& scratch) const {
    const ExpertsRun& run = *run_;
    const ExpertsOp& op = run.op;
    const size_t count = rows.end - rows.begin;
    float* up = scratch.floats;
    float* gate = up + group.pairs() * count;
    const void* after_up = op.gated() ? op.gate.from(group.expert, rows.begin).data : next;
    products(ExpertProduct{op.up, run.x_up, group, rows, up, count, after_up}, scratch);
    add_bias(op.up_bias.of(group.expert), group, rows, up);
    if (op.gated()) {
      products(ExpertProduct{op.gate, run.x_gate, group, rows, gate, count, next}, scratch);
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
      kernels.gemv(GemvTask{matrix, x, rows, task.y + i * task.stride, task.next});
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
  size_t threads_;
  std::vector<std::atomic<uint32_t>> unfinished_;  // chunks, by group
  uint32_t tile_ = 1;
  uint32_t tiles_ = 1;
};

}  // namespace

std::unique_ptr<Stage> make_experts_hidden(std::shared_ptr<ExpertsRun> run, ScratchNeeds& needs) {
  const ExpertsOp& op = run->op;
  needs.need_gemm(op.up.weight.matrix.columns);
  if (op.gate_decides()) needs.need_indices(op.neurons);
  auto stage = std::make_unique<HiddenStage>(std::move(run), needs.threads);
  needs.need_floats(stage->scratch_floats(needs.max_rows));
  return stage;
}

}  // namespace hearth
