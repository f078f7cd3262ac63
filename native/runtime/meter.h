// Sums over the runs since they were last taken: pool threads add to them once a step and op,
// JavaScript takes them now and then.
#pragma once

#include <mutex>
#include <utility>

namespace hearth {

// Counts has operator+=.
template <class Counts>
class Meter {
 public:
  void add(const Counts& counts) {
    std::lock_guard<std::mutex> lock(mutex_);
    sum_ += counts;
  }
  Counts take() {
    std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(sum_, Counts{});
  }

 private:
  std::mutex mutex_;
  Counts sum_;
};

}  // namespace hearth
