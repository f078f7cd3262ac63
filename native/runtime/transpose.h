// W [rows, columns] of any weight type → Wᵀ [columns, rows] of a type in which rows can be written:
// a model's down projection gets one row per neuron. Threaded, since a 7B model has
// gigabytes of it.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "../kernels/kernels.h"
#include "../system/memory.h"
#include "../system/thread-pool.h"

namespace hearth {

struct TransposeJob {
  const uint8_t* data = nullptr;
  WeightType type = WeightType::kF32;
  size_t rows = 0;
  size_t columns = 0;
  // F32, F16, BF16, Q8_0 or Q4_0; `rows` a multiple of its block.
  WeightType target = WeightType::kF16;
};

class Transposition final : public Task {
 public:
  // @throws std::runtime_error for a target type it cannot write.
  Transposition(const Kernels& kernels, uint32_t threads, const TransposeJob& job);
  void on_finished(std::function<void(Outcome)> finished) { finished_ = std::move(finished); }
  std::shared_ptr<Buffer> result() const { return out_; }

  Phase next_phase() override;
  void run_chunk(uint32_t chunk, uint32_t worker) override;
  void finished(Outcome outcome) override;

 private:
  void widen(size_t column, size_t count, float* tile, float* transposed) const;
  void write_row(const float* row, uint8_t* out) const;

  const Kernels& kernels_;
  TransposeJob job_;
  const WeightKernels* source_;
  size_t source_row_bytes_;
  size_t target_row_bytes_;
  bool started_ = false;
  std::vector<Buffer> scratch_;  // by thread: a tile as it is read, and the transposed columns
  std::shared_ptr<Buffer> out_;
  std::function<void(Outcome)> finished_;
};

}  // namespace hearth
