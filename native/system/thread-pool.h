// Threads that run tasks phase by phase. A phase is a number of chunks, taken dynamically; the
// thread that finishes the last chunk of a phase begins the next one. So there is no barrier and no
// driver: a thread that has lost its core and holds no chunk delays no other. Which thread runs a
// chunk must never change a result.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "park.h"

namespace hearth {

struct Phase {
  // Number of chunks, less than 2^24; 0 ends the task.
  uint32_t chunks;
  // Whether the phase is long enough (beyond the 20 us of a wake-up) to wake sleeping threads for
  // it.
  bool wakes;
};

// How a task ended.
enum class Outcome { kCompleted, kStopped, kOutOfMemory, kFailed };

// Work for the pool. next_phase is called by one thread at a time, never while a chunk of the task
// runs.
class Task {
 public:
  virtual ~Task() = default;
  // Does the serial work between two phases and describes the next.
  virtual Phase next_phase() = 0;
  // worker < ThreadPool::threads(): an index of per-thread scratch.
  virtual void run_chunk(uint32_t chunk, uint32_t worker) = 0;
  // Called once, on a pool thread; by stop() for tasks that never began. Must not throw.
  virtual void finished(Outcome outcome) = 0;
};

class ThreadPool {
 public:
  // With fewer threads where the system gives no more of them.
  // @throws std::system_error when it gives none.
  explicit ThreadPool(uint32_t threads);
  ~ThreadPool() { stop(); }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  uint32_t threads() const { return static_cast<uint32_t>(workers_.size()); }
  // Tasks run one after another in the order of submission. Never runs work on the caller.
  void submit(std::shared_ptr<Task> task);
  // Submits and waits. Not from a pool thread.
  void run(Task& task);
  // Ends the current task before its next phase, drops the queue, and joins the threads. Later
  // submissions are dropped too.
  void stop();

 private:
  void work(uint32_t worker);
  bool take_chunk(uint32_t worker);
  void wait_for_work(uint32_t worker);
  // Ends all but the first `threads`; before any task is submitted.
  void keep(uint32_t threads);
  void advance();
  Phase next_phase();
  void note_exception();
  void publish(Phase phase);

  // Each on its own cache line: all threads write the ticket, and its line must hold nothing else.
  // epoch (40 bits) | chunks not yet taken (24 bits). The epoch makes a late compare-exchange fail.
  alignas(64) std::atomic<uint64_t> ticket_{0};
  // Chunks of this phase that are not finished.
  alignas(64) std::atomic<uint32_t> unfinished_{0};
  alignas(64) ParkingLot parking_;
  std::atomic<bool> stopping_{false};
  std::atomic<uint32_t> kept_{UINT32_MAX};
  // Set by a chunk or a phase that threw; the task then ends at its next phase.
  std::atomic<Outcome> outcome_{Outcome::kCompleted};
  // Written between phases only, by the thread that advances.
  alignas(64) uint32_t chunks_ = 0;
  uint64_t epoch_ = 0;
  std::shared_ptr<Task> task_;

  std::mutex queue_mutex_;
  std::deque<std::shared_ptr<Task>> queue_;
  bool busy_ = false;  // guarded by queue_mutex_
  std::vector<std::thread> workers_;
};

}  // namespace hearth
