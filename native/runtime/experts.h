// A mixture of experts: out (+)= Σ weight · (down(h(x)) + bias) over the experts that a router chose
// for each row, in rising order of their ids. src/ops/op.ts has the op.
//
// A pair is a row of the step with one of its experts that are computed here. Pairs are ordered by expert, so that the
// rows of an expert are neighbours and its weights are read once for all of them:
//
//   group   pairs by expert; their inputs side by side where an expert has many
//   hidden  h of every pair: chunks of an expert's neurons; the last one prepares h for down. With
//           few rows and an activation of the ReLU family gates come first, and of up only the rows
//           of neurons whose gate is open
//   sums    a chunk sums a stretch of columns of out over all experts
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#include "expert-meter.h"
#include "row-stages.h"
#include "stage.h"

namespace hearth {

// A matrix of each expert in one weight: that of expert e begins at row first + e · stride. Or each in
// a weight of its own, all of one type and shape.
struct StackedWeight {
  Weight weight;
  uint32_t first = 0;
  uint32_t stride = 0;
  std::vector<Weight> apart;  // by expert; empty: all are in `weight`

  // The rows from `row` on of the expert's matrix.
  Matrix from(uint32_t expert, size_t row) const {
    if (!apart.empty()) return apart[expert].from(row);
    return weight.from(first + size_t{expert} * stride + row);
  }
};

// A vector of each expert, as f32; data null for none.
struct StackedVector {
  const float* data = nullptr;
  size_t columns = 0;
  uint32_t first = 0;
  uint32_t stride = 0;

  const float* of(uint32_t expert) const {
    return data == nullptr ? nullptr : data + (first + size_t{expert} * stride) * columns;
  }
};

struct ExpertsOp {
  Slot x;
  Slot routes;
  Slot out;
  bool adds = false;
  uint32_t layer = 0;
  uint32_t count = 0;
  uint32_t neurons = 0;
  // Ids of the experts that are computed; null: all. Rows are routed to others, too.
  const uint32_t* subset = nullptr;
  uint32_t subset_count = 0;
  Gating gating = Gating::kUngated;
  Activation activation = Activation::kRelu;
  float activation_threshold = 0;
  StackedWeight gate;  // kernels null when ungated
  StackedVector gate_bias;
  StackedWeight up;
  StackedVector up_bias;
  StackedWeight down;
  StackedVector down_bias;

  bool gated() const { return gating != Gating::kUngated; }
  // Whether a gate that is not positive makes h 0, whatever up gives.
  bool gate_decides() const {
    const bool is_relu = activation == Activation::kRelu || activation == Activation::kRelu2 ||
                         activation == Activation::kFatRelu;
    return is_relu && (gating == Gating::kGated || gating == Gating::kBoth);
  }
  uint32_t candidates() const { return subset == nullptr ? count : subset_count; }
  uint32_t dim() const { return out.width; }
  uint32_t used() const { return routes.width / 2; }
};

// An input of the experts: a prepared row for each row of the step, and, where they were gathered,
// for each pair.
struct ExpertInput {
  PreparedX rows;
  uint8_t* gathered = nullptr;  // [pairs, row bytes]

  const uint8_t* of_pair(size_t pair) const { return gathered + pair * rows.row_bytes; }
};

// An expert that some row of the step chose.
struct ExpertGroup {
  uint32_t expert;
  uint32_t begin;  // its pairs
  uint32_t end;

  uint32_t pairs() const { return end - begin; }
};

// What the stages of one op share during a step.
struct ExpertsRun {
  ExpertsOp op;
  ExpertInput x_gate;
  ExpertInput x_up;
  float* h = nullptr;             // [pairs, neurons]
  uint8_t* prepared_h = nullptr;  // [pairs, h_bytes]
  size_t h_bytes = 0;             // of a prepared row
  const Kernels* kernels = nullptr;
  ExpertMeter* meter = nullptr;
  const bool* is_memory_scarce = nullptr;  // whether the chosen experts are read ahead

  // Of the current step:
  uint32_t rows = 0;
  uint32_t pairs = 0;
  bool gathered = false;            // some expert has enough rows for a product of matrices
  std::vector<ExpertGroup> groups;  // rising by expert; room for all
  uint32_t group_count = 0;
  std::vector<uint32_t> row_of;      // by pair
  std::vector<float> weight_of;      // by pair
  std::vector<uint32_t> cursor;      // by expert
  std::vector<uint8_t> computed;     // by expert: 1 for those that are computed here
  std::atomic<uint64_t> up_rows{0};  // that were read, where the gate decides
  std::chrono::steady_clock::time_point started;
};

// Orders the pairs; gathers their inputs where that pays.
std::unique_ptr<Stage> make_experts_group(std::shared_ptr<ExpertsRun> run);
std::unique_ptr<Stage> make_experts_hidden(std::shared_ptr<ExpertsRun> run, ScratchNeeds& needs);
std::unique_ptr<Stage> make_experts_sums(std::shared_ptr<ExpertsRun> run, ScratchNeeds& needs);
// Stops the clock and counts.
std::unique_ptr<Stage> make_experts_end(std::shared_ptr<ExpertsRun> run);

}  // namespace hearth
