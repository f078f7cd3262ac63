// The sums of what the experts give: a chunk owns a stretch of columns of out, and adds to it in
// rising order of the experts' ids, each product by itself. See experts.h.
#include <algorithm>
#include <cstring>
#include <utility>

#include "experts.h"
#include "matmul.h"

namespace hearth {

namespace {

// Chunks of a thread: with more of them each expert's columns are too few bytes to be read at full
// speed.
constexpr size_t kChunksPerThread = 4;
// Two tiles of a gemm: h is not read too often.
constexpr size_t kLeastColumns = 2 * kGemmRowTile;
// Their rows stay in a cache for the next pair of their expert.
constexpr size_t kMostColumns = 8 * kGemmRowTile;

// y[i, r] = down[rows.begin + r, :] · h of the group's pair i; `next` is read after them.
struct DownProduct {
  ExpertGroup group;
  Range rows;
  const void* next;
  float* y;  // [pairs, rows]
};

void down_products(const ExpertsRun& run, const DownProduct& task, const Scratch& scratch) {
  const StackedWeight& down = run.op.down;
  const WeightKernels& kernels = *down.weight.kernels;
  const Matrix matrix = down.from(task.group.expert, task.rows.begin);
  const size_t count = task.rows.end - task.rows.begin;
  const uint32_t pairs = task.group.pairs();
  const uint8_t* h = run.prepared_h + task.group.begin * run.h_bytes;
  if (pairs >= kernels.gemm_tokens) {
    kernels.gemm(GemmTask{matrix, h, pairs, task.y, count, Range{0, count}, scratch.gemm});
    return;
  }
  for (uint32_t i = 0; i < pairs; i++) {
    const bool is_last = i + 1 == pairs && task.next != nullptr;
    kernels.gemv(GemvTask{matrix, h + i * run.h_bytes, Range{0, count}, task.y + i * count,
                          is_last ? task.next : matrix.data});
  }
}

// out += weight · (y + bias); bias null: 0.
void add_weighted(float weight, const float* y, const float* bias, size_t count, float* out) {
  if (bias == nullptr) {
    for (size_t i = 0; i < count; i++) out[i] += weight * y[i];
  } else {
    for (size_t i = 0; i < count; i++) out[i] += weight * (y[i] + bias[i]);
  }
}

class SumsStage final : public Stage {
 public:
  SumsStage(std::shared_ptr<ExpertsRun> run, size_t threads)
      : run_(std::move(run)), threads_(threads) {
    const size_t share = run_->op.dim() / (threads * kChunksPerThread);
    vector_columns_ = std::clamp(round_up(share, kGemmRowTile), kLeastColumns, kMostColumns);
  }

  // Of products, per thread.
  size_t scratch_floats(size_t max_rows) const { return max_rows * vector_columns_; }

  Phase begin(const Step&) override {
    const ExpertsRun& run = *run_;
    // Without pairs, too: what is assigned is 0 then.
    if (run.rows == 0) return Phase{0, false};
    const ExpertsOp& op = run.op;
    columns_ = run.gathered ? kLeastColumns : vector_columns_;
    const size_t bytes = size_t{run.group_count} * op.dim() * op.down.weight.matrix.row_bytes;
    return Phase{static_cast<uint32_t>(ceil_divide(op.dim(), columns_)), wakes_for(bytes)};
  }

  void chunk(const Step&, uint32_t index, const Scratch& scratch) override {
    const ExpertsRun& run = *run_;
    const size_t begin = index * columns_;
    const Range columns{begin, std::min<size_t>(begin + columns_, run.op.dim())};
    const size_t count = columns.end - columns.begin;
    if (!run.op.adds) {
      for (uint32_t row = 0; row < run.rows; row++) {
        std::memset(run.op.out.row(row) + begin, 0, count * sizeof(float));
      }
    }
    for (uint32_t g = 0; g < run.group_count; g++) {
      const ExpertGroup group = run.groups[g];
      down_products(run, DownProduct{group, columns, after(g, begin), scratch.floats}, scratch);
      const float* bias = run.op.down_bias.of(group.expert);
      for (uint32_t i = 0; i < group.pairs(); i++) {
        const uint32_t pair = group.begin + i;
        add_weighted(run.weight_of[pair], scratch.floats + i * count,
                     bias == nullptr ? nullptr : bias + begin, count,
                     run.op.out.row(run.row_of[pair]) + begin);
      }
    }
  }

 private:
  // What a thread reads after a group's columns from `begin` on: the next group's; after the last
  // one those of the chunk that it is likely to take next. Null: nothing.
  const void* after(uint32_t group, size_t begin) const {
    const ExpertsRun& run = *run_;
    if (group + 1 < run.group_count) {
      return run.op.down.from(run.groups[group + 1].expert, begin).data;
    }
    const size_t next = begin + threads_ * columns_;
    if (next >= run.op.dim()) return nullptr;
    return run.op.down.from(run.groups[0].expert, next).data;
  }

  std::shared_ptr<ExpertsRun> run_;
  size_t threads_;
  size_t vector_columns_ = 0;  // of a chunk without products of matrices
  size_t columns_ = 0;
};

}  // namespace

std::unique_ptr<Stage> make_experts_sums(std::shared_ptr<ExpertsRun> run, ScratchNeeds& needs) {
  needs.need_gemm(run->op.down.weight.matrix.columns);
  auto stage = std::make_unique<SumsStage>(std::move(run), needs.threads);
  needs.need_floats(stage->scratch_floats(needs.max_rows));
  return stage;
}

}  // namespace hearth
