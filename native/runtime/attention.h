// Attention over the KV cache, cut into tasks for the pool: blocks of rows of one sequence × KV
// heads × cuts of the positions. The cuts depend on positions only, and partial results are merged
// in order.
#pragma once

#include <memory>
#include <vector>

#include "kv-cache.h"
#include "stage.h"

namespace hearth {

struct AttentionOp {
  const KvLayer* layer;
  Slot q;
  Slot out;
  uint32_t heads;
  float scale;
  uint32_t window;     // a row sees so many positions, its own included; 0 for all
  float soft_cap;      // 0 for none
  const float* sinks;  // [heads], or null
};

// Partial results of cut positions, as large as the widest layer needs; layers run one after
// another, so one set serves them all.
struct AttentionPartials {
  float* out = nullptr;    // [rows, cuts, heads, value width]
  float* state = nullptr;  // [rows, cuts, heads, 2]
};

// The most rows of a step that cuts its positions; larger steps have enough rows to split.
constexpr uint32_t kMaxCutRows = 4;
// The most cuts of one row's positions.
constexpr uint32_t kMaxCuts = 32;

// Two stages: the attention, and the merge of cut positions (nothing when none was cut).
std::vector<std::unique_ptr<Stage>> make_attention(const Kernels& kernels,
                                                   const AttentionPartials* partials,
                                                   const AttentionOp& op, ScratchNeeds& needs);

}  // namespace hearth
