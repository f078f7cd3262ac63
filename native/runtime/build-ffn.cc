// Stages of a feed-forward block. The stages of both ways are in the list; each looks whether the
// step goes its way.
#include <utility>

#include "build.h"

namespace hearth {

namespace {

FfnOp ffn_op(Builder& builder, const FfnRecord& from) {
  FfnOp op;
  op.x = builder.slot(from.x);
  op.out = builder.slot(from.out);
  op.adds = from.adds != 0;
  op.layer = whole(from.layer);
  op.dim = whole(from.dim);
  op.neurons = whole(from.neurons);
  op.gating = static_cast<Gating>(whole(from.gating));
  op.activation = static_cast<Activation>(whole(from.activation));
  op.activation_threshold = static_cast<float>(from.threshold);
  op.gate = builder.optional_weight(from.gate);
  op.gate_bias = builder.optional_vector(from.gate_bias);
  op.up = builder.weight(from.up);
  op.up_bias = builder.optional_vector(from.up_bias);
  op.down_rows = from.down_rows != 0;
  op.down = builder.weight(from.down);
  op.down_bias = builder.optional_vector(from.down_bias);
  op.hidden_norm = builder.optional_vector(from.hidden_norm);
  op.hidden_epsilon = static_cast<float>(from.hidden_epsilon);
  op.subset_count = whole(from.subset_count);
  op.subset = builder.optional_array<uint32_t>(from.subset, op.subset_count);
  op.gate_channels = builder.optional_weight(from.gate_channels);
  op.up_channels = builder.optional_weight(from.up_channels);
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
  switch (reader.code<FfnMethod>()) {
    case FfnMethod::kDense:
      return select_all();
    case FfnMethod::kGate:
      return select_open_gates();
    case FfnMethod::kMlp:
      return select_predicted(builder, reader.record<MlpMethodRecord>());
    case FfnMethod::kSign:
      return select_by_signs(builder, reader.record<SignMethodRecord>(), op);
    case FfnMethod::kThresholdGate:
      return select_large_gates(reader.record<ThresholdGateMethodRecord>());
    case FfnMethod::kThresholdOutput:
      return select_large_outputs(builder, reader.record<ThresholdOutputMethodRecord>(), op);
    case FfnMethod::kGiven:
      return select_given(builder, reader.record<GivenMethodRecord>());
  }
  throw std::runtime_error("program: unknown sparsity method");
}

void build_ffn(Builder& builder, Reader& reader) {
  auto run = std::make_shared<FfnRun>();
  run->op = ffn_op(builder, reader.record<FfnRecord>());
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

  const bool lists = run->selection->scores() != Scores::kNone;
  const bool reads_all = !lists && op.subset == nullptr;
  builder.add(make_ffn_start(run));
  if (reads_all && op.gated()) builder.reads(op.gate);
  if (reads_all) builder.reads(op.up);
  run->selection->add_stages(builder, *run);
  if (op.gated()) run->x_gate = builder.prepare(op.x, op.gate);
  run->x_up = builder.prepare(op.x, op.up);
  build_channels(builder, *run);
  builder.add(make_ffn_select(run, builder.needs()));
  builder.add(make_ffn_active(run, builder.needs()));
  if (lists) {
    builder.add(make_ffn_tiles(run, builder.needs()));
  } else {
    builder.add(make_ffn_dense(run, builder.needs()));
  }
  if (op.hidden_norm != nullptr) builder.add(make_ffn_norm(run));
  builder.need_ffn(*run);
  builder.writes(run->h);
  if (op.down_rows) {
    builder.add(make_ffn_reduce(run));
    if (reads_all) builder.reads(op.down);
    if (lists) builder.add(make_ffn_listed_down(run, builder.needs()));
    builder.add(make_ffn_dense_down(run, builder.needs()));
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
