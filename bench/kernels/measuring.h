// What the programs of bench/kernels share: weights with finite contents, a thread's share of the
// work, and times of threads that start together.
#pragma once

#include <sched.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

#include "kernels/kernels.h"

namespace hearth::bench {

inline double seconds(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

inline void* allocate(size_t bytes) {
  void* data = nullptr;
  if (posix_memalign(&data, 4096, bytes) != 0) std::abort();
  return data;
}

// A thread's part of `count` things.
inline Range share(size_t count, size_t thread, size_t threads) {
  return {count * thread / threads, count * (thread + 1) / threads};
}

// cpu: mean of the threads' own time. wall: from the first thread's start to the last one's end.
struct Timing {
  double cpu;
  double wall;
};

using ThreadBody = std::function<void(size_t thread, size_t threads)>;

// Runs before(thread, threads), untimed; when all threads have done that, body(thread, threads).
inline Timing timed(size_t threads, const ThreadBody& before, const ThreadBody& body) {
  std::vector<double> cpu(threads), begin(threads), end(threads);
  std::atomic<size_t> ready{0};
  const auto work = [&](size_t thread) {
    if (before) before(thread, threads);
    ready.fetch_add(1);
    while (ready.load() < threads) sched_yield();
    const double cpu_begin = seconds(CLOCK_THREAD_CPUTIME_ID);
    begin[thread] = seconds(CLOCK_MONOTONIC);
    body(thread, threads);
    end[thread] = seconds(CLOCK_MONOTONIC);
    cpu[thread] = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu_begin;
  };
  std::vector<std::thread> others;
  for (size_t i = 1; i < threads; ++i) others.emplace_back(work, i);
  work(0);
  for (std::thread& other : others) other.join();
  double sum = 0;
  for (const double one : cpu) sum += one;
  return {sum / static_cast<double>(threads), *std::max_element(end.begin(), end.end()) -
                                                  *std::min_element(begin.begin(), begin.end())};
}

// Small f16 and f32 values wherever a scale may lie: every byte pattern below is a finite number
// near 0.01.
inline void fill(WeightType type, uint8_t* data, size_t bytes) {
  if (type == WeightType::kF32) {
    for (size_t i = 0; i + 4 <= bytes; i += 4) {
      const float value = static_cast<float>(i % 97) * 0.01f - 0.5f;
      std::memcpy(data + i, &value, 4);
    }
    return;
  }
  for (size_t i = 0; i < bytes; ++i) data[i] = i % 2 ? 0x2c : static_cast<uint8_t>(i * 31);
  if (type != WeightType::kMXFP4) return;
  // Its scale is a byte, at the front of each block.
  for (size_t i = 0; i < bytes; i += row_bytes(type, block_elements(type))) data[i] = 0x78;
}

}  // namespace hearth::bench
