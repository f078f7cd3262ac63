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

void build_op(Builder& builder, const EmbedRecord& from) {
  EmbedOp op{};
  op.out = builder.slot(from.out);
  op.table = builder.weight(from.table);
  op.positions = builder.optional_weight(from.positions);
  op.position_offset = whole(from.offset);
  op.scale = static_cast<float>(from.scale);
  builder.writes(op.out);
  builder.add(make_embed(builder.kernels(), std::move(op)));
}

void build_op(Builder& builder, const NormRecord& from) {
  NormOp op{};
  op.rms = static_cast<NormForm>(whole(from.form)) == NormForm::kRms;
  op.x = builder.slot(from.x);
  op.out = builder.slot(from.out);
  op.groups = whole(from.groups);
  op.weight = builder.optional_vector(from.weight);
  op.bias = builder.optional_vector(from.bias);
  op.epsilon = static_cast<float>(from.epsilon);
  builder.writes(op.out);
  builder.add(make_norm(builder.kernels(), op));
}

void build_op(Builder& builder, const MatmulRecord& from) {
  MatmulPart part;
  part.out = builder.slot(from.out);
  part.adds = from.adds != 0;
  part.weight = builder.weight(from.weight);
  part.bias = builder.optional_vector(from.bias);
  part.channels = builder.optional_weight(from.channels);
  builder.matmul(builder.slot(from.x), std::move(part));
}

void build_op(Builder& builder, const RopeRecord& from) {
  RopeOp op{};
  op.x = builder.slot(from.x);
  op.heads = whole(from.heads);
  op.pairing = static_cast<RopePairing>(whole(from.pairing));
  const ArraySpec frequencies = builder.array(from.frequencies);
  op.table = builder.rope_table(op.x, frequencies, static_cast<float>(from.magnitude));
  builder.writes(op.x);
  builder.add(make_rope(builder.kernels(), op));
}

void build_op(Builder& builder, const StoreKvRecord& from) {
  const Slot k = builder.slot(from.k);
  const Slot v = builder.slot(from.v);
  builder.add(make_store_kv(builder.cache().layer(whole(from.layer)), k, v));
}

void build_op(Builder& builder, const AttentionRecord& from) {
  AttentionOp op{};
  op.layer = &builder.cache().layer(whole(from.layer));
  op.q = builder.slot(from.q);
  op.out = builder.slot(from.out);
  op.heads = whole(from.heads);
  op.scale = static_cast<float>(from.scale);
  op.window = whole(from.window);
  op.soft_cap = static_cast<float>(from.soft_cap);
  op.sinks = builder.optional_vector(from.sinks);
  builder.attention(op);
}

void build_op(Builder& builder, const ConvolveRecord& from) {
  ConvolveOp op{};
  op.layer = whole(from.layer);
  op.x = builder.slot(from.x);
  op.out = builder.slot(from.out);
  op.weights = builder.transposed(from.weight);
  builder.writes(op.out);
  builder.add(make_convolve(builder.kernels(), builder.executable().states, op));
}

void build_op(Builder& builder, const DeltaRuleRecord& from) {
  DeltaRuleOp op{};
  op.layer = whole(from.layer);
  op.x = builder.slot(from.x);
  op.decay = builder.slot(from.decay);
  op.strength = builder.slot(from.strength);
  op.out = builder.slot(from.out);
  op.key_heads = whole(from.key_heads);
  op.key_run = whole(from.key_run);
  op.rate = builder.optional_vector(from.rate);
  op.bias = builder.optional_vector(from.bias);
  op.epsilon = static_cast<float>(from.epsilon);
  builder.writes(op.out);
  builder.add(make_delta_rule(builder.kernels(), builder.executable().states, op));
}

void build_op(Builder& builder, const ActivateRecord& from) {
  ActivateOp op{};
  op.gating = static_cast<Gating>(whole(from.gating));
  op.activation = static_cast<Activation>(whole(from.activation));
  op.threshold = static_cast<float>(from.threshold);
  op.gate = builder.optional_slot(from.gate);
  op.up = builder.slot(from.up);
  op.out = builder.slot(from.out);
  builder.writes(op.out);
  builder.add(make_activate(builder.kernels(), op));
}

void build_op(Builder& builder, const MaskRecord& from) {
  MaskOp op{};
  op.x = builder.slot(from.x);
  op.out = builder.slot(from.out);
  op.value = static_cast<float>(from.value);
  op.norms = builder.optional_array<float>(from.norms, op.x.width);
  builder.writes(op.out);
  builder.add(make_mask(op));
}

// x and out of an op that has nothing else; out's contents change.
struct Move {
  Slot x;
  Slot out;
};

template <typename Record>
Move move_of(Builder& builder, const Record& from) {
  const Move move{builder.slot(from.x), builder.slot(from.out)};
  builder.writes(move.out);
  return move;
}

void build_op(Builder& builder, const AddRecord& from) {
  const Move move = move_of(builder, from);
  builder.add(make_add(builder.kernels(), move.x, move.out, static_cast<float>(from.factor)));
}

void build_op(Builder& builder, const ScaleRecord& from) {
  ScaleOp op{};
  op.x = builder.slot(from.x);
  op.out = builder.slot(from.out);
  op.factor = static_cast<float>(from.factor);
  op.cap = static_cast<float>(from.cap);
  op.length = whole(from.length);
  op.factors = builder.optional_array<float>(from.factors, whole(from.factor_count));
  builder.writes(op.out);
  builder.add(make_scale(builder.kernels(), op));
}

void build_op(Builder& builder, const CopyRecord& from) {
  const Move move = move_of(builder, from);
  builder.add(make_copy(move.x, move.out));
}

void build_op(Builder& builder, const PartRecord& from) {
  const Move move = move_of(builder, from);
  builder.add(make_part(PartOp{move.x, move.out, whole(from.groups), whole(from.first)}));
}

void build_op(Builder& builder, const SelectRecord& from) {
  const Move move = move_of(builder, from);
  builder.add(make_select(move.x, move.out));
}

void build_op(Builder& builder, const ArgmaxRecord& from) {
  const Move move = move_of(builder, from);
  builder.add(make_argmax(builder.kernels(), move.x, move.out));
}

void build_op(Builder& builder, const PublishRecord& from) { builder.publish(whole(from.slot)); }

void build_next(Builder& builder, Reader& reader) {
  switch (reader.code<OpCode>()) {
    case OpCode::kEmbed:
      return build_op(builder, reader.record<EmbedRecord>());
    case OpCode::kNorm:
      return build_op(builder, reader.record<NormRecord>());
    case OpCode::kMatmul:
      return build_op(builder, reader.record<MatmulRecord>());
    case OpCode::kRope:
      return build_op(builder, reader.record<RopeRecord>());
    case OpCode::kStoreKv:
      return build_op(builder, reader.record<StoreKvRecord>());
    case OpCode::kAttention:
      return build_op(builder, reader.record<AttentionRecord>());
    case OpCode::kConvolve:
      return build_op(builder, reader.record<ConvolveRecord>());
    case OpCode::kDeltaRule:
      return build_op(builder, reader.record<DeltaRuleRecord>());
    case OpCode::kActivate:
      return build_op(builder, reader.record<ActivateRecord>());
    case OpCode::kFfn:
      return build_ffn(builder, reader);
    case OpCode::kPredict:
      return build_predict(builder, reader);
    case OpCode::kRoute:
      return build_route(builder, reader.record<RouteRecord>());
    case OpCode::kExperts:
      return build_experts(builder, reader.record<ExpertsRecord>());
    case OpCode::kMask:
      return build_op(builder, reader.record<MaskRecord>());
    case OpCode::kAdd:
      return build_op(builder, reader.record<AddRecord>());
    case OpCode::kScale:
      return build_op(builder, reader.record<ScaleRecord>());
    case OpCode::kCopy:
      return build_op(builder, reader.record<CopyRecord>());
    case OpCode::kPart:
      return build_op(builder, reader.record<PartRecord>());
    case OpCode::kSelect:
      return build_op(builder, reader.record<SelectRecord>());
    case OpCode::kArgmax:
      return build_op(builder, reader.record<ArgmaxRecord>());
    case OpCode::kPublish:
      return build_op(builder, reader.record<PublishRecord>());
  }
  throw std::runtime_error("program: unknown op code");
}

}  // namespace

std::shared_ptr<Executable> build(const Kernels& kernels, uint32_t threads, ProgramSpec spec) {
  auto executable = std::make_shared<Executable>(kernels, spec.kv, spec.states);
  Builder builder(*executable, spec, threads);
  for (const std::vector<double>& codes : spec.segments) {
    builder.begin_segment();
    Reader reader(codes);
    while (!reader.at_end()) build_next(builder, reader);
    builder.end_segment();
  }
  builder.finish();
  executable->sources = std::move(spec.sources);
  return executable;
}

}  // namespace hearth
