// All neurons of several rows: matrix products over tiles of neurons. Then down, by its own matmul
// stage or, if it lies in rows, by that of ffn-down-rows.cc. See ffn.h.
#include <algorithm>
#include <cstring>
#include <utility>

#include "ffn.h"
#include "matmul.h"

namespace hearth {

namespace {

class DenseStage final : public Stage {
 public:
  DenseStage(std::shared_ptr<FfnRun> run, size_t threads)
      : run_(std::move(run)), threads_(threads) {}

  Phase begin(const Step&) override {
    FfnRun& run = *run_;
    const FfnOp& op = run.op;
    if (run.way != Way::kDense || run.rows == 0) return Phase{0, false};
    if (scatters()) {
      // Neurons outside the subset are never written below, and another block may have used this
      // memory.
      std::memset(run.h.data, 0, static_cast<size_t>(run.rows) * run.h.width * sizeof(float));
    }
    by_row_ = run.rows < op.up.kernels->gemm_tokens;
    tile_ = by_row_ ? rows_per_vector_chunk(op.candidates(), 2 * op.up.matrix.row_bytes)
                    : static_cast<uint32_t>(kGemmRowTile);
    const size_t bytes = op.candidates() * op.up.matrix.row_bytes * run.rows;
    return Phase{static_cast<uint32_t>(ceil_divide(op.candidates(), tile_)), wakes_for(bytes)};
  }

  void chunk(const Step&, uint32_t index, const Scratch& scratch) override {
    FfnRun& run = *run_;
    const FfnOp& op = run.op;
    const uint32_t begin = index * tile_;
    const uint32_t end = std::min(begin + tile_, op.candidates());
    float* up = scratch.floats;
    float* gate = up + static_cast<size_t>(run.rows) * tile_;
    const size_t following = begin + threads_ * tile_;
    const void* next = following < op.candidates() ? op.up.row(following) : nullptr;
    const void* then = op.gated() ? op.gate.row(begin) : next;
    products(op.up, run.x_up, Candidates{begin, end, then}, scratch, up);
    if (op.gated()) products(op.gate, run.x_gate, Candidates{begin, end, next}, scratch, gate);
    for (uint32_t row = 0; row < run.rows; row++) {
      const size_t at = static_cast<size_t>(row) * tile_;
      finish_row(row, Range{begin, end}, up + at, gate + at);
    }
  }

 private:
  // [begin, end), and where the rows are that are read next; null for unknown.
  struct Candidates {
    uint32_t begin;
    uint32_t end;
    const void* next;
  };

  // Whether h goes to its neuron's place, as a matrix product over all of down reads it. If down is
  // stored by rows, or all neurons are candidates, h lies by candidate.
  bool scatters() const { return run_->op.subset != nullptr && !run_->op.down_rows; }

  // y[row, i] = W[neuron of candidate begin + i, :] · x_row, y [rows, tile]
  void products(const Weight& weight, const PreparedX& x, Candidates candidates,
                const Scratch& scratch, float* y) const {
    const FfnRun& run = *run_;
    const auto [begin, end, next] = candidates;
    const size_t count = end - begin;
    if (by_row_) {
      for (uint32_t row = 0; row < run.rows; row++) {
        float* products = y + static_cast<size_t>(row) * tile_;
        candidate_dots(run.op, weight, x.row(row), Range{begin, end}, products);
      }
      return;
    }
    if (run.op.subset != nullptr) {
      const Matrix gathered = gather(weight, begin, count, scratch);
      weight.kernels->gemm(
          GemmTask{gathered, x.row(0), run.rows, y, tile_, Range{0, count}, scratch.gemm});
      return;
    }
    weight.kernels->gemm(GemmTask{weight.from(begin), x.row(0), run.rows, y, tile_, Range{0, count},
                                  scratch.gemm, next});
  }

  // The rows of candidates [begin, begin + count) behind one another: copied once for all rows of
  // the step.
  Matrix gather(const Weight& weight, uint32_t begin, size_t count, const Scratch& scratch) const {
    const FfnRun& run = *run_;
    const size_t bytes = weight.matrix.row_bytes;
    float* behind_tiles = scratch.floats + 2 * static_cast<size_t>(run.rows) * tile_;
    uint8_t* rows = reinterpret_cast<uint8_t*>(behind_tiles);
    for (size_t i = 0; i < count; i++) {
      std::memcpy(rows + i * bytes, weight.row(run.op.subset[begin + i]), bytes);
    }
    return Matrix{rows, weight.matrix.columns, bytes};
  }

  // Biases and activation of one row of the tile.
  void finish_row(uint32_t row, Range candidates, float* up, float* gate) const {
    const FfnRun& run = *run_;
    const FfnOp& op = run.op;
    const auto [begin, end] = candidates;
    const size_t count = end - begin;
    if (op.gated()) add_bias(op, op.gate_bias, candidates, gate);
    add_bias(op, op.up_bias, candidates, up);
    run.kernels->vector.activate(
        ActivateTask{op.gating, op.activation, op.activation_threshold, gate, up, up, count});
    float* h = run.h.row(row);
    if (!scatters()) {
      std::memcpy(h + begin, up, count * sizeof(float));
    } else {
      for (size_t i = 0; i < count; i++) h[op.subset[begin + i]] = up[i];
    }
  }

  std::shared_ptr<FfnRun> run_;
  size_t threads_;
  uint32_t tile_ = 1;
  bool by_row_ = false;  // one matrix-vector product per row of the step, not one of matrices
};

class HiddenNormStage final : public Stage {
 public:
  explicit HiddenNormStage(std::shared_ptr<FfnRun> run) : run_(std::move(run)) {
    const FfnOp& op = run_->op;
    norm_ = make_norm(*run_->kernels, NormOp{true, run_->h, run_->h, 1, op.hidden_norm, nullptr,
                                             op.hidden_epsilon});
  }

  Phase begin(const Step& step) override {
    if (run_->way == Way::kSparse && run_->op.down_rows) return Phase{0, false};
    return norm_->begin(step);
  }

  void chunk(const Step& step, uint32_t index, const Scratch& scratch) override {
    norm_->chunk(step, index, scratch);
  }

 private:
  std::shared_ptr<FfnRun> run_;
  std::unique_ptr<Stage> norm_;
};

}  // namespace

std::unique_ptr<Stage> make_ffn_dense(std::shared_ptr<FfnRun> run, ScratchNeeds& needs) {
  const FfnOp& op = run->op;
  const size_t vector_tile = rows_per_vector_chunk(op.candidates(), 2 * op.up.matrix.row_bytes);
  const size_t by_row = std::min(needs.max_rows, op.up.kernels->gemm_tokens - 1);
  const size_t tiles = 2 * std::max(by_row * vector_tile, needs.max_rows * kGemmRowTile);
  const size_t row_bytes =
      std::max(op.up.matrix.row_bytes, op.gated() ? op.gate.matrix.row_bytes : 0);
  const size_t gathered = op.subset == nullptr ? 0 : kGemmRowTile * row_bytes / sizeof(float);
  needs.need_floats(tiles + gathered);
  needs.need_gemm(op.dim);
  return std::make_unique<DenseStage>(std::move(run), needs.threads);
}

std::unique_ptr<Stage> make_ffn_norm(std::shared_ptr<FfnRun> run) {
  return std::make_unique<HiddenNormStage>(std::move(run));
}

}  // namespace hearth
