// Layers with a state of fixed size: what each sequence's state is, and the stages that advance it
// row by row. Their equations are in src/ops/op.ts (convolve, delta-rule).
#pragma once

#include <memory>
#include <vector>

#include "stage.h"

namespace hearth {

// A layer's part of one state: the inputs that its convolution holds, and a matrix for each head.
struct RecurrentShape {
  size_t states = 0;  // of the sequences, then the checkpoints; 0 for a layer of another kind
  uint32_t positions = 0;
  uint32_t channels = 0;
  uint32_t heads = 0;
  uint32_t rows = 0;     // keys
  uint32_t columns = 0;  // values

  size_t inputs() const { return size_t{positions} * channels; }
  size_t matrix() const { return size_t{rows} * columns; }
  size_t floats() const { return inputs() + heads * matrix(); }
};

// The states of all layers: those of the sequences, then the checkpoints.
class RecurrentStates {
 public:
  explicit RecurrentStates(const std::vector<RecurrentShape>& layers);

  const RecurrentShape& shape(uint32_t layer) const { return layers_.at(layer); }
  // [positions, channels]
  float* inputs(uint32_t layer, size_t state) const;
  // [rows, columns]
  float* matrix(uint32_t layer, size_t state, uint32_t head) const;
  void copy(size_t from, size_t to);
  size_t bytes() const { return arena_.bytes(); }

 private:
  std::vector<RecurrentShape> layers_;
  std::vector<float*> data_;  // by layer: [states, floats]
  Arena arena_;
};

struct ConvolveOp {
  uint32_t layer;
  Slot x;
  Slot out;              // may be x
  const float* weights;  // [positions + 1, channels]
};

struct DeltaRuleOp {
  uint32_t layer;
  Slot x;  // q and k of the key heads, v of the heads
  Slot decay;
  Slot strength;
  Slot out;
  uint32_t key_heads;
  uint32_t key_run;   // heads in a row that share a key head
  const float* rate;  // [heads]
  const float* bias;  // [heads]
  float epsilon;
};

std::unique_ptr<Stage> make_convolve(const Kernels& kernels, const RecurrentStates& states,
                                     const ConvolveOp& op);
std::unique_ptr<Stage> make_delta_rule(const Kernels& kernels, const RecurrentStates& states,
                                       const DeltaRuleOp& op);

}  // namespace hearth
