// Turns the numbers of a program into stages: resolves slots and weights to pointers, shares
// prepared inputs between matmuls that read the same rows, and joins such matmuls into one stage.
// Runs once per executable.
#include "build.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>

namespace hearth {

namespace {

void build_embed(Builder& builder, Reader& reader) {
  const Slot out = builder.slot(reader);
  const Weight table = builder.weight(reader);
  const Weight* positions = builder.optional_weight(reader);
  const uint32_t offset = reader.index();
  const auto scale = static_cast<float>(reader.number());
  builder.writes(out);
  builder.add(make_embed(builder.kernels(), EmbedOp{out, table, positions, offset, scale}));
}

void build_norm(Builder& builder, Reader& reader) {
  NormOp op{};
  op.rms = reader.index() == 0;
  op.x = builder.slot(reader);
  op.out = builder.slot(reader);
  op.groups = reader.index();
  op.weight = builder.optional_vector(reader);
  op.bias = builder.optional_vector(reader);
  op.epsilon = static_cast<float>(reader.number());
  builder.writes(op.out);
  builder.add(make_norm(builder.kernels(), op));
}

void build_matmul(Builder& builder, Reader& reader) {
  const Slot x = builder.slot(reader);
  MatmulPart part;
  part.out = builder.slot(reader);
  part.adds = reader.index() != 0;
  part.weight = builder.weight(reader);
  part.bias = builder.optional_vector(reader);
  if (const Weight* channels = builder.optional_weight(reader)) part.channels = *channels;
  builder.matmul(x, std::move(part));
}

void build_rope(Builder& builder, Reader& reader) {
  RopeOp op{};
  op.x = builder.slot(reader);
  op.heads = reader.index();
  op.pairing = reader.index() == 0 ? RopePairing::kAdjacent : RopePairing::kHalves;
  const ArraySpec frequencies = builder.array(reader);
  op.table = builder.rope_table(op.x, frequencies, static_cast<float>(reader.number()));
  builder.writes(op.x);
  builder.add(make_rope(builder.kernels(), op));
}

void build_store_kv(Builder& builder, Reader& reader) {
  const uint32_t layer = reader.index();
  const Slot k = builder.slot(reader);
  const Slot v = builder.slot(reader);
  builder.add(make_store_kv(builder.cache(), layer, k, v));
}

void build_attention(Builder& builder, Reader& reader) {
  AttentionOp op{};
  op.layer = reader.index();
  op.q = builder.slot(reader);
  op.out = builder.slot(reader);
  op.heads = reader.index();
  op.scale = static_cast<float>(reader.number());
  builder.attention(op);
}

void build_activate(Builder& builder, Reader& reader) {
  ActivateOp op{};
  op.gating = static_cast<Gating>(reader.index());
  op.activation = static_cast<Activation>(reader.index());
  op.threshold = static_cast<float>(reader.number());
  op.gate = builder.optional_slot(reader);
  op.up = builder.slot(reader);
  op.out = builder.slot(reader);
  builder.writes(op.out);
  builder.add(make_activate(builder.kernels(), op));
}

void build_mask(Builder& builder, Reader& reader) {
  MaskOp op{};
  op.x = builder.slot(reader);
  op.out = builder.slot(reader);
  op.value = static_cast<float>(reader.number());
  op.norms = builder.optional_array<float>(reader, op.x.width);
  builder.writes(op.out);
  builder.add(make_mask(op));
}

// The ops that read x and write out, with nothing else to them.
void build_move(Builder& builder, Reader& reader, OpCode code) {
  const Slot x = builder.slot(reader);
  const Slot out = builder.slot(reader);
  builder.writes(out);
  if (code == OpCode::kAdd) builder.add(make_add(builder.kernels(), x, out));
  if (code == OpCode::kCopy) builder.add(make_copy(x, out));
  if (code == OpCode::kSelect) builder.add(make_select(x, out));
  if (code == OpCode::kArgmax) builder.add(make_argmax(builder.kernels(), x, out));
}

// One record. Its fields are read in the order of program.h.
void build_op(Builder& builder, Reader& reader) {
  const auto code = static_cast<OpCode>(reader.index());
  switch (code) {
    case OpCode::kEmbed:
      return build_embed(builder, reader);
    case OpCode::kNorm:
      return build_norm(builder, reader);
    case OpCode::kMatmul:
      return build_matmul(builder, reader);
    case OpCode::kRope:
      return build_rope(builder, reader);
    case OpCode::kStoreKv:
      return build_store_kv(builder, reader);
    case OpCode::kAttention:
      return build_attention(builder, reader);
    case OpCode::kActivate:
      return build_activate(builder, reader);
    case OpCode::kFfn:
      return build_ffn(builder, reader);
    case OpCode::kAdd:
    case OpCode::kCopy:
    case OpCode::kSelect:
    case OpCode::kArgmax:
      return build_move(builder, reader, code);
    case OpCode::kMask:
      return build_mask(builder, reader);
    case OpCode::kPublish:
      return builder.publish(reader.index());
  }
  throw std::runtime_error("program: unknown op code");
}

}  // namespace

std::shared_ptr<Executable> build(const Kernels& kernels, uint32_t threads, ProgramSpec spec) {
  auto executable = std::make_shared<Executable>(kernels, spec.kv);
  Builder builder(*executable, spec);
  for (const std::vector<double>& codes : spec.segments) {
    builder.begin_segment();
    Reader reader(codes);
    while (!reader.at_end()) build_op(builder, reader);
    builder.end_segment();
  }
  builder.finish(threads);
  executable->sources = std::move(spec.sources);
  return executable;
}

}  // namespace hearth
