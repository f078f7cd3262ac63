// What an executable is made of: stages. An op becomes one or a few of them when a program is
// prepared; a step walks the list. A stage either works serially in begin(), on the thread that
// advances, or offers chunks to the pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "../kernels/kernels.h"
#include "../kernels/rounding.h"
#include "../system/memory.h"
#include "../system/thread-pool.h"

namespace hearth {

// No row: larger than any.
constexpr uint32_t kNoRow = UINT32_MAX;

// The rows of one step. Validated by TypeScript.
struct Step {
  uint32_t rows = 0;
  uint32_t outputs = 0;
  uint32_t watched = 0;  // the first rows, and outputs: their neurons are counted one by one
  // The row, and the output, whose active neurons and experts somebody looks at.
  uint32_t shown_row = kNoRow;
  uint32_t shown_output = kNoRow;
  std::vector<uint32_t> sequence;
  std::vector<uint32_t> position;
  std::vector<uint32_t> token;
  std::vector<uint32_t> output_row;
};

// An activation buffer f32 [rows, width], without gaps between the rows, 64-byte aligned.
struct Slot {
  float* data = nullptr;
  uint32_t width = 0;
  bool outputs = false;

  uint32_t rows(const Step& step) const { return outputs ? step.outputs : step.rows; }
  uint32_t shown(const Step& step) const { return outputs ? step.shown_output : step.shown_row; }
  float* row(size_t index) const { return data + index * width; }
};

// A weight in its source's memory, with the functions that read it.
struct Weight {
  WeightType type = WeightType::kF32;
  const WeightKernels* kernels = nullptr;
  Matrix matrix{nullptr, 0, 0};
  size_t rows = 0;

  size_t bytes() const { return rows * matrix.row_bytes; }
  const uint8_t* row(size_t index) const {
    return static_cast<const uint8_t*>(matrix.data) + index * matrix.row_bytes;
  }
  // The rows from `first` on as a matrix of their own.
  Matrix from(size_t first) const { return Matrix{row(first), matrix.columns, matrix.row_bytes}; }
};

// Private memory of one pool thread, sized at prepare for the largest stage.
struct Scratch {
  void* gemm = nullptr;
  void* attention = nullptr;
  float* floats = nullptr;
  uint32_t* indices = nullptr;
};

// The sizes that the stages of one executable need in a Scratch.
struct ScratchNeeds {
  // Inputs, no needs: the most rows of a step, and the pool's threads.
  size_t max_rows = 0;
  size_t threads = 1;
  size_t gemm_columns = 0;
  bool attention = false;
  size_t floats = 0;
  size_t indices = 0;

  void need_floats(size_t count) { floats = count > floats ? count : floats; }
  void need_indices(size_t count) { indices = count > indices ? count : indices; }
  void need_gemm(size_t columns) { gemm_columns = columns > gemm_columns ? columns : gemm_columns; }
};

class Stage {
 public:
  virtual ~Stage() = default;
  // Returns the number of chunks to run; 0 if begin() has done all the work.
  virtual Phase begin(const Step& step) = 0;
  virtual void chunk(const Step& step, uint32_t index, const Scratch& scratch);
};

// A stage whose rows are independent of one another and cheap: serial when few, else in blocks of
// rows.
class RowStage : public Stage {
 public:
  explicit RowStage(const Slot& rows_of, size_t floats_per_row)
      : rows_of_(rows_of), floats_per_row_(floats_per_row) {}
  Phase begin(const Step& step) final;
  void chunk(const Step& step, uint32_t index, const Scratch& scratch) final;

 protected:
  virtual void run_rows(const Step& step, uint32_t begin, uint32_t end) = 0;

 private:
  Slot rows_of_;
  size_t floats_per_row_;
  uint32_t rows_per_chunk_ = 1;
};

}  // namespace hearth
