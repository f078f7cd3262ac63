// The read roof: how fast the pool's threads can read memory that no cache holds. Decode cannot be
// faster than this.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <utility>

#include "../kernels/kernels.h"
#include "memory.h"
#include "thread-pool.h"

namespace hearth {

// Writes the memory once, then reads it eight times. The best pass counts, because disturbances can
// only slow a pass down.
class ReadMeasurement final : public Task {
 public:
  ReadMeasurement(const Kernels& kernels, size_t bytes);
  void on_finished(std::function<void(Outcome)> finished) { finished_ = std::move(finished); }
  double bytes_per_second() const { return best_; }

  Phase next_phase() override;
  void run_chunk(uint32_t chunk, uint32_t worker) override;
  void finished(Outcome outcome) override;

 private:
  const Kernels& kernels_;
  uint32_t chunks_;
  Buffer memory_;
  int pass_ = -1;  // 0 writes
  std::chrono::steady_clock::time_point started_;
  double best_ = 0;
  std::atomic<uint64_t> sum_{0};
  std::function<void(Outcome)> finished_;
};

}  // namespace hearth
