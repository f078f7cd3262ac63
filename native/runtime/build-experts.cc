// Stages of a mixture of experts.
#include <utility>

#include "build.h"
#include "experts.h"
#include "route.h"

namespace hearth {

namespace {

// Where an expert's matrices lie, as the record says it.
struct StackFields {
  double weight;
  double first;
  double stride;
  double apart;
};

StackedWeight stacked(Builder& builder, const StackFields& from, uint32_t count) {
  StackedWeight stack;
  stack.weight = builder.optional_weight(from.weight);
  stack.first = whole(from.first);
  stack.stride = whole(from.stride);
  const uint32_t* indexes = builder.optional_array<uint32_t>(from.apart, count);
  for (uint32_t expert = 0; indexes != nullptr && expert < count; expert++) {
    stack.apart.push_back(builder.weight(indexes[expert]));
  }
  return stack;
}

StackedVector stacked_vector(Builder& builder, double weight, double first, double stride) {
  if (weight == -1) return StackedVector{};
  const size_t columns = builder.weight(weight).matrix.columns;
  return StackedVector{builder.widened(weight), columns, whole(first), whole(stride)};
}

ExpertsOp experts_op(Builder& builder, const ExpertsRecord& from) {
  ExpertsOp op;
  op.x = builder.slot(from.x);
  op.routes = builder.slot(from.routes);
  op.out = builder.slot(from.out);
  op.adds = from.adds != 0;
  op.layer = whole(from.layer);
  op.count = whole(from.count);
  op.neurons = whole(from.neurons);
  op.subset_count = whole(from.subset_count);
  op.subset = builder.optional_array<uint32_t>(from.subset, op.subset_count);
  op.gating = static_cast<Gating>(whole(from.gating));
  op.activation = static_cast<Activation>(whole(from.activation));
  op.activation_threshold = static_cast<float>(from.threshold);
  const StackFields gate{from.gate, from.gate_first, from.gate_stride, from.gate_apart};
  op.gate = stacked(builder, gate, op.count);
  op.gate_bias =
      stacked_vector(builder, from.gate_bias, from.gate_bias_first, from.gate_bias_stride);
  const StackFields up{from.up, from.up_first, from.up_stride, from.up_apart};
  op.up = stacked(builder, up, op.count);
  op.up_bias = stacked_vector(builder, from.up_bias, from.up_bias_first, from.up_bias_stride);
  const StackFields down{from.down, from.down_first, from.down_stride, from.down_apart};
  op.down = stacked(builder, down, op.count);
  op.down_bias =
      stacked_vector(builder, from.down_bias, from.down_bias_first, from.down_bias_stride);
  return op;
}

// So many bytes for each pair that a step may have.
uint8_t* pair_bytes(Builder& builder, SharedRows name, const ExpertsOp& op, size_t bytes) {
  const size_t pairs = size_t{builder.max_rows()} * op.used();
  return reinterpret_cast<uint8_t*>(builder.shared(name, pairs * bytes / sizeof(float)));
}

}  // namespace

void build_route(Builder& builder, const RouteRecord& from) {
  RouteOp op{};
  op.x = builder.slot(from.x);
  op.out = builder.slot(from.out);
  op.scores = static_cast<RouterScores>(whole(from.scores));
  op.bias = builder.optional_vector(from.bias);
  op.groups = whole(from.groups);
  op.groups_used = whole(from.groups_used);
  op.normalise = from.normalise != 0;
  op.scale = static_cast<float>(from.scale);
  op.factors = builder.optional_vector(from.factors);
  builder.writes(op.out);
  builder.add(make_route(builder.kernels(), op, builder.needs()));
}

void build_experts(Builder& builder, const ExpertsRecord& from) {
  auto run = std::make_shared<ExpertsRun>();
  run->op = experts_op(builder, from);
  const ExpertsOp& op = run->op;
  const size_t pairs = size_t{builder.max_rows()} * op.used();
  Executable& executable = builder.executable();
  executable.expert_meters.emplace_back(op.layer, op.candidates() * op.neurons);
  executable.expert_subsets.push_back(Subset{const_cast<uint32_t*>(op.subset), op.subset_count});
  run->meter = &executable.expert_meters.back();
  run->kernels = &builder.kernels();
  run->is_memory_scarce = &executable.is_memory_scarce;
  run->groups.resize(op.count);
  run->cursor.resize(op.count);
  run->computed.resize(op.count);
  run->row_of.resize(pairs);
  run->weight_of.resize(pairs);
  run->x_up.rows = builder.prepare(op.x, op.up.weight);
  run->x_up.gathered = pair_bytes(builder, SharedRows::kExpertInputs, op, run->x_up.rows.row_bytes);
  if (op.gated()) {
    run->x_gate.rows = builder.prepare(op.x, op.gate.weight);
    const bool same = run->x_gate.rows.data == run->x_up.rows.data;
    run->x_gate.gathered =
        same ? run->x_up.gathered
             : pair_bytes(builder, SharedRows::kGateInputs, op, run->x_gate.rows.row_bytes);
  }
  run->h = builder.shared(SharedRows::kExpertHidden, pairs * op.neurons);
  run->h_bytes = x_bytes(op.down.weight.type, op.neurons);
  run->prepared_h = pair_bytes(builder, SharedRows::kPreparedHidden, op, run->h_bytes);

  builder.add(make_experts_group(run));
  builder.add(make_experts_hidden(run, builder.needs()));
  builder.add(make_experts_sums(run, builder.needs()));
  builder.writes(op.out);
  builder.add(make_experts_end(run));
}

}  // namespace hearth
