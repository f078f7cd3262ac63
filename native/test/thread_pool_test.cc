// The pool's promises: every chunk of every phase runs once, phases never overlap, tasks keep their
// order, sleeping threads wake, and stopping in the middle of work ends every task exactly once.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

#include "system/thread-pool.h"

namespace {

using hearth::Outcome;
using hearth::Phase;
using hearth::Task;
using hearth::ThreadPool;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "thread_pool_test: %s\n", what);
  std::exit(1);
}

// Phases of 1 to 40 chunks; each chunk counts itself in plain memory, so that a sanitizer sees
// every overlap.
class Counting final : public Task {
 public:
  Counting(int phases, std::atomic<int>& ended) : phases_(phases), ended_(ended) {}

  Phase next_phase() override {
    for (uint32_t i = 0; i < chunks_; i++) require(runs_[i] == 1, "a chunk did not run once");
    if (phase_ == phases_) return Phase{0, false};
    chunks_ = static_cast<uint32_t>(phase_ * 7 % 40 + 1);
    runs_.assign(chunks_, 0);
    // Now and then long enough for the others to fall asleep.
    if (phase_ % 500 == 499) std::this_thread::sleep_for(std::chrono::microseconds(200));
    phase_++;
    return Phase{chunks_, phase_ % 3 == 0};
  }
  void run_chunk(uint32_t chunk, uint32_t) override {
    require(chunk < chunks_, "a chunk beyond the phase");
    runs_[chunk]++;
  }
  void finished(Outcome outcome) override {
    require(outcome != Outcome::kCompleted || phase_ == phases_, "a task ended early");
    ended_.fetch_add(1);
  }

 private:
  int phases_;
  std::atomic<int>& ended_;
  int phase_ = 0;
  uint32_t chunks_ = 0;
  std::vector<int> runs_;
};

void runs_everything_once(uint32_t threads) {
  std::atomic<int> ended{0};
  ThreadPool pool(threads);
  for (int round = 0; round < 20; round++) {
    for (int i = 0; i < 5; i++) pool.submit(std::make_shared<Counting>(400, ended));
    // The queue runs dry between rounds, so that starting from rest is tried too.
    while (ended.load() < (round + 1) * 5) std::this_thread::yield();
    if (round % 4 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void stops_in_the_middle(uint32_t threads) {
  for (int round = 0; round < 50; round++) {
    std::atomic<int> ended{0};
    {
      ThreadPool pool(threads);
      for (int i = 0; i < 3; i++) pool.submit(std::make_shared<Counting>(1 << 28, ended));
      std::this_thread::sleep_for(std::chrono::microseconds(round * 20));
      pool.stop();
      require(ended.load() == 3, "a stopped pool ends every task");
      pool.submit(std::make_shared<Counting>(1, ended));
    }
    require(ended.load() == 4, "a task after the stop ends at once");
  }
}

// Throws in a chunk of its third phase, or between two phases.
class Throwing final : public Task {
 public:
  Throwing(bool in_chunk, std::atomic<int>& ended, Outcome& outcome)
      : in_chunk_(in_chunk), ended_(ended), outcome_(outcome) {}
  Phase next_phase() override {
    require(phase_ < 3, "a phase after the one that threw");
    if (++phase_ == 3 && !in_chunk_) throw std::runtime_error("between phases");
    return Phase{64, true};
  }
  void run_chunk(uint32_t chunk, uint32_t) override {
    if (phase_ == 3 && chunk == 7) throw std::bad_alloc();
  }
  void finished(Outcome outcome) override {
    outcome_ = outcome;
    ended_.fetch_add(1);
  }

 private:
  bool in_chunk_;
  std::atomic<int>& ended_;
  Outcome& outcome_;
  int phase_ = 0;
};

void survives_exceptions(uint32_t threads) {
  std::atomic<int> ended{0};
  ThreadPool pool(threads);
  for (int round = 0; round < 50; round++) {
    Outcome outcomes[2] = {Outcome::kCompleted, Outcome::kCompleted};
    pool.submit(std::make_shared<Throwing>(true, ended, outcomes[0]));
    pool.submit(std::make_shared<Throwing>(false, ended, outcomes[1]));
    pool.submit(std::make_shared<Counting>(20, ended));
    while (ended.load() < (round + 1) * 3) std::this_thread::yield();
    require(outcomes[0] == Outcome::kOutOfMemory, "no memory in a chunk is reported");
    require(outcomes[1] == Outcome::kFailed, "an exception between phases is reported");
  }
}

}  // namespace

int main() {
  for (uint32_t threads : {1u, 2u, 3u, 8u}) {
    runs_everything_once(threads);
    stops_in_the_middle(threads);
    survives_exceptions(threads);
  }
  std::printf("thread_pool_test: ok\n");
  return 0;
}
