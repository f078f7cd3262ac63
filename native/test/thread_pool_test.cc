// The pool's promises: every chunk of every phase runs once, phases never overlap, tasks keep their
// order, sleeping threads wake, and stopping in the middle of work ends every task exactly once.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "system/thread-pool.h"

namespace {

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

}  // namespace

int main() {
  for (uint32_t threads : {1u, 2u, 3u, 8u}) {
    runs_everything_once(threads);
    stops_in_the_middle(threads);
  }
  std::printf("thread_pool_test: ok\n");
  return 0;
}
