// Scores the candidates and selects the active ones, for steps of few rows. See ffn.h.
#include <algorithm>
#include <utility>

#include "ffn.h"
#include "matmul.h"

namespace hearth {

namespace {

// Candidates per chunk where the scores are sums over channels that need only be joined.
constexpr uint32_t kJoinedCandidates = 512;

// Bytes that scoring one candidate reads.
size_t score_bytes(const FfnRun& run) {
  const FfnOp& op = run.op;
  const size_t gate = op.gated() ? op.gate.matrix.row_bytes : 0;
  const size_t up = op.up.matrix.row_bytes;
  switch (run.selection->scores()) {
    case Scores::kNone:
      return 0;
    case Scores::kPrediction:
      return run.selection->predictor_bytes().per_candidate;
    case Scores::kGate:
      return op.gated() ? gate : up;
    case Scores::kHidden:
      return gate + up;
  }
  return 0;
}

// Candidates that one chunk scores: about 64 KB of what is read for them.
uint32_t candidates_per_chunk(const FfnRun& run) {
  return rows_per_vector_chunk(run.op.candidates(), std::max<size_t>(1, score_bytes(run)));
}

// Cuts the candidates into pieces of `size`: a chunk selects from one.
void cut_candidates(FfnRun& run, uint32_t size) {
  run.selecting_size = size;
  run.selecting_chunks = static_cast<uint32_t>(ceil_divide(run.op.candidates(), size));
}

class SelectStage final : public Stage {
 public:
  explicit SelectStage(std::shared_ptr<FfnRun> run) : run_(std::move(run)) {}

  Phase begin(const Step&) override {
    FfnRun& run = *run_;
    if (run.way != Way::kSparse || run.selection->scores() == Scores::kNone) return Phase{0, false};
    run.selection->begin(run);
    const bool joins = run.channels != nullptr && run.channels->all_by_channels();
    cut_candidates(run, joins ? kJoinedCandidates : candidates_per_chunk(run));
    const size_t bytes = run.rows * run.op.candidates() * score_bytes(run);
    return Phase{run.selecting_chunks * run.rows, wakes_for(bytes)};
  }

  // Chunks of the rows lie side by side, so that a weight read for one row is near for the next.
  void chunk(const Step&, uint32_t index, const Scratch& scratch) override {
    FfnRun& run = *run_;
    const uint32_t row = index % run.rows;
    const uint32_t piece = index / run.rows;
    const uint32_t begin = piece * run.selecting_size;
    const uint32_t end = std::min(begin + run.selecting_size, run.op.candidates());
    float* scores = run.scratch->scores + static_cast<size_t>(row) * run.op.neurons + begin;
    uint32_t* active = run.scratch->selected + row * run.scratch->selection_stride +
                       static_cast<size_t>(piece) * (run.selecting_size + 16);
    const SelectTask task{row, Range{begin, end}, scores, active, scratch};
    run.selected_count[row * run.selecting_chunks + piece] =
        static_cast<uint32_t>(run.selection->select(run, task));
  }

 private:
  std::shared_ptr<FfnRun> run_;
};

// Room for steps that are cut so.
void need_pieces(FfnRun& run, uint32_t size, ScratchNeeds& needs) {
  cut_candidates(run, size);
  const size_t chunks = run.selecting_chunks;
  run.selected_count.resize(std::max(run.selected_count.size(), kMaxSparseRows * chunks));
  run.piece_room = std::max(run.piece_room, chunks * (size + 16));
  needs.need_floats(size);
  needs.need_indices(size);
}

}  // namespace

void candidate_dots(const FfnOp& op, const Weight& weight, const void* x, Range candidates,
                    float* y) {
  const auto [begin, end] = candidates;
  if (op.subset == nullptr) {
    weight.kernels->gemv(GemvTask{weight.from(begin), x, Range{0, end - begin}, y, nullptr});
  } else {
    weight.kernels->gather_dot(weight.matrix, x, RowList{op.subset + begin, end - begin}, y);
  }
}

void add_bias(const FfnOp& op, const float* bias, Range candidates, float* y) {
  if (bias == nullptr) return;
  const auto [begin, end] = candidates;
  for (size_t i = begin; i < end; i++) y[i - begin] += bias[op.neuron(i)];
}

std::unique_ptr<Stage> make_ffn_select(std::shared_ptr<FfnRun> run, ScratchNeeds& needs) {
  if (run->channels != nullptr) need_pieces(*run, kJoinedCandidates, needs);
  need_pieces(*run, candidates_per_chunk(*run), needs);
  return std::make_unique<SelectStage>(std::move(run));
}

}  // namespace hearth
