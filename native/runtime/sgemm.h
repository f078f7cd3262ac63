// C = alpha · op(A) · op(B) + beta · C in f32, threaded: most of the time of training a predictor.
// Built on the panel gemm of the F32 weight kernels, so that every sum runs over the depth in order
// for any number of threads.
#pragma once

#include <functional>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "../kernels/kernels.h"
#include "../system/thread-pool.h"

namespace hearth {

// A row-major matrix as it lies in memory; `transposed`: the product takes its transpose.
struct SgemmOperand {
  const float* data = nullptr;
  bool transposed = false;
};

// op(A) [rows, depth], op(B) [depth, columns], C [rows, columns]; beta 0 does not read C.
struct SgemmJob {
  SgemmOperand a;
  SgemmOperand b;
  float* c = nullptr;
  size_t rows = 0;
  size_t columns = 0;
  size_t depth = 0;
  float alpha = 1;
  float beta = 0;
};

class Sgemm final : public Task {
 public:
  // @throws std::bad_alloc
  Sgemm(const Kernels& kernels, uint32_t threads, const SgemmJob& job);
  void on_finished(std::function<void(Outcome)> finished) { finished_ = std::move(finished); }

  Phase next_phase() override;
  void run_chunk(uint32_t chunk, uint32_t worker) override;
  void finished(Outcome outcome) override;

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(float* memory) const { ::operator delete(memory, kAlignment); }
  };
  using Floats = std::unique_ptr<float[], Free>;
  static Floats allocate(size_t count);

  // Rows [begin, end) of op(A), or of op(B) transposed, to rows of the kernel's stride.
  void pack(const SgemmOperand& operand, size_t rows, Range range, float* out) const;
  void pack_chunk(uint32_t chunk);
  void multiply_chunk(uint32_t chunk, uint32_t worker);

  const Kernels& kernels_;
  SgemmJob job_;
  size_t stride_;                // in floats, of a packed row
  Floats left_;                  // op(A) [rows, stride]
  Floats right_;                 // op(B) transposed [columns, stride]
  std::vector<Floats> scratch_;  // by thread: of the kernel, then a tile of the product
  int phase_ = 0;
  std::function<void(Outcome)> finished_;
};

}  // namespace hearth
