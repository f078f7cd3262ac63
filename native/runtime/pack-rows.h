// Rows of a weight as the file has them → rows as a graphics card reads them: each row cut into
// planes, one field of all its blocks after the other (src/backends/webgpu/weight-layout.ts draws
// them). Threaded: a card's memory is filled at the rate at which the file can be read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "../system/thread-pool.h"

namespace hearth {

// A field of each block: `bytes` from byte `at` of the block, which begin at byte `start` of a
// packed row.
struct Plane {
  size_t at = 0;
  size_t bytes = 0;
  size_t start = 0;
};

// How the codes of neighbouring blocks are regrouped; kNone: block after block.
enum class Grouping { kNone, kNibbles, kBytes };

struct PackJob {
  const uint8_t* source = nullptr;
  // Of each packed row: which row of the source it is.
  const uint32_t* places = nullptr;
  uint8_t* target = nullptr;
  size_t rows = 0;
  size_t file_bytes = 0;                // of a row in the source
  size_t gpu_bytes = 0;                 // of a packed row
  size_t blocks = 0;                    // of a row
  Grouping grouping = Grouping::kNone;  // of the first plane
  std::vector<Plane> planes;
};

// Packs one row.
void pack_row(const PackJob& job, const uint8_t* source, uint8_t* target);

class PackRows final : public Task {
 public:
  explicit PackRows(PackJob job);
  void on_finished(std::function<void(Outcome)> finished) { finished_ = std::move(finished); }

  Phase next_phase() override;
  void run_chunk(uint32_t chunk, uint32_t worker) override;
  void finished(Outcome outcome) override { finished_(outcome); }

 private:
  PackJob job_;
  size_t rows_per_chunk_;
  bool started_ = false;
  std::function<void(Outcome)> finished_;
};

}  // namespace hearth
