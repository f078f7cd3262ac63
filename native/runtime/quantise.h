// Blocks of one weight type → the same values in blocks of another, threaded: a model is written again
// in a smaller type at the rate at which its file can be read. Every block is made by itself, so
// the number of threads changes nothing.
#pragma once

#include <atomic>
#include <functional>
#include <utility>
#include <vector>

#include "../kernels/kernels.h"
#include "../system/memory.h"
#include "../system/thread-pool.h"

namespace hearth {

struct QuantiseJob {
  const uint8_t* source = nullptr;
  WeightType type = WeightType::kF32;
  uint8_t* out = nullptr;
  WeightType target = WeightType::kF16;
  // Whole blocks of both types.
  size_t elements = 0;
  // How much the error of each matters, or null: [columns], for element i of the job that of column
  // (first_column + i) mod columns. Blocks lie within rows.
  const float* importance = nullptr;
  size_t columns = 0;
  size_t first_column = 0;
  // Magnitudes that reach it are refused, and what is no number.
  float limit = 0;
};

class Quantisation final : public Task {
 public:
  Quantisation(const Kernels& kernels, uint32_t threads, const QuantiseJob& job);
  void on_finished(std::function<void(Outcome)> finished) { finished_ = std::move(finished); }
  // Of the first value that is refused; `elements` where there is none.
  size_t first_refused() const { return refused_.load(); }

  Phase next_phase() override;
  void run_chunk(uint32_t chunk, uint32_t worker) override;
  void finished(Outcome outcome) override { finished_(outcome); }

 private:
  void refuse(size_t element);
  const float* importance_at(size_t element, float* scratch, size_t count) const;

  QuantiseJob job_;
  const WeightKernels* from_;
  const WeightKernels* to_;
  bool started_ = false;
  std::atomic<size_t> refused_;
  std::vector<Buffer> scratch_;  // by thread: values, and what they matter
  std::function<void(Outcome)> finished_;
};

}  // namespace hearth
