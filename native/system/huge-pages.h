// Moves stretches of a mapped file into huge pages while others read them: one page table entry for
// 2 MiB in place of 512. Each piece is read into memory of our own, which then takes the piece's
// place at its address; whoever reads there sees the same bytes before and after. Linux only.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace hearth {

// Bytes of a file.
struct Stretch {
  size_t begin;
  size_t end;
};

// How much of a core the mover takes: a tenth, or as much as it gets.
enum class MovePace { kBackground, kAtOnce };

// What a mover works on. Descriptor and mapping outlive it.
struct MoveJob {
  int descriptor;
  uint8_t* memory;  // that the file is mapped to, at a multiple of a huge page
  std::vector<Stretch> pieces;
  MovePace pace;
};

// Whole huge pages inside the stretches, in pieces; empty where the system has no huge pages.
std::vector<Stretch> pieces_to_move(std::vector<Stretch> stretches);

// A thread that moves the pieces of a job one after another, or as they come into the system's
// cache: in the background nothing is read from the disk. It ends early where the system has less
// memory left than all pieces take.
class PageMover {
 public:
  explicit PageMover(MoveJob job);
  // Ends the thread; what is moved stays. Waits for a read of 2 MiB at most.
  ~PageMover();
  PageMover(const PageMover&) = delete;
  PageMover& operator=(const PageMover&) = delete;

  // Bytes that will still be moved; 0 at the end, also where it was an early one.
  size_t left() const { return left_.load(std::memory_order_acquire); }

 private:
  void work();
  // One time over the pieces that are left. False where no more can be moved at all.
  bool pass();
  bool move(Stretch piece);
  bool read(Stretch piece, uint8_t* out);
  // False where the mover was stopped meanwhile.
  bool pause(std::chrono::nanoseconds time);

  MoveJob job_;
  size_t spare_ = 0;
  int pagemap_ = -1;
  std::atomic<size_t> left_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace hearth
