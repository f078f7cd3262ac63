// Stages that treat each row by itself: embed, norm, rope, store-kv, activate, mask, add, scale,
// copy, part, select, argmax and the preparation of a matmul's input. Their equations are in
// src/ops/op.ts.
#pragma once

#include <memory>
#include <vector>

#include "kv-cache.h"
#include "stage.h"

namespace hearth {

// Rows of a slot in the form that a weight type's dot products read.
struct PreparedX {
  Slot slot;
  WeightType type = WeightType::kF32;
  size_t row_bytes = 0;
  uint8_t* data = nullptr;

  const void* row(size_t index) const { return data + index * row_bytes; }
};

struct EmbedOp {
  Slot out;
  Weight table;
  Weight positions;  // kernels null: none
  uint32_t position_offset;
  float scale;
};

struct NormOp {
  bool rms;
  Slot x;
  Slot out;
  uint32_t groups;
  const float* weight;  // [width / groups], or null
  const float* bias;
  float epsilon;
};

// cos and sin of every row of the step, computed once and read by the ropes of all layers.
struct RopeTable {
  std::vector<float> frequencies;
  float magnitude = 1;
  float* cosine = nullptr;  // [rows, pairs]
  float* sine = nullptr;
};

struct RopeOp {
  Slot x;
  uint32_t heads;
  RopePairing pairing;
  const RopeTable* table;
};

struct ActivateOp {
  Gating gating;
  Activation activation;
  float threshold;
  const Slot* gate;  // null when ungated
  Slot up;
  Slot out;
};

struct MaskOp {
  Slot x;
  Slot out;  // may be x
  float value;
  const float* norms;  // [width], or null: 1
};

// Elements [first, first + out width / groups) of each group of x.
struct PartOp {
  Slot x;
  Slot out;
  uint32_t groups;
  uint32_t first;
};

struct ScaleOp {
  Slot x;
  Slot out;  // may be x
  float factor;
  float cap;             // 0: none
  uint32_t length;       // positions that share a factor
  const float* factors;  // one for each stretch of positions, or null: 1
};

std::unique_ptr<Stage> make_embed(const Kernels& kernels, EmbedOp op);
std::unique_ptr<Stage> make_norm(const Kernels& kernels, NormOp op);
std::unique_ptr<Stage> make_rope_angles(const Slot& x, const RopeTable* table);
std::unique_ptr<Stage> make_rope(const Kernels& kernels, RopeOp op);
std::unique_ptr<Stage> make_store_kv(const KvLayer& layer, Slot k, Slot v);
std::unique_ptr<Stage> make_activate(const Kernels& kernels, ActivateOp op);
std::unique_ptr<Stage> make_mask(MaskOp op);
std::unique_ptr<Stage> make_add(const Kernels& kernels, Slot x, Slot out, float factor);
std::unique_ptr<Stage> make_scale(const Kernels& kernels, ScaleOp op);
std::unique_ptr<Stage> make_copy(Slot x, Slot out);
std::unique_ptr<Stage> make_part(PartOp op);
std::unique_ptr<Stage> make_select(Slot x, Slot out);
std::unique_ptr<Stage> make_argmax(const Kernels& kernels, Slot x, Slot out);
std::unique_ptr<Stage> make_prepare(const Weight& reader, PreparedX prepared);

}  // namespace hearth
