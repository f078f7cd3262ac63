// The sums of what the experts give: a chunk owns a stretch of columns of out, and adds to it in
// rising order of the experts' ids, each product by itself. See experts.h.
#include <algorithm>
#include <cstring>
#include <utility>

#include "experts.h"
#include "matmul.h"

namespace hearth {

namespace {

// y[i, r] = down[rows.begin + r, :] · h of the group's pair i
void down_products(const ExpertsRun& run, ExpertGroup group, Range rows, float* y, size_t stride,
                   const Scratch& scratch) {
  const StackedWeight& down = run.op.down;
  const Matrix matrix = down.from(group.expert, rows.begin);
  const Range all{0, rows.end - rows.begin};
  const uint8_t* h = run.prepared_h + group.begin * run.h_bytes;
  if (group.pairs() >= down.weight.kernels->gemm_tokens) {
    down.weight.kernels->gemm(GemmTask{matrix, h, group.pairs(), y, stride, all, scratch.gemm});
    return;
  }
  for (uint32_t i = 0; i < group.pairs(); i++) {
    down.weight.kernels->gemv(matrix, h + i * run.h_bytes, all, y + i * stride);
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
  explicit SumsStage(std::shared_ptr<ExpertsRun> run) : run_(std::move(run)) {}

  // Two tiles of a gemm: few enough chunks that h is not read too often, and enough for many threads.
  static constexpr size_t kColumns = 2 * kGemmRowTile;

  Phase begin(const Step&) override {
    const ExpertsRun& run = *run_;
    if (run.pairs == 0) return Phase{0, false};
    const ExpertsOp& op = run.op;
    const size_t bytes = size_t{run.group_count} * op.dim() * op.down.weight.matrix.row_bytes;
    return Phase{static_cast<uint32_t>(ceil_divide(op.dim(), kColumns)), wakes_for(bytes)};
  }

  void chunk(const Step&, uint32_t index, const Scratch& scratch) override {
    const ExpertsRun& run = *run_;
    const size_t begin = index * kColumns;
    const Range columns{begin, std::min<size_t>(begin + kColumns, run.op.dim())};
    const size_t count = columns.end - columns.begin;
    if (!run.op.adds) {
      for (uint32_t row = 0; row < run.rows; row++) {
        std::memset(run.op.out.row(row) + begin, 0, count * sizeof(float));
      }
    }
    for (uint32_t g = 0; g < run.group_count; g++) {
      const ExpertGroup group = run.groups[g];
      down_products(run, group, columns, scratch.floats, count, scratch);
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
  std::shared_ptr<ExpertsRun> run_;
};

}  // namespace

std::unique_ptr<Stage> make_experts_sums(std::shared_ptr<ExpertsRun> run, ScratchNeeds& needs) {
  needs.need_gemm(run->op.down.weight.matrix.columns);
  needs.need_floats(needs.max_rows * SumsStage::kColumns);
  return std::make_unique<SumsStage>(std::move(run));
}

}  // namespace hearth
