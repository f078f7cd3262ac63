// Stages of a feed-forward block. The stages of both ways are in the list; each looks whether the
// step goes its way.
#include <utility>

#include "build.h"

namespace hearth {

namespace {

FfnOp read_ffn(Builder& builder, Reader& reader) {
  FfnOp op;
  op.x = builder.slot(reader);
  op.out = builder.slot(reader);
  op.adds = reader.index() != 0;
  op.layer = reader.index();
  op.dim = reader.index();
  op.neurons = reader.index();
  op.gating = static_cast<Gating>(reader.index());
  op.activation = static_cast<Activation>(reader.index());
  op.activation_threshold = static_cast<float>(reader.number());
  if (const Weight* gate = builder.optional_weight(reader)) op.gate = *gate;
  op.up = builder.weight(reader);
  op.up_bias = builder.optional_vector(reader);
  op.down_rows = reader.index() != 0;
  op.down = builder.weight(reader);
  op.down_bias = builder.optional_vector(reader);
  if (!reader.none()) {
    const uint32_t count = reader.index();
    op.subset = builder.optional_array<uint32_t>(reader, count);
    op.subset_count = count;
  }
  if (const Weight* channels = builder.optional_weight(reader)) op.gate_channels = *channels;
  if (const Weight* channels = builder.optional_weight(reader)) op.up_channels = *channels;
  return op;
}

// Gate and up over the channels of x that are not zero. Lists of a subset's neurons are another
// axis: there the copies are of no use.
void build_channels(Builder& builder, FfnRun& run) {
  const FfnOp& op = run.op;
  if (op.up_channels.kernels == nullptr || op.subset != nullptr) return;
  run.channels = builder.channel_products(builder.channel_lists(op.x));
  if (op.gated()) run.channels->add(op.gate, op.gate_channels, nullptr);
  run.channels->add(op.up, op.up_channels, nullptr);
  builder.add_channel_sums(run.channels);
}

}  // namespace

std::unique_ptr<Selection> read_selection(Builder& builder, Reader& reader, const FfnOp& op) {
  switch (static_cast<FfnMethod>(reader.index())) {
    case FfnMethod::kDense:
      return select_all();
    case FfnMethod::kGate:
      return select_open_gates();
    case FfnMethod::kMlp:
      return read_predictor(builder, reader);
    case FfnMethod::kSign:
      return read_signs(builder, reader, op);
    case FfnMethod::kThresholdGate:
      return read_gate_threshold(reader);
    case FfnMethod::kThresholdOutput:
      return read_output_threshold(builder, reader, op);
  }
  throw std::runtime_error("program: unknown sparsity method");
}

void build_ffn(Builder& builder, Reader& reader) {
  auto run = std::make_shared<FfnRun>();
  run->op = read_ffn(builder, reader);
  run->selection = read_selection(builder, reader, run->op);
  const FfnOp& op = run->op;
  Executable& executable = builder.executable();
  executable.meters.emplace_back(op.layer, op.candidates());
  executable.subsets.push_back(Subset{const_cast<uint32_t*>(op.subset), op.subset_count});
  run->meter = &executable.meters.back();
  run->kernels = &builder.kernels();
  run->scratch = &executable.ffn_scratch;
  run->sums = &executable.channels.sums;
  run->h = builder.shared_rows(SharedRows::kHidden, op.neurons, op.x.outputs);

  builder.add(make_ffn_start(run));
  run->selection->add_stages(builder, *run);
  if (op.gated()) run->x_gate = builder.prepare(op.x, op.gate);
  run->x_up = builder.prepare(op.x, op.up);
  build_channels(builder, *run);
  builder.add(make_ffn_select(run, builder.needs()));
  builder.add(make_ffn_active(run, builder.needs()));
  builder.add(make_ffn_dense(run, builder.needs()));
  builder.need_ffn(op, run->piece_room);
  builder.writes(run->h);
  if (op.down_rows) {
    builder.add(make_ffn_reduce(run));
    builder.add(make_ffn_down_rows(run, builder.needs()));
  } else {
    MatmulPart down;
    down.weight = op.down;
    down.bias = op.down_bias;
    down.out = op.out;
    down.adds = op.adds;
    builder.matmul(run->h, down);
  }
  builder.writes(op.out);
  builder.add(make_ffn_end(run));
}

}  // namespace hearth
