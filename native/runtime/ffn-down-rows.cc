// out[t, c] (+)= Σ_r h[t, r] · W[r, c] with down in rows, W [neurons, dim], for many rows of a step.
// A chunk owns a block of columns and of rows of the step: it widens the columns of a tile of
// neurons to f32 once and adds them to each row while they lie in the first cache. See ffn.h.
#include <algorithm>
#include <cstring>
#include <utility>

#include "ffn.h"
#include "matmul.h"

namespace hearth {

namespace {

// The sums of some columns of a row, to their place.
void finish(const FfnRun& run, uint32_t row, Range columns, float* sums) {
  const FfnOp& op = run.op;
  const size_t count = columns.end - columns.begin;
  const auto add = run.kernels->vector.add;
  if (op.down_bias != nullptr) add(op.down_bias + columns.begin, count, sums);
  float* out = op.out.row(row) + columns.begin;
  if (op.adds) {
    add(sums, count, out);
  } else {
    std::memcpy(out, sums, count * sizeof(float));
  }
}

// Of lists by tiles.
class ListedDownStage final : public Stage {
 public:
  ListedDownStage(std::shared_ptr<FfnRun> run, size_t threads)
      : run_(std::move(run)), threads_(static_cast<uint32_t>(threads)) {
    // Every weight type can be cut where its blocks end.
    columns_ = std::max<size_t>(kListedColumns, block_elements(run_->op.down.type));
  }

  // Per thread: the widened tile and the sums of all rows.
  size_t scratch_floats(size_t rows) const { return (kTileNeurons + rows) * columns_ + columns_; }

  Phase begin(const Step&) override {
    const FfnRun& run = *run_;
    if (!run.keeps_lists() || run.rows == 0) return Phase{0, false};
    const auto blocks = static_cast<uint32_t>(ceil_divide(run.op.dim, columns_));
    const uint32_t wished = static_cast<uint32_t>(ceil_divide(kChunksPerThread * threads_, blocks));
    const auto most = static_cast<uint32_t>(ceil_divide(run.rows, kLeastRows));
    row_blocks_ = std::min(wished, most);
    return Phase{blocks * row_blocks_, true};
  }

  void chunk(const Step&, uint32_t index, const Scratch& scratch) override {
    const FfnRun& run = *run_;
    const FfnOp& op = run.op;
    const uint32_t block = index % row_blocks_;
    const uint32_t first_row = run.rows * block / row_blocks_;
    const uint32_t last_row = run.rows * (block + 1) / row_blocks_;
    const size_t rows = last_row - first_row;
    const size_t column = index / row_blocks_ * columns_;
    const size_t columns = std::min(columns_, op.dim - column);
    float* widened = scratch.floats;
    float* one = widened + kTileNeurons * columns_;
    float* sums = one + columns_;
    std::memset(sums, 0, rows * columns_ * sizeof(float));
    for (uint32_t tile = 0; tile < run.tiles(); tile++) {
      widen(tile, column, columns, one, widened);
      const uint32_t* offset = run.scratch->tiles.offset + tile * (size_t{run.rows} + 1);
      const size_t first = size_t{tile} * kTileNeurons * run.rows;
      for (size_t c = 0; c < columns; c += kListedColumns) {
        run.kernels->vector.add_listed(
            ListedSumTask{widened + c * kTileNeurons, run.scratch->tiles.place + first,
                          offset + first_row, run.h.data + first, rows, sums + c * rows});
      }
    }
    for (uint32_t row = 0; row < rows; row++) {
      for (size_t c = 0; c < columns; c += kListedColumns) {
        const size_t count = std::min(kListedColumns, columns - c);
        const Range range{column + c, column + c + count};
        finish(run, first_row + row, range, sums + c * rows + row * kListedColumns);
      }
    }
  }

 private:
  // Rows for which a tile is widened at least.
  static constexpr uint32_t kLeastRows = 64;
  static constexpr size_t kChunksPerThread = 4;

  // The tile's columns [column, column + columns) in blocks [kTileNeurons, kListedColumns]; what is
  // behind the last column is zero.
  void widen(uint32_t tile, size_t column, size_t columns, float* one, float* widened) const {
    const FfnOp& op = run_->op;
    const Weight& down = op.down;
    const size_t offset = row_bytes(down.type, column);
    const uint32_t begin = tile * kTileNeurons;
    const uint32_t count = std::min(kTileNeurons, op.candidates() - begin);
    const bool is_whole = columns == kListedColumns;
    for (uint32_t i = 0; i < count; i++) {
      float* row = is_whole ? widened + i * kListedColumns : one;
      down.kernels->dequantise_row(down.row(op.neuron(begin + i)) + offset, columns, row);
      if (is_whole) continue;
      for (size_t c = 0; c < columns; c += kListedColumns) {
        const size_t width = std::min(kListedColumns, columns - c);
        float* to = widened + c * kTileNeurons + i * kListedColumns;
        std::memcpy(to, one + c, width * sizeof(float));
        std::memset(to + width, 0, (kListedColumns - width) * sizeof(float));
      }
    }
  }

  std::shared_ptr<FfnRun> run_;
  uint32_t threads_;
  size_t columns_;
  uint32_t row_blocks_ = 1;
};

// Of rows of all neurons.
class DenseDownStage final : public Stage {
 public:
  // Per thread: the widened tile and the sums.
  static constexpr size_t scratch_floats() { return (kNeurons + kRows) * size_t{kColumns}; }

  explicit DenseDownStage(std::shared_ptr<FfnRun> run) : run_(std::move(run)) {
    f32_ = weight_kernels(run_->kernels, static_cast<uint32_t>(WeightType::kF32));
  }

  Phase begin(const Step&) override {
    const FfnRun& run = *run_;
    if (run.way == Way::kSparse || run.keeps_lists() || run.rows == 0) return Phase{0, false};
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
    float* sums = tile + kNeurons * kColumns;
    std::memset(sums, 0, (last_row - first_row) * kColumns * sizeof(float));
    for (uint32_t neuron = 0; neuron < op.candidates(); neuron += kNeurons) {
      const uint32_t count = std::min<uint32_t>(kNeurons, op.candidates() - neuron);
      widen(neuron, count, column, columns, tile);
      for (uint32_t row = first_row; row < last_row; row++) {
        f32_->axpy(Matrix{tile, columns, kColumns * sizeof(float)}, RowList{kFirst, count},
                   run.h.row(row) + neuron, Range{0, columns}, sums + (row - first_row) * kColumns);
      }
    }
    for (uint32_t row = first_row; row < last_row; row++) {
      finish(run, row, Range{column, column + columns}, sums + (row - first_row) * kColumns);
    }
  }

 private:
  // The largest block length: every weight type can be cut there.
  static constexpr uint32_t kColumns = 256;
  static constexpr uint32_t kNeurons = 32;
  static constexpr uint32_t kRows = 32;
  static constexpr uint32_t kFirst[kNeurons] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
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

  std::shared_ptr<FfnRun> run_;
  const WeightKernels* f32_;
};

}  // namespace

std::unique_ptr<Stage> make_ffn_listed_down(std::shared_ptr<FfnRun> run, ScratchNeeds& needs) {
  const size_t threads = needs.threads;
  auto stage = std::make_unique<ListedDownStage>(std::move(run), threads);
  needs.need_floats(stage->scratch_floats(needs.max_rows));
  return stage;
}

std::unique_ptr<Stage> make_ffn_dense_down(std::shared_ptr<FfnRun> run, ScratchNeeds& needs) {
  needs.need_floats(DenseDownStage::scratch_floats());
  return std::make_unique<DenseDownStage>(std::move(run));
}

}  // namespace hearth
