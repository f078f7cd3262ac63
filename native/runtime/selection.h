// How a method of sparsity decides which neurons of a block are active. Each method has a file,
// selection-*.cc; src/ops/op.ts has their equations.
#pragma once

#include <memory>

#include "program-records.h"
#include "row-stages.h"
#include "stage.h"

namespace hearth {

class Builder;
class Reader;
struct FfnOp;
struct FfnRun;

// What the scores of a row are, besides deciding.
enum class Scores {
  kNone,        // there are none: all candidates are active
  kPrediction,  // of a predictor: they have no further use
  kGate,        // act(gate), or h itself where the block is ungated
  kHidden,      // h
};

// Weight bytes that a predictor reads for one row of a step.
struct PredictorBytes {
  size_t fixed = 0;
  size_t per_candidate = 0;
};

// Scores that are a product of a matrix with a prepared input: [neurons, x width].
struct ScoreProduct {
  Weight weight;
  PreparedX x;
};

// Some candidates in one row of the step.
struct SelectTask {
  uint32_t row;
  Range candidates;
  float* scores;           // one per candidate
  uint32_t* active;        // one per candidate, and 16 more
  const Scratch& scratch;  // floats and indices: one per candidate
  size_t count() const { return candidates.end - candidates.begin; }
};

class Selection {
 public:
  virtual ~Selection() = default;
  virtual Scores scores() const = 0;
  virtual PredictorBytes predictor_bytes() const { return {}; }
  // The product that gives the scores; null if they come from elsewhere.
  virtual const ScoreProduct* product() const { return nullptr; }
  // Adds the stages of a predictor that run before the candidates are scored.
  virtual void add_stages(Builder&, const FfnRun&) {}
  // Once a step that selects, before its chunks.
  virtual void begin(const FfnRun&) {}
  // Scores the candidates by products with their rows, where scores are such.
  virtual void score(const FfnRun&, const SelectTask&) {}
  // Writes the active ones of candidates that are scored, rising; returns their number.
  virtual size_t list(const FfnRun& run, const SelectTask& task) = 0;

  size_t select(const FfnRun& run, const SelectTask& task) {
    score(run, task);
    return list(run, task);
  }
};

// Reads the record of a method.
std::unique_ptr<Selection> read_selection(Builder& builder, Reader& reader, const FfnOp& op);

// By file of the method.
std::unique_ptr<Selection> select_all();
std::unique_ptr<Selection> select_open_gates();
std::unique_ptr<Selection> select_large_gates(const ThresholdGateMethodRecord& from);
std::unique_ptr<Selection> select_predicted(Builder& builder, const MlpMethodRecord& from);
std::unique_ptr<Selection> select_by_signs(Builder& builder, const SignMethodRecord& from,
                                           const FfnOp& op);
std::unique_ptr<Selection> select_given(Builder& builder, const GivenMethodRecord& from);
std::unique_ptr<Selection> select_large_outputs(Builder& builder,
                                                const ThresholdOutputMethodRecord& from,
                                                const FfnOp& op);

}  // namespace hearth
