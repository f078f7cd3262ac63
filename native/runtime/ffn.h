// One feed-forward block: out (+)= down(h(x)) over its active neurons. The method decides which
// neurons are active; src/ops/op.ts has the methods and their equations.
//
// There are three ways through a block, chosen per step by the number of rows:
//
//   sparse  few rows: score → select → compacted lists → gathered dot products
//           → axpy over the rows of down
//   tiled   many rows: the same by tiles of neurons, in each of which every row has its list, so
//           that weights are read once for all rows
//   dense   the method dense, several rows: matrix products over all neurons
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "channels.h"
#include "listed-rows.h"
#include "meter.h"
#include "row-stages.h"
#include "selection.h"
#include "shown-set.h"
#include "stage.h"

namespace hearth {

struct FfnOp {
  uint32_t layer = 0;
  uint32_t dim = 0;
  uint32_t neurons = 0;
  Gating gating = Gating::kUngated;
  Activation activation = Activation::kRelu;
  float activation_threshold = 0;
  Weight gate;  // kernels null when ungated
  Weight up;
  Weight gate_channels;  // W^T, kernels null for none
  Weight up_channels;
  Weight down;
  bool down_rows = false;
  const float* gate_bias = nullptr;
  const float* up_bias = nullptr;
  const float* down_bias = nullptr;
  const float* hidden_norm = nullptr;  // of h before down, [neurons], or null; then no subset
  float hidden_epsilon = 0;
  const uint32_t* subset = nullptr;
  uint32_t subset_count = 0;
  Slot x;
  Slot out;
  bool adds = false;

  bool gated() const { return gating != Gating::kUngated; }
  // Neurons that may be computed: the subset, or all.
  uint32_t candidates() const { return subset == nullptr ? neurons : subset_count; }
  size_t neuron(size_t candidate) const {
    return subset == nullptr ? candidate : subset[candidate];
  }
};

struct FfnCounts {
  double active = 0;
  double rows = 0;
  double bytes_touched = 0;
  double predictor_ms = 0;
  double ms = 0;

  void operator+=(const FfnCounts& other) {
    active += other.active;
    rows += other.rows;
    bytes_touched += other.bytes_touched;
    predictor_ms += other.predictor_ms;
    ms += other.ms;
  }
};

// How often each candidate was active, over `rows` rows of steps that write answers.
struct NeuronCounts {
  uint32_t rows = 0;
  std::vector<uint32_t> active;  // by candidate
};

// The counts of one block.
class FfnMeter : public Meter<FfnCounts> {
 public:
  FfnMeter(uint32_t layer, uint32_t candidates) : layer_(layer), candidates_(candidates) {}
  uint32_t layer() const { return layer_; }
  uint32_t candidates() const { return candidates_; }
  // Counts the active candidates of `rows` lists, `stride` apart, once take_neurons was called.
  void count_neurons(const uint32_t* lists, size_t stride, const uint32_t* lengths, uint32_t rows);
  // Since the last call; the first call starts the counting.
  NeuronCounts take_neurons();
  ShownSet shown;

 private:
  uint32_t layer_;
  uint32_t candidates_;
  std::mutex neurons_mutex_;
  NeuronCounts neurons_;  // empty until the first call of take_neurons
};

enum class Way { kSparse, kTiled, kDense };

// Neurons of a tile: twice kGemmRowTile, and their places fit a byte.
constexpr uint32_t kTileNeurons = 64;

// The active neurons of many rows by tiles. Those of tile i lie from rows · kTileNeurons · i on, row
// behind row, and h of each lies at the same place of FfnRun::h.
struct TileLists {
  uint8_t* place = nullptr;    // of a neuron in its tile: [rows · neurons]
  uint32_t* offset = nullptr;  // of each row's list in its tile: [tiles, rows + 1]
};

// Memory that all blocks of an executable share; blocks run one after another.
struct FfnScratch {
  float* scores = nullptr;       // [sparse rows, neurons]: of each candidate
  uint32_t* selected = nullptr;  // [sparse rows, selection stride]: pieces, one per selecting chunk
  uint32_t* active = nullptr;    // [sparse rows, neurons + 16]: candidates, compacted
  size_t selection_stride = 0;
  TileLists tiles;
};

// What the stages of one block share during a step.
struct FfnRun {
  FfnOp op;
  PreparedX x_gate;
  PreparedX x_up;
  Slot h;
  std::unique_ptr<Selection> selection;
  const Kernels* kernels = nullptr;
  const FfnScratch* scratch = nullptr;
  const SharedSums* sums = nullptr;  // of down: [private sums, dim]
  // Of gate (if gated) and up, in this order; null without channels.
  std::shared_ptr<ChannelProducts> channels;
  FfnMeter* meter = nullptr;

  // Of the current step:
  uint32_t rows = 0;
  Way way = Way::kDense;
  std::vector<uint32_t> active_count;  // [sparse rows]
  ListCuts active_cuts;
  std::vector<float> active_squares;     // Σh² of each private sum, where h is normed
  std::vector<uint32_t> selected_count;  // [sparse rows, selecting chunks]
  uint32_t selecting_chunks = 0;
  uint32_t selecting_size = 0;
  size_t piece_room = 0;  // indices that the pieces of a row may need
  std::atomic<uint64_t> active_in_tiles{0};
  std::chrono::steady_clock::time_point started;
  double predictor_ms = 0;

  uint32_t tiles() const {
    return static_cast<uint32_t>(ceil_divide(op.candidates(), size_t{kTileNeurons}));
  }
  // Whether down takes the lists of a step by tiles, not rows of all neurons: a norm needs those.
  bool keeps_lists() const {
    return way == Way::kTiled && op.down_rows && op.hidden_norm == nullptr;
  }
  // Whether the gate of a predicted neuron shows, before up is read, that its h is exactly zero.
  bool gate_first() const {
    const bool rests = op.activation == Activation::kRelu || op.activation == Activation::kRelu2 ||
                       op.activation == Activation::kFatRelu;
    return selection->scores() == Scores::kPrediction && op.gated() && rests;
  }
};

// y[i] = W[neuron of candidate begin + i, :] · x
void candidate_dots(const FfnOp& op, const Weight& weight, const void* x, Range candidates,
                    float* y);
// y[i] += bias of candidate begin + i's neuron; bias null: nothing.
void add_bias(const FfnOp& op, const float* bias, Range candidates, float* y);

// Starts the clock; first of the block's stages.
std::unique_ptr<Stage> make_ffn_start(std::shared_ptr<FfnRun> run);
// Scores the candidates and selects the active ones; each chunk writes a piece of the list. Sparse
// way.
std::unique_ptr<Stage> make_ffn_select(std::shared_ptr<FfnRun> run, ScratchNeeds& needs);
// Joins the pieces; computes h of the active neurons and, if down is stored by rows, their share of
// the output. Sparse way.
std::unique_ptr<Stage> make_ffn_active(std::shared_ptr<FfnRun> run, ScratchNeeds& needs);
// out (+)= Σ groups + bias, in order. Sparse way, down in rows.
std::unique_ptr<Stage> make_ffn_reduce(std::shared_ptr<FfnRun> run);
// Computes h of the active candidates. Tiled way.
std::unique_ptr<Stage> make_ffn_tiles(std::shared_ptr<FfnRun> run, ScratchNeeds& needs);
// Computes h of all candidates. Dense way.
std::unique_ptr<Stage> make_ffn_dense(std::shared_ptr<FfnRun> run, ScratchNeeds& needs);
// Norms h in place, as down reads it, but where the sparse way does so itself (down in rows).
std::unique_ptr<Stage> make_ffn_norm(std::shared_ptr<FfnRun> run);
// out (+)= h · down (+ bias) with down in rows: of lists by tiles, and of rows of all neurons.
std::unique_ptr<Stage> make_ffn_listed_down(std::shared_ptr<FfnRun> run, ScratchNeeds& needs);
std::unique_ptr<Stage> make_ffn_dense_down(std::shared_ptr<FfnRun> run, ScratchNeeds& needs);
// Stops the clock and counts; last of the block's stages.
std::unique_ptr<Stage> make_ffn_end(std::shared_ptr<FfnRun> run);

// Smallest float above 0: "not zero" for select_magnitude.
constexpr float kNotZero = 1.401298464e-45f;

}  // namespace hearth
