// Many rows, each with its own active neurons: a chunk takes a tile of neurons, finds for each row of
// the step those that are active there, and computes h of these only. The weights of a tile stay in
// a second-level cache while the rows pass by. See ffn.h.
#include <algorithm>
#include <cstring>
#include <utility>

#include "ffn.h"
#include "matmul.h"

namespace hearth {

namespace {

// Kernels that select write whole vectors.
constexpr size_t kSpare = 16;
// Above this share of pairs of row and neuron, a product of matrices over the whole tile is faster
// than dot products of the listed pairs (docs/measurements/sparse-prompts.md).
constexpr double kDenseShare = 0.25;

class TilesStage final : public Stage {
 public:
  explicit TilesStage(std::shared_ptr<FfnRun> run) : run_(std::move(run)) {}

  static size_t scratch_floats(const FfnRun& run, size_t rows) {
    return 3 * rows * kTileNeurons + kTileNeurons + kSpare + gathered_floats(run);
  }
  static size_t scratch_indices() { return 2 * kTileNeurons + kSpare; }

  Phase begin(const Step&) override {
    FfnRun& run = *run_;
    if (run.way != Way::kTiled) return Phase{0, false};
    const FfnOp& op = run.op;
    run.active_in_tiles.store(0, std::memory_order_relaxed);
    run.selection->begin(run);
    if (!run.keeps_lists()) {
      // Inactive neurons and those outside a subset are not written below.
      std::memset(run.h.data, 0, static_cast<size_t>(run.rows) * run.h.width * sizeof(float));
    }
    const size_t bytes = op.candidates() * op.up.matrix.row_bytes * run.rows;
    return Phase{run.tiles(), wakes_for(bytes)};
  }

  void chunk(const Step&, uint32_t index, const Scratch& scratch) override {
    FfnRun& run = *run_;
    const size_t places = run.rows * size_t{kTileNeurons};
    Tile tile = tile_at(index, scratch);
    float* h = tile.all + places;
    float* gate = h + places;
    score(tile, gate);
    list(tile);
    run.active_in_tiles.fetch_add(tile.entries(run.rows), std::memory_order_relaxed);
    hidden(tile, h, gate);
    store(tile, h);
  }

 private:
  struct Tile {
    uint32_t begin;
    uint32_t count;
    uint32_t* offset;  // [rows + 1]: where the list of each row begins
    uint8_t* place;    // of the listed neurons in the tile
    size_t first;      // of its lists in the memory for lists
    float* all;        // [rows, kTileNeurons]: of all neurons of the tile
    float* small;      // a float for each neuron
    void* weights;     // gathered rows of a subset
    const Scratch& scratch;

    Range candidates() const { return Range{begin, begin + count}; }
    uint32_t entries(uint32_t rows) const { return offset[rows]; }
  };

  static size_t gathered_floats(const FfnRun& run) {
    const FfnOp& op = run.op;
    if (op.subset == nullptr) return 0;
    size_t bytes = std::max(op.up.matrix.row_bytes, op.gated() ? op.gate.matrix.row_bytes : 0);
    const ScoreProduct* scored = run.selection->product();
    if (scored != nullptr) bytes = std::max(bytes, scored->weight.matrix.row_bytes);
    return ceil_divide(kTileNeurons * bytes, sizeof(float));
  }

  Tile tile_at(uint32_t index, const Scratch& scratch) const {
    const FfnRun& run = *run_;
    const uint32_t begin = index * kTileNeurons;
    const size_t first = size_t{begin} * run.rows;
    float* small = scratch.floats + 3 * size_t{run.rows} * kTileNeurons;
    return Tile{begin,
                std::min(kTileNeurons, run.op.candidates() - begin),
                run.scratch->tiles.offset + index * (size_t{run.rows} + 1),
                run.scratch->tiles.place + first,
                first,
                scratch.floats,
                small,
                small + kTileNeurons + kSpare,
                scratch};
  }

  // Scores of all candidates of the tile that are products, into tile.all.
  void score(const Tile& tile, float* gate) const {
    const FfnRun& run = *run_;
    const FfnOp& op = run.op;
    if (const ScoreProduct* scored = run.selection->product()) {
      return product(tile, scored->weight, scored->x, tile.all);
    }
    const Scores scores = run.selection->scores();
    if (scores == Scores::kPrediction) return;
    const bool by_gate = scores == Scores::kGate && op.gated();
    product(tile, by_gate ? op.gate : op.up, by_gate ? run.x_gate : run.x_up, tile.all);
    if (scores == Scores::kHidden && op.gated()) product(tile, op.gate, run.x_gate, gate);
    for (uint32_t row = 0; row < run.rows; row++) {
      const size_t at = size_t{row} * kTileNeurons;
      add_bias(op, by_gate ? op.gate_bias : op.up_bias, tile.candidates(), tile.all + at);
      Gating gating = Gating::kUngated;
      if (scores == Scores::kHidden && op.gated()) {
        add_bias(op, op.gate_bias, tile.candidates(), gate + at);
        gating = op.gating;
      }
      activate(gating, gate + at, tile.all + at, tile.count);
    }
  }

  // y[row, i] = W[neuron i of the tile, :] · x_row, y [rows, kTileNeurons]
  void product(const Tile& tile, const Weight& weight, const PreparedX& x, float* y) const {
    const FfnRun& run = *run_;
    const Matrix rows = run.op.subset == nullptr ? weight.from(tile.begin) : gather(tile, weight);
    weight.kernels->gemm(GemmTask{rows, x.row(0), run.rows, y, kTileNeurons, Range{0, tile.count},
                                  tile.scratch.gemm});
  }

  // The rows of a subset's candidates behind one another: copied once for all rows of the step.
  Matrix gather(const Tile& tile, const Weight& weight) const {
    const size_t bytes = weight.matrix.row_bytes;
    auto* rows = static_cast<uint8_t*>(tile.weights);
    for (size_t i = 0; i < tile.count; i++) {
      std::memcpy(rows + i * bytes, weight.row(run_->op.subset[tile.begin + i]), bytes);
    }
    return Matrix{rows, weight.matrix.columns, bytes};
  }

  void list(Tile& tile) const {
    FfnRun& run = *run_;
    const Scratch own{nullptr, nullptr, tile.small, tile.scratch.indices};
    uint32_t* active = tile.scratch.indices + kTileNeurons;
    uint32_t entries = 0;
    for (uint32_t row = 0; row < run.rows; row++) {
      tile.offset[row] = entries;
      float* scores = tile.all + size_t{row} * kTileNeurons;
      const size_t count =
          run.selection->list(run, SelectTask{row, tile.candidates(), scores, active, own});
      for (size_t i = 0; i < count; i++) {
        tile.place[entries + i] = static_cast<uint8_t>(active[i] - tile.begin);
      }
      entries += static_cast<uint32_t>(count);
    }
    tile.offset[run.rows] = entries;
  }

  // h of the listed neurons, one behind the other. Where act(g) can be zero, neurons whose gate
  // turns out to be shut leave the lists before up is read for them.
  void hidden(Tile& tile, float* h, float* gate) const {
    const FfnRun& run = *run_;
    const FfnOp& op = run.op;
    const Scores scored = run.selection->scores();
    if (scored == Scores::kHidden || (scored == Scores::kGate && !op.gated())) {
      return pick(tile, h);
    }
    if (op.gated()) {
      if (scored == Scores::kGate) {
        pick(tile, gate);
      } else {
        dots(tile, op.gate, run.x_gate, gate);
        add_bias_of(tile, op.gate_bias, gate);
      }
    }
    const bool act_first = scored == Scores::kGate || run.gate_first();
    if (op.gated() && act_first) {
      if (scored != Scores::kGate)
        activate(Gating::kUngated, nullptr, gate, tile.entries(run.rows));
      compact(tile, gate);
    }
    dots(tile, op.up, run.x_up, h);
    add_bias_of(tile, op.up_bias, h);
    const size_t count = tile.entries(run.rows);
    if (!op.gated() || !act_first) return activate(op.gating, gate, h, count);
    if (op.gating == Gating::kBoth) activate(Gating::kUngated, nullptr, h, count);
    for (size_t i = 0; i < count; i++) h[i] *= gate[i];
  }

  // y[e] = tile.all of the listed neurons.
  void pick(const Tile& tile, float* y) const {
    for (uint32_t row = 0; row < run_->rows; row++) {
      const float* all = tile.all + size_t{row} * kTileNeurons;
      for (uint32_t e = tile.offset[row]; e < tile.offset[row + 1]; e++) y[e] = all[tile.place[e]];
    }
  }

  // y[e] = W[listed neuron, :] · x_row, for the entries e of all rows' lists.
  void dots(const Tile& tile, const Weight& weight, const PreparedX& x, float* y) const {
    const FfnRun& run = *run_;
    if (tile.entries(run.rows) > kDenseShare * run.rows * tile.count) {
      product(tile, weight, x, tile.all);
      return pick(tile, y);
    }
    uint32_t* ids = tile.scratch.indices;
    for (uint32_t row = 0; row < run.rows; row++) {
      const uint32_t begin = tile.offset[row];
      const size_t count = tile.offset[row + 1] - begin;
      if (count == 0) continue;
      for (size_t i = 0; i < count; i++) {
        ids[i] = static_cast<uint32_t>(run.op.neuron(tile.begin + tile.place[begin + i]));
      }
      weight.kernels->gather_dot(weight.matrix, x.row(row), RowList{ids, count}, y + begin);
    }
  }

  void add_bias_of(const Tile& tile, const float* bias, float* y) const {
    if (bias == nullptr) return;
    const size_t count = tile.entries(run_->rows);
    for (size_t e = 0; e < count; e++) y[e] += bias[run_->op.neuron(tile.begin + tile.place[e])];
  }

  void activate(Gating gating, const float* gate, float* up, size_t count) const {
    const FfnOp& op = run_->op;
    run_->kernels->vector.activate(
        ActivateTask{gating, op.activation, op.activation_threshold, gate, up, up, count});
  }

  // Drops the entries whose value is zero.
  void compact(Tile& tile, float* value) const {
    uint32_t kept = 0;
    uint32_t e = 0;
    for (uint32_t row = 0; row < run_->rows; row++) {
      const uint32_t end = tile.offset[row + 1];
      tile.offset[row] = kept;
      for (; e < end; e++) {
        value[kept] = value[e];
        tile.place[kept] = tile.place[e];
        kept += value[e] != 0 ? 1 : 0;
      }
    }
    tile.offset[run_->rows] = kept;
  }

  // To where down reads h: the lists' values, or rows of all neurons.
  void store(Tile& tile, float* h) const {
    const FfnRun& run = *run_;
    if (run.keeps_lists()) {
      compact(tile, h);
      std::memcpy(run.h.data + tile.first, h, tile.entries(run.rows) * sizeof(float));
      return;
    }
    for (uint32_t row = 0; row < run.rows; row++) {
      float* out = run.h.row(row);
      for (uint32_t e = tile.offset[row]; e < tile.offset[row + 1]; e++) {
        out[run.op.neuron(tile.begin + tile.place[e])] = h[e];
      }
    }
  }

  std::shared_ptr<FfnRun> run_;
};

}  // namespace

std::unique_ptr<Stage> make_ffn_tiles(std::shared_ptr<FfnRun> run, ScratchNeeds& needs) {
  needs.need_floats(TilesStage::scratch_floats(*run, needs.max_rows));
  needs.need_indices(TilesStage::scratch_indices());
  needs.need_gemm(run->op.dim);
  const ScoreProduct* scored = run->selection->product();
  if (scored != nullptr) needs.need_gemm(scored->weight.matrix.columns);
  return std::make_unique<TilesStage>(std::move(run));
}

}  // namespace hearth
