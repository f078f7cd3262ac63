// See attention.h.
#include "attention.h"

#include <algorithm>
#include <utility>

namespace hearth {

namespace {

// Positions per cut: about 10 us of work for a KV head of 8 × 64 with f16; a multiple of the
// kernels' tile of 64.
constexpr uint32_t kCutPositions = 256;
// Rows of one sequence that share a pass over the positions: few enough to leave tasks for every
// thread.
constexpr uint32_t kRowsPerBlock = 16;

// Rows that one task computes for one KV head: one sequence, rising positions.
struct RowBlock {
  uint32_t first;
  uint32_t count;
  uint32_t begin;  // of the positions that its rows see, in whole tiles
  uint32_t cuts;
  uint32_t cut_positions;
  uint32_t first_chunk;
};

// Shared by the attention stage, which writes it in begin(), and the merge stage.
struct AttentionPlan {
  std::vector<RowBlock> blocks;
  std::vector<uint32_t> seen;     // [rows of the step]: the first position that a row sees
  std::vector<uint32_t> visible;  // [rows of the step]: one behind the last
  bool cut = false;
};

class AttentionStage final : public Stage {
 public:
  AttentionStage(const Kernels& kernels, const AttentionPartials* partials, const AttentionOp& op,
                 std::shared_ptr<AttentionPlan> plan)
      : attention_(kernels.vector.attention),
        partials_(partials),
        op_(op),
        plan_(std::move(plan)) {}

  Phase begin(const Step& step) override {
    plan_->blocks.clear();
    plan_->cut = false;
    size_t work = 0;
    uint32_t chunks = 0;
    for (uint32_t row = 0; row < step.rows;) {
      RowBlock block = block_at(step, row);
      block.first_chunk = chunks;
      chunks += block.cuts * op_.layer->shape().kv_heads;
      for (uint32_t i = 0; i < block.count; i++) {
        plan_->visible[row + i] = step.position[row + i] + 1;
        plan_->seen[row + i] = first_seen(step.position[row + i]);
        work += plan_->visible[row + i] - plan_->seen[row + i];
      }
      plan_->cut = plan_->cut || block.cuts > 1;
      plan_->blocks.push_back(block);
      row += block.count;
    }
    // Bytes of keys and values that are read, as a measure of the work.
    const KvLayer& layer = *op_.layer;
    const size_t bytes =
        work * (layer.key_stride() + layer.value_stride()) * layer.shape().kv_heads;
    return Phase{chunks, bytes >= 512 * 1024};
  }

  void chunk(const Step& step, uint32_t index, const Scratch& scratch) override {
    const auto after = std::upper_bound(
        plan_->blocks.begin(), plan_->blocks.end(), index,
        [](uint32_t value, const RowBlock& block) { return value < block.first_chunk; });
    const RowBlock& block = *(after - 1);
    const uint32_t kv_head = (index - block.first_chunk) / block.cuts;
    const uint32_t cut = (index - block.first_chunk) % block.cuts;
    const KvLayer& layer = *op_.layer;
    const KvLayerShape& shape = layer.shape();
    const uint32_t group = op_.heads / shape.kv_heads;
    const uint32_t sequence = step.sequence[block.first];
    const uint32_t end = plan_->visible[block.first + block.count - 1];
    const size_t head = static_cast<size_t>(kv_head) * group;
    const size_t partial = (static_cast<size_t>(block.first) * kMaxCuts + cut) * op_.heads + head;
    const bool partly = block.cuts > 1;
    const uint32_t begin = block.begin + cut * block.cut_positions;
    // The first cut has the sink for all of them.
    const bool has_sinks = op_.sinks != nullptr && cut == 0;
    AttentionTask task{};
    task.type = layer.type();
    task.k = KvHead{layer.keys(sequence, kv_head), shape.key_width, layer.key_stride()};
    task.v = KvHead{layer.values(sequence, kv_head), shape.value_width, layer.value_stride()};
    task.cells = shape.cells;
    task.heads = group;
    task.rows = block.count;
    task.q = op_.q.row(block.first) + head * shape.key_width;
    task.q_stride = op_.q.width;
    task.positions = Range{begin, std::min(begin + block.cut_positions, end)};
    task.first = op_.window == 0 ? nullptr : &plan_->seen[block.first];
    task.visible = &plan_->visible[block.first];
    task.scale = op_.scale;
    task.soft_cap = op_.soft_cap;
    task.sinks = has_sinks ? op_.sinks + head : nullptr;
    task.out = partly ? partials_->out + partial * shape.value_width
                      : op_.out.row(block.first) + head * shape.value_width;
    task.out_stride = op_.out.width;
    task.state = partly ? partials_->state + partial * 2 : nullptr;
    task.scratch = scratch.attention;
    attention_(task);
  }

 private:
  uint32_t first_seen(uint32_t position) const {
    return op_.window == 0 || position < op_.window ? 0 : position + 1 - op_.window;
  }

  RowBlock block_at(const Step& step, uint32_t row) const {
    RowBlock block{};
    block.first = row;
    block.count = 1;
    block.cuts = 1;
    block.begin = first_seen(step.position[row]) / 64 * 64;
    const auto follows = [&](uint32_t next) {
      return next < step.rows && step.sequence[next] == step.sequence[row] &&
             step.position[next] > step.position[next - 1];
    };
    // In a small step each row is a block of its own: its positions can be cut, and a row that is
    // verified in a batch of drafts rounds as in decode.
    const uint32_t most = step.rows <= kMaxCutRows ? 1 : kRowsPerBlock;
    while (block.count < most && follows(row + block.count)) block.count++;
    const uint32_t positions = step.position[row + block.count - 1] + 1 - block.begin;
    block.cut_positions = static_cast<uint32_t>(round_up(positions, 64));
    if (step.rows <= kMaxCutRows) {
      const size_t even = round_up(ceil_divide(positions, kMaxCuts), 64);
      block.cut_positions = std::max(kCutPositions, static_cast<uint32_t>(even));
      block.cuts = static_cast<uint32_t>(ceil_divide(positions, block.cut_positions));
    }
    return block;
  }

  void (*attention_)(const AttentionTask&);
  const AttentionPartials* partials_;
  AttentionOp op_;
  std::shared_ptr<AttentionPlan> plan_;
};

class MergeStage final : public Stage {
 public:
  MergeStage(const Kernels& kernels, const AttentionPartials* partials, const AttentionOp& op,
             std::shared_ptr<AttentionPlan> plan)
      : merge_(kernels.vector.attention_merge),
        head_dim_(op.layer->shape().value_width),
        partials_(partials),
        op_(op),
        plan_(std::move(plan)) {}

  Phase begin(const Step&) override {
    if (!plan_->cut) return Phase{0, false};
    size_t floats = 0;
    for (const RowBlock& block : plan_->blocks) floats += block.cuts * op_.out.width;
    // Cuts exist in small steps only, where each block is one row.
    const uint32_t chunks = static_cast<uint32_t>(plan_->blocks.size()) * op_.heads;
    // Up to about 5 us of work: as quick as another phase.
    if (floats > 16384) return Phase{chunks, false};
    for (uint32_t index = 0; index < chunks; index++) merge(index);
    return Phase{0, false};
  }

  void chunk(const Step&, uint32_t index, const Scratch&) override { merge(index); }

 private:
  void merge(uint32_t index) const {
    const RowBlock& block = plan_->blocks[index / op_.heads];
    const uint32_t head = index % op_.heads;
    if (block.cuts <= 1) return;
    const float* parts[kMaxCuts];
    const float* states[kMaxCuts];
    for (uint32_t cut = 0; cut < block.cuts; cut++) {
      const size_t at = (static_cast<size_t>(block.first) * kMaxCuts + cut) * op_.heads + head;
      parts[cut] = partials_->out + at * head_dim_;
      states[cut] = partials_->state + at * 2;
    }
    merge_(AttentionMergeTask{parts, states, block.cuts, head_dim_,
                              op_.out.row(block.first) + head * head_dim_});
  }

  void (*merge_)(const AttentionMergeTask&);
  size_t head_dim_;
  const AttentionPartials* partials_;
  AttentionOp op_;
  std::shared_ptr<AttentionPlan> plan_;
};

}  // namespace

std::vector<std::unique_ptr<Stage>> make_attention(const Kernels& kernels,
                                                   const AttentionPartials* partials,
                                                   const AttentionOp& op, ScratchNeeds& needs) {
  needs.attention = true;
  auto plan = std::make_shared<AttentionPlan>();
  plan->seen.resize(needs.max_rows);
  plan->visible.resize(needs.max_rows);
  plan->blocks.reserve(needs.max_rows);
  std::vector<std::unique_ptr<Stage>> stages;
  stages.push_back(std::make_unique<AttentionStage>(kernels, partials, op, plan));
  stages.push_back(std::make_unique<MergeStage>(kernels, partials, op, plan));
  return stages;
}

}  // namespace hearth
