// A router's choice: the experts of highest score for each row, and their weights. The equations are
// in src/ops/op.ts.
#pragma once

#include <memory>

#include "program-records.h"
#include "stage.h"

namespace hearth {

struct RouteOp {
  Slot x;    // [rows, experts]: logits
  Slot out;  // [rows, 2 used]: ids in order of choice, then their weights
  RouterScores scores;
  const float* bias;     // [experts], or null: added for the choice
  uint32_t groups;       // equal ones, in order; 1 for none
  uint32_t groups_used;  // of these
  bool normalise;
  float scale;
  const float* factors;  // [experts], or null: of the weights

  uint32_t experts() const { return x.width; }
  uint32_t used() const { return out.width / 2; }
};

std::unique_ptr<Stage> make_route(const Kernels& kernels, const RouteOp& op, ScratchNeeds& needs);

}  // namespace hearth
