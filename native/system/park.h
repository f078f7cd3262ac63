// Sleeping and waking of threads: an event count over a futex (Linux) or a condition variable
// (elsewhere). Not a lock. Source of the idea: eventcounts of Folly and Eigen.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace hearth {

// Threads without work wait here; a thread that makes work wakes them.
class ParkingLot {
 public:
  // Announces a sleeper. Look for work once more after this, then cancel() or wait().
  uint32_t announce();
  void cancel();
  // Returns after a wake() that came later than announce(), or spuriously.
  void wait(uint32_t ticket);
  // Wakes every sleeper; costs one load when there is none.
  void wake();
  // How many threads sleep or are about to.
  uint32_t sleepers() const { return sleepers_.load(std::memory_order_seq_cst); }

 private:
  std::atomic<uint32_t> sequence_{0};
  std::atomic<uint32_t> sleepers_{0};
#if !defined(__linux__)
  std::mutex mutex_;
  std::condition_variable changed_;
#endif
};

// A hint to the core that this is a spin loop.
inline void spin_pause() {
#if defined(__x86_64__) || defined(_M_X64)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace hearth
