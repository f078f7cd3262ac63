// Which weights the stages of an executable read whole, and the thread that keeps them coming where
// not all of them stay in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "../system/page-stream.h"

namespace hearth {

// A stretch of a file that a stage, or those behind it up to the next such stage, read whole.
struct WeightRead {
  size_t segment;
  size_t stage;
  FileRead of;
};

class WeightStream {
 public:
  // `stages`: how many each segment has. Of the reads, `dropped` bytes do not stay in memory.
  // @throws std::system_error where there is no thread to be had.
  WeightStream(const std::vector<WeightRead>& reads, const std::vector<size_t>& stages,
               size_t dropped, size_t window);

  // This stage is about to begin; those before it have ended.
  void begins(size_t segment, size_t stage) {
    const size_t piece = first_piece_[segment][stage];
    if (piece != kNone) pages_.reached(piece);
  }

 private:
  static constexpr size_t kNone = SIZE_MAX;

  std::vector<std::vector<size_t>>
      first_piece_;  // by segment and stage; kNone where it reads nothing
  PageStream pages_;
};

}  // namespace hearth
