// The active set of one row of a step that somebody looks at: a pool thread writes it, JavaScript
// takes it. Nothing is copied in a step that shows no row.
#pragma once

#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

namespace hearth {

class ShownSet {
 public:
  // `ids`: of neurons or experts. It takes the place of what nobody has taken.
  void show(std::vector<uint32_t> ids) {
    std::lock_guard<std::mutex> lock(mutex_);
    ids_ = std::move(ids);
    is_shown_ = true;
  }
  // False where no row was shown since the last call, or where a step computed all neurons together.
  bool take(std::vector<uint32_t>* ids) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!is_shown_) return false;
    *ids = std::exchange(ids_, {});
    is_shown_ = false;
    return true;
  }

 private:
  std::mutex mutex_;
  std::vector<uint32_t> ids_;
  bool is_shown_ = false;
};

}  // namespace hearth
