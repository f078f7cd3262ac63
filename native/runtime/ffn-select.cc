// Which neurons are active: scores of the candidates and their selection, for steps of few rows.
// See ffn.h.
#include <algorithm>
#include <cstring>
#include <utility>

#include "ffn.h"
#include "matmul.h"

namespace hearth {

namespace {

// Candidates per chunk where the scores are sums over channels that need only be joined.
constexpr uint32_t kJoinedCandidates = 512;

// Bytes that scoring one neuron reads.
size_t score_bytes(const FfnOp& op) {
  switch (op.method) {
    case FfnMethod::kDense:
      return 0;
    case FfnMethod::kGate:
    case FfnMethod::kThresholdGate:
      return op.gated() ? op.gate.matrix.row_bytes : op.up.matrix.row_bytes;
    case FfnMethod::kMlp:
      return op.fc2.matrix.row_bytes;
    case FfnMethod::kSign:
      return sign_words(op.dim) * sizeof(uint64_t);
    case FfnMethod::kThresholdOutput:
      return (op.gated() ? op.gate.matrix.row_bytes : 0) + op.up.matrix.row_bytes;
  }
  return 0;
}

// The candidates in pieces of `size`, of which one chunk selects.
void cut_candidates(FfnRun& run, uint32_t size) {
  run.selecting_size = size;
  run.selecting_chunks = static_cast<uint32_t>(ceil_divide(run.op.candidates(), size));
}

class SelectStage final : public Stage {
 public:
  explicit SelectStage(std::shared_ptr<FfnRun> run) : run_(std::move(run)) {
    signs_.resize(run_->op.method == FfnMethod::kSign ? kMaxSparseRows * sign_words(run_->op.dim)
                                                      : 0);
  }

  Phase begin(const Step&) override {
    FfnRun& run = *run_;
    if (!run.sparse || run.op.method == FfnMethod::kDense) return Phase{0, false};
    if (run.op.method == FfnMethod::kSign) {
      pack_signs(run, signs_);
    }
    const bool joins = run.channels != nullptr && run.channels->all_by_channels();
    cut_candidates(run, joins ? kJoinedCandidates : neurons_per_selecting_chunk(run.op));
    const size_t bytes = run.rows * run.op.candidates() * score_bytes(run.op);
    return Phase{run.selecting_chunks * run.rows, wakes_for(bytes)};
  }

  // Chunks of the rows lie side by side, so that a weight read for one row is near for the next.
  void chunk(const Step&, uint32_t index, const Scratch& scratch) override {
    FfnRun& run = *run_;
    const uint32_t row = index % run.rows;
    const uint32_t piece = index / run.rows;
    const uint32_t begin = piece * run.selecting_size;
    const uint32_t end = std::min(begin + run.selecting_size, run.op.candidates());
    uint32_t* out = run.scratch->selected + row * run.scratch->selection_stride +
                    static_cast<size_t>(piece) * (run.selecting_size + 16);
    run.selected_count[row * run.selecting_chunks + piece] =
        static_cast<uint32_t>(select(row, begin, end, scratch, out));
  }

 private:
  uint64_t* row_signs(uint32_t row) { return signs_.data() + row * sign_words(run_->op.dim); }

  // Candidates [begin, end) of one row; the active ones go to `out`.
  size_t select(uint32_t row, uint32_t begin, uint32_t end, const Scratch& scratch, uint32_t* out) {
    const FfnRun& run = *run_;
    const FfnOp& op = run.op;
    const VectorKernels& vector = run.kernels->vector;
    const size_t count = end - begin;
    float* scores = run.scratch->scores + static_cast<size_t>(row) * op.neurons + begin;
    switch (op.method) {
      case FfnMethod::kDense:
        return 0;
      case FfnMethod::kGate:
      case FfnMethod::kThresholdGate: {
        const bool gated = op.gated();
        dots(gated ? op.gate : op.up, (gated ? run.x_gate : run.x_up).row(row), begin, end, scores);
        if (!gated) add_up_bias(begin, end, scores);
        vector.activate(ActivateTask{Gating::kUngated, op.activation, op.activation_threshold,
                                     nullptr, scores, scores, count});
        const float least = op.method == FfnMethod::kGate ? kNotZero : op.threshold;
        return vector.select_magnitude(scores, count, least, begin, out);
      }
      case FfnMethod::kMlp:
        dots(op.fc2, run.hidden.row(row), begin, end, scores);
        return vector.select_at_least(scores, count, op.threshold, begin, out);
      case FfnMethod::kSign: {
        int32_t* sign_scores = reinterpret_cast<int32_t*>(scratch.indices);
        score_signs(row, begin, end, sign_scores);
        if (op.margins == nullptr) {
          return vector.select_scores(sign_scores, count, op.margin, begin, out);
        }
        for (uint32_t i = begin; i < end; i++) {
          sign_scores[i - begin] -= op.margins[op.neuron(i)];
        }
        return vector.select_scores(sign_scores, count, 0, begin, out);
      }
      case FfnMethod::kThresholdOutput: {
        output_scores(row, begin, end, scratch, scores);
        float* weighted = scratch.floats;
        for (uint32_t i = begin; i < end; i++) {
          weighted[i - begin] = scores[i - begin] * op.down_norms[op.neuron(i)];
        }
        return vector.select_magnitude(weighted, count, op.threshold, begin, out);
      }
    }
    return 0;
  }

  // y[i] = W[neuron of candidate begin + i, :] · x
  void dots(const Weight& weight, const void* x, uint32_t begin, uint32_t end, float* y) const {
    const FfnOp& op = run_->op;
    if (op.subset == nullptr) {
      weight.kernels->gemv(weight.from(begin), x, Range{0, end - begin}, y);
    } else {
      weight.kernels->gather_dot(weight.matrix, x, RowList{op.subset + begin, end - begin}, y);
    }
  }

  void add_up_bias(uint32_t begin, uint32_t end, float* u) const {
    const FfnOp& op = run_->op;
    if (op.up_bias == nullptr) return;
    for (uint32_t i = begin; i < end; i++) u[i - begin] += op.up_bias[op.neuron(i)];
  }

  void score_signs(uint32_t row, uint32_t begin, uint32_t end, int32_t* out) {
    const FfnOp& op = run_->op;
    const size_t words = sign_words(op.dim);
    const auto scores = run_->kernels->vector.sign_scores;
    if (op.subset == nullptr) {
      scores(op.signs + begin * words, op.dim, row_signs(row), Range{0, end - begin}, out);
      return;
    }
    for (uint32_t i = begin; i < end; i++) {
      scores(op.signs + op.subset[i] * words, op.dim, row_signs(row), Range{0, 1}, out + i - begin);
    }
  }

  // h of all candidates, to be weighed by the norm of their down rows.
  void output_scores(uint32_t row, uint32_t begin, uint32_t end, const Scratch& scratch, float* h) {
    const FfnRun& run = *run_;
    const FfnOp& op = run.op;
    size_t product = 0;
    if (op.gated() && !joined(product++, row, begin, end, scratch.floats)) {
      dots(op.gate, run.x_gate.row(row), begin, end, scratch.floats);
    }
    if (!joined(product, row, begin, end, h)) dots(op.up, run.x_up.row(row), begin, end, h);
    add_up_bias(begin, end, h);
    run.kernels->vector.activate(ActivateTask{op.gating, op.activation, op.activation_threshold,
                                              scratch.floats, h, h, end - begin});
  }

  // y of candidates [begin, end) where the step's product went by channels.
  bool joined(size_t product, uint32_t row, uint32_t begin, uint32_t end, float* y) const {
    const ChannelProducts* channels = run_->channels.get();
    if (channels == nullptr || !channels->by_channels(product)) return false;
    const float* sums = channels->join(product, row, Range{begin, end});
    std::memcpy(y, sums, (end - begin) * sizeof(float));
    return true;
  }

  std::shared_ptr<FfnRun> run_;
  std::vector<uint64_t> signs_;  // [sparse rows, words]
};

// Room for steps that are cut so.
void need_pieces(FfnRun& run, uint32_t size, ScratchNeeds& needs) {
  cut_candidates(run, size);
  const size_t chunks = run.selecting_chunks;
  run.selected_count.resize(std::max(run.selected_count.size(), kMaxSparseRows * chunks));
  run.selection = std::max(run.selection, chunks * (size + 16));
  needs.need_floats(size);
  needs.need_indices(size);
}

}  // namespace

void pack_signs(const FfnRun& run, std::vector<uint64_t>& signs) {
  const FfnOp& op = run.op;
  const size_t words = sign_words(op.dim);
  signs.resize(std::max(signs.size(), run.rows * words));
  std::vector<float> centred(op.centre == nullptr ? 0 : op.dim);
  for (uint32_t row = 0; row < run.rows; row++) {
    const float* x = op.x.row(row);
    if (op.centre != nullptr) {
      for (uint32_t i = 0; i < op.dim; i++) centred[i] = x[i] - op.centre[i];
      x = centred.data();
    }
    run.kernels->vector.sign_pack(x, op.dim, signs.data() + row * words);
  }
}

uint32_t neurons_per_selecting_chunk(const FfnOp& op) {
  return rows_per_vector_chunk(op.candidates(), std::max<size_t>(1, score_bytes(op)));
}

std::unique_ptr<Stage> make_ffn_select(std::shared_ptr<FfnRun> run, ScratchNeeds& needs) {
  if (run->channels != nullptr) need_pieces(*run, kJoinedCandidates, needs);
  need_pieces(*run, neurons_per_selecting_chunk(run->op), needs);
  return std::make_unique<SelectStage>(std::move(run));
}

}  // namespace hearth
