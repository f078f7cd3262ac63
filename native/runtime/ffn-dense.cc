// Many rows, or all neurons: matrix products over tiles of neurons, h of the inactive ones set to
// zero, so that prefill means what decode means. Then down, by its own matmul stage or, if it lies
// in rows, here. See ffn.h.
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
    if (run.sparse || run.rows == 0) return Phase{0, false};
    run.active_in_dense.store(0, std::memory_order_relaxed);
    run.selection->begin(run);
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
    float* scores = gate + static_cast<size_t>(run.rows) * tile_;
    const size_t following = begin + threads_ * tile_;
    const void* next = following < op.candidates() ? op.up.row(following) : nullptr;
    const void* then = op.gated() ? op.gate.row(begin) : next;
    products(op.up, run.x_up, Candidates{begin, end, then}, scratch, up);
    if (op.gated()) products(op.gate, run.x_gate, Candidates{begin, end, next}, scratch, gate);
    if (const ScoreProduct* scored = run.selection->product()) {
      products(scored->weight, scored->x, Candidates{begin, end, nullptr}, scratch, scores);
    }
    uint64_t active = 0;
    for (uint32_t row = 0; row < run.rows; row++) {
      const size_t at = static_cast<size_t>(row) * tile_;
      active += finish_row(MaskTask{row, Range{begin, end}, up + at, gate + at, scores + at});
    }
    run.active_in_dense.fetch_add(active, std::memory_order_relaxed);
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
    float* behind_tiles = scratch.floats + 3 * static_cast<size_t>(run.rows) * tile_;
    uint8_t* rows = reinterpret_cast<uint8_t*>(behind_tiles);
    for (size_t i = 0; i < count; i++) {
      std::memcpy(rows + i * bytes, weight.row(run.op.subset[begin + i]), bytes);
    }
    return Matrix{rows, weight.matrix.columns, bytes};
  }

  // Biases, activation and mask of one row of the tile; returns the number of active neurons.
  size_t finish_row(const MaskTask& task) const {
    const FfnRun& run = *run_;
    const FfnOp& op = run.op;
    const size_t count = task.count();
    if (op.gated()) add_bias(op, op.gate_bias, task.candidates, task.gate);
    add_bias(op, op.up_bias, task.candidates, task.h);
    if (run.selection->scores() == Scores::kGate && op.gated()) {
      // The mask reads act(gate) itself.
      std::memcpy(task.scores, task.gate, count * sizeof(float));
      activate(Gating::kUngated, nullptr, task.scores, count);
    }
    activate(op.gating, task.gate, task.h, count);
    const size_t active = run.selection->mask(run, task);
    float* h = run.h.row(task.row);
    const size_t begin = task.candidates.begin;
    if (!scatters()) {
      std::memcpy(h + begin, task.h, count * sizeof(float));
    } else {
      for (size_t i = 0; i < count; i++) h[op.subset[begin + i]] = task.h[i];
    }
    return active;
  }

  void activate(Gating gating, const float* gate, float* up, size_t count) const {
    const FfnOp& op = run_->op;
    run_->kernels->vector.activate(
        ActivateTask{gating, op.activation, op.activation_threshold, gate, up, up, count});
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
    if (run_->sparse && run_->op.down_rows) return Phase{0, false};
    return norm_->begin(step);
  }

  void chunk(const Step& step, uint32_t index, const Scratch& scratch) override {
    norm_->chunk(step, index, scratch);
  }

 private:
  std::shared_ptr<FfnRun> run_;
  std::unique_ptr<Stage> norm_;
};

// out[t, c] (+)= Σ_r h[t, r] · W[r, c], W [neurons, dim]. A chunk owns a block of columns and of
// rows of the step: it widens 32 neurons' columns to f32 once and adds them to each row while they
// lie in the first cache.
class DownRowsStage final : public Stage {
 public:
  // Per thread: the widened tile and the sums.
  static constexpr size_t scratch_floats() { return (kTileNeurons + kRows) * size_t{kColumns}; }

  explicit DownRowsStage(std::shared_ptr<FfnRun> run) : run_(std::move(run)) {
    f32_ = weight_kernels(run_->kernels, static_cast<uint32_t>(WeightType::kF32));
  }

  Phase begin(const Step&) override {
    const FfnRun& run = *run_;
    if (run.sparse || run.rows == 0) return Phase{0, false};
    const uint32_t columns = static_cast<uint32_t>(ceil_divide(run.op.dim, kColumns));
    const uint32_t rows = static_cast<uint32_t>(ceil_divide(run.rows, kRows));
    return Phase{columns * rows, true};
  }

  void chunk(const Step&, uint32_t index, const Scratch& scratch) override {
    const FfnRun& run = *run_;
    const FfnOp& op = run.op;
    const uint32_t row_blocks = static_cast<uint32_t>(ceil_divide(run.rows, kRows));
    const uint32_t first_row = index % row_blocks * kRows;
    const uint32_t last_row = std::min(first_row + kRows, run.rows);
    const size_t column = static_cast<size_t>(index / row_blocks) * kColumns;
    const size_t columns = std::min<size_t>(kColumns, op.dim - column);
    float* tile = scratch.floats;
    float* sums = tile + kTileNeurons * kColumns;
    std::memset(sums, 0, (last_row - first_row) * kColumns * sizeof(float));
    for (uint32_t neuron = 0; neuron < op.candidates(); neuron += kTileNeurons) {
      const uint32_t count = std::min<uint32_t>(kTileNeurons, op.candidates() - neuron);
      widen(neuron, count, column, columns, tile);
      for (uint32_t row = first_row; row < last_row; row++) {
        f32_->axpy(Matrix{tile, columns, kColumns * sizeof(float)}, RowList{kFirst, count},
                   run.h.row(row) + neuron, Range{0, columns}, sums + (row - first_row) * kColumns);
      }
    }
    for (uint32_t row = first_row; row < last_row; row++) {
      finish(row, column, columns, sums + (row - first_row) * kColumns);
    }
  }

 private:
  // The largest block length: every weight type can be cut there.
  static constexpr uint32_t kColumns = 256;
  static constexpr uint32_t kTileNeurons = 32;
  static constexpr uint32_t kRows = 32;
  static constexpr uint32_t kFirst[kTileNeurons] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                                    11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
                                                    22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
  void widen(uint32_t neuron, uint32_t count, size_t column, size_t columns, float* tile) const {
    const FfnOp& op = run_->op;
    const Weight& down = op.down;
    const size_t offset = row_bytes(down.type, column);
    for (uint32_t i = 0; i < count; i++) {
      const uint8_t* row = down.row(op.neuron(neuron + i)) + offset;
      down.kernels->dequantise_row(row, columns, tile + i * kColumns);
    }
  }

  void finish(uint32_t row, size_t column, size_t columns, float* sums) const {
    const FfnOp& op = run_->op;
    const auto add = run_->kernels->vector.add;
    if (op.down_bias != nullptr) add(op.down_bias + column, columns, sums);
    float* out = op.out.row(row) + column;
    if (op.adds) {
      add(sums, columns, out);
    } else {
      std::memcpy(out, sums, columns * sizeof(float));
    }
  }

  std::shared_ptr<FfnRun> run_;
  const WeightKernels* f32_;
};

}  // namespace

std::unique_ptr<Stage> make_ffn_dense(std::shared_ptr<FfnRun> run, ScratchNeeds& needs) {
  const FfnOp& op = run->op;
  const size_t vector_tile = rows_per_vector_chunk(op.candidates(), 2 * op.up.matrix.row_bytes);
  const size_t by_row = std::min(needs.max_rows, op.up.kernels->gemm_tokens - 1);
  const size_t tiles = 3 * std::max(by_row * vector_tile, needs.max_rows * kGemmRowTile);
  size_t row_bytes = std::max(op.up.matrix.row_bytes, op.gated() ? op.gate.matrix.row_bytes : 0);
  const ScoreProduct* scored = run->selection->product();
  if (scored != nullptr) row_bytes = std::max(row_bytes, scored->weight.matrix.row_bytes);
  const size_t gathered = op.subset == nullptr ? 0 : kGemmRowTile * row_bytes / sizeof(float);
  needs.need_floats(tiles + gathered);
  needs.need_gemm(op.dim);
  if (scored != nullptr) needs.need_gemm(scored->weight.matrix.columns);
  return std::make_unique<DenseStage>(std::move(run), needs.threads);
}

std::unique_ptr<Stage> make_ffn_norm(std::shared_ptr<FfnRun> run) {
  return std::make_unique<HiddenNormStage>(std::move(run));
}

std::unique_ptr<Stage> make_ffn_down_rows(std::shared_ptr<FfnRun> run, ScratchNeeds& needs) {
  needs.need_floats(DownRowsStage::scratch_floats());
  return std::make_unique<DownRowsStage>(std::move(run));
}

}  // namespace hearth
