// Turns the numbers of a program into stages: resolves slots and weights to pointers, shares prepared inputs between
// matmuls that read the same rows, and joins such matmuls into one stage. Runs once per executable.
#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>

#include "build.h"

namespace hearth {

namespace {

/** Ops by their code; each case reads its fields in the order of program.h. */
void build_op(Builder& builder, Reader& reader) {
  const Kernels& kernels = builder.kernels();
  switch (static_cast<OpCode>(reader.index())) {
    case OpCode::kEmbed: {
      const Slot out = builder.slot(reader);
      const Weight table = builder.weight(reader);
      const Weight* positions = builder.optional_weight(reader);
      const uint32_t offset = reader.index();
      builder.writes(out);
      builder.add(make_embed(
          kernels, EmbedOp{out, table, positions, offset, static_cast<float>(reader.number())}));
      return;
    }
    case OpCode::kNorm: {
      NormOp op{};
      op.rms = reader.index() == 0;
      op.x = builder.slot(reader);
      op.out = builder.slot(reader);
      op.groups = reader.index();
      op.weight = builder.optional_vector(reader);
      op.bias = builder.optional_vector(reader);
      op.epsilon = static_cast<float>(reader.number());
      builder.writes(op.out);
      builder.add(make_norm(kernels, op));
      return;
    }
    case OpCode::kMatmul: {
      const Slot x = builder.slot(reader);
      MatmulPart part;
      part.out = builder.slot(reader);
      part.adds = reader.index() != 0;
      part.weight = builder.weight(reader);
      part.bias = builder.optional_vector(reader);
      builder.matmul(x, std::move(part));
      return;
    }
    case OpCode::kRope: {
      RopeOp op{};
      op.x = builder.slot(reader);
      op.heads = reader.index();
      op.pairing = reader.index() == 0 ? RopePairing::kAdjacent : RopePairing::kHalves;
      const ArraySpec frequencies = builder.array(reader);
      op.table = builder.rope_table(op.x, frequencies, static_cast<float>(reader.number()));
      builder.writes(op.x);
      builder.add(make_rope(kernels, op));
      return;
    }
    case OpCode::kStoreKv: {
      const uint32_t layer = reader.index();
      const Slot k = builder.slot(reader);
      builder.add(make_store_kv(builder.cache(), layer, k, builder.slot(reader)));
      return;
    }
    case OpCode::kAttention: {
      AttentionOp op{};
      op.layer = reader.index();
      op.q = builder.slot(reader);
      op.out = builder.slot(reader);
      op.heads = reader.index();
      op.scale = static_cast<float>(reader.number());
      builder.attention(op);
      return;
    }
    case OpCode::kActivate: {
      ActivateOp op{};
      op.gating = static_cast<Gating>(reader.index());
      op.activation = static_cast<Activation>(reader.index());
      op.threshold = static_cast<float>(reader.number());
      op.gate = builder.optional_slot(reader);
      op.up = builder.slot(reader);
      op.out = builder.slot(reader);
      builder.writes(op.out);
      builder.add(make_activate(kernels, op));
      return;
    }
    case OpCode::kFfn:
      build_ffn(builder, reader);
      return;
    case OpCode::kAdd:
    case OpCode::kCopy:
    case OpCode::kSelect:
    case OpCode::kArgmax:
      throw std::logic_error("handled by build_move");
    case OpCode::kPublish:
      builder.publish(reader.index());
      return;
  }
  throw std::runtime_error("program: unknown op code");
}

/** The ops that read x and write out, with nothing else to them. */
bool build_move(Builder& builder, Reader& reader) {
  const auto code = static_cast<OpCode>(reader.peek());
  if (code != OpCode::kAdd && code != OpCode::kCopy && code != OpCode::kSelect &&
      code != OpCode::kArgmax) {
    return false;
  }
  reader.index();
  const Slot x = builder.slot(reader);
  const Slot out = builder.slot(reader);
  builder.writes(out);
  if (code == OpCode::kAdd) builder.add(make_add(builder.kernels(), x, out));
  if (code == OpCode::kCopy) builder.add(make_copy(x, out));
  if (code == OpCode::kSelect) builder.add(make_select(x, out));
  if (code == OpCode::kArgmax) builder.add(make_argmax(builder.kernels(), x, out));
  return true;
}

}  // namespace

std::shared_ptr<Executable> build(const Kernels& kernels, uint32_t threads, ProgramSpec spec) {
  auto executable = std::make_shared<Executable>(kernels, spec.kv);
  Builder builder(*executable, spec);
  for (const std::vector<double>& codes : spec.segments) {
    builder.begin_segment();
    Reader reader(codes);
    while (!reader.at_end()) {
      if (!build_move(builder, reader)) build_op(builder, reader);
    }
    builder.end_segment();
  }
  builder.finish(threads);
  executable->sources = std::move(spec.sources);
  return executable;
}

}  // namespace hearth
