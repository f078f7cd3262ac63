// See thread-pool.h for the idea.
//
// Why a chunk may read chunks_ and task_ without a lock: they change only in advance(), which runs
// when every chunk of the phase is finished. After a successful compare-exchange our own chunk is
// not finished, so neither changes.
#include "thread-pool.h"

#include <chrono>
#include <condition_variable>
#include <new>
#include <system_error>
#include <utility>

namespace hearth {

namespace {

constexpr uint64_t kRemainingBits = 24;
constexpr uint64_t kRemainingMask = (uint64_t{1} << kRemainingBits) - 1;

// How long a thread looks for work before it sleeps. A chunk lasts 3–10 us, so a peer that has a
// core is done within this time; one that lost its core needs milliseconds, and gets ours when we
// sleep. A wake-up costs about 19 us.
constexpr auto kSpin = std::chrono::microseconds(25);

}  // namespace

ThreadPool::ThreadPool(uint32_t threads) {
  workers_.reserve(threads);
  for (uint32_t worker = 0; worker < threads; worker++) {
    try {
      workers_.emplace_back([this, worker] { work(worker); });
    } catch (const std::system_error&) {
      // A limit of the system on threads or on memory for their stacks. Half of them go, so that
      // what comes after them (scratch, maps, the host's own threads) is not starved.
      if (worker == 0) throw;
      keep((worker + 1) / 2);
      return;
    }
  }
}

void ThreadPool::keep(uint32_t threads) {
  kept_.store(threads, std::memory_order_seq_cst);
  parking_.wake();
  for (size_t i = threads; i < workers_.size(); i++) workers_[i].join();
  workers_.erase(workers_.begin() + threads, workers_.end());
}

void ThreadPool::stop() {
  {
    std::lock_guard<std::mutex> lock(queue_mutex_);
    stopping_.store(true, std::memory_order_seq_cst);
  }
  parking_.wake();
  for (std::thread& thread : workers_) {
    if (thread.joinable()) thread.join();
  }
  for (const auto& task : std::exchange(queue_, {})) task->finished(Outcome::kStopped);
}

void ThreadPool::submit(std::shared_ptr<Task> task) {
  bool starts = false;
  {
    std::unique_lock<std::mutex> lock(queue_mutex_);
    if (stopping_.load(std::memory_order_relaxed)) {
      lock.unlock();
      task->finished(Outcome::kStopped);
      return;
    }
    queue_.push_back(std::move(task));
    starts = !std::exchange(busy_, true);
  }
  // A phase of one empty chunk: the thread that takes it advances to the first task.
  if (starts) publish(Phase{1, true});
}

void ThreadPool::run(Task& task) {
  struct Waited final : Task {
    explicit Waited(Task& inner) : inner(inner) {}
    Phase next_phase() override { return inner.next_phase(); }
    void run_chunk(uint32_t chunk, uint32_t worker) override { inner.run_chunk(chunk, worker); }
    void finished(Outcome outcome) override {
      inner.finished(outcome);
      std::lock_guard<std::mutex> lock(mutex);
      done = true;
      changed.notify_all();
    }
    Task& inner;
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
  };
  auto waited = std::make_shared<Waited>(task);
  submit(waited);
  std::unique_lock<std::mutex> lock(waited->mutex);
  waited->changed.wait(lock, [&] { return waited->done; });
}

void ThreadPool::work(uint32_t worker) {
  for (;;) {
    if (take_chunk(worker)) continue;
    if (worker >= kept_.load(std::memory_order_relaxed)) return;
    if (stopping_.load(std::memory_order_acquire)) {
      std::lock_guard<std::mutex> lock(queue_mutex_);
      if (!busy_) return;
    }
    wait_for_work(worker);
  }
}

bool ThreadPool::take_chunk(uint32_t worker) {
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  do {
    if ((ticket & kRemainingMask) == 0) return false;
  } while (!ticket_.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel,
                                          std::memory_order_acquire));
  if (task_) {
    try {
      task_->run_chunk(chunks_ - static_cast<uint32_t>(ticket & kRemainingMask), worker);
    } catch (...) {
      note_exception();
    }
  }
  if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) advance();
  return true;
}

void ThreadPool::wait_for_work(uint32_t worker) {
  const auto has_work = [this, worker] {
    return (ticket_.load(std::memory_order_seq_cst) & kRemainingMask) != 0 ||
           stopping_.load(std::memory_order_seq_cst) ||
           worker >= kept_.load(std::memory_order_seq_cst);
  };
  const auto until = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int spin = 0; spin < 16; spin++) {
      if ((ticket_.load(std::memory_order_relaxed) & kRemainingMask) != 0) return;
      spin_pause();
    }
  } while (std::chrono::steady_clock::now() < until);
  const uint32_t sleeper = parking_.announce();
  if (has_work()) {
    parking_.cancel();
    // While the pool stops, other threads run the last phases; do not spin against them.
    if (stopping_.load(std::memory_order_relaxed)) std::this_thread::yield();
    return;
  }
  parking_.wait(sleeper);
}

void ThreadPool::advance() {
  for (;;) {
    const bool stopping = stopping_.load(std::memory_order_acquire);
    if (task_) {
      const Phase phase = stopping ? Phase{0, false} : next_phase();
      if (phase.chunks > 0) return publish(phase);
      const Outcome outcome = outcome_.exchange(Outcome::kCompleted);
      std::exchange(task_, nullptr)->finished(stopping ? Outcome::kStopped : outcome);
    }
    std::lock_guard<std::mutex> lock(queue_mutex_);
    if (queue_.empty() || stopping) {
      busy_ = false;
      if (stopping) parking_.wake();
      return;
    }
    task_ = std::move(queue_.front());
    queue_.pop_front();
  }
}

// Without further chunks once one has thrown.
Phase ThreadPool::next_phase() {
  if (outcome_.load() != Outcome::kCompleted) return Phase{0, false};
  try {
    return task_->next_phase();
  } catch (...) {
    note_exception();
    return Phase{0, false};
  }
}

// Inside a handler: an exception that leaves a thread would end the process.
void ThreadPool::note_exception() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    outcome_.store(Outcome::kOutOfMemory);
  } catch (...) {
    outcome_.store(Outcome::kFailed);
  }
}

void ThreadPool::publish(Phase phase) {
  chunks_ = phase.chunks;
  unfinished_.store(phase.chunks, std::memory_order_relaxed);
  epoch_++;
  ticket_.store(epoch_ << kRemainingBits | phase.chunks, std::memory_order_seq_cst);
  if (phase.wakes) parking_.wake();
}

}  // namespace hearth
