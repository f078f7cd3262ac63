// The shared parts of stages. See stage.h.
#include "stage.h"

#include <algorithm>

namespace hearth {

namespace {

// Up to this a serial pass (about 4 us at 4 floats/ns) is cheaper than a phase of chunks.
constexpr size_t kSerialFloats = 16384;
// About 4 us of work for an elementwise pass: long against the 0.1 us of taking a chunk.
constexpr size_t kChunkFloats = 16384;
// Waking threads pays when the phase lasts some wake-ups (19 us each).
constexpr size_t kWakeFloats = 16 * kChunkFloats;

}  // namespace

void Stage::chunk(const Step&, uint32_t, const Scratch&) {}

Phase RowStage::begin(const Step& step) {
  const uint32_t rows = rows_of_.rows(step);
  const size_t floats = rows * floats_per_row_;
  if (floats <= kSerialFloats) {
    if (rows > 0) run_rows(step, 0, rows);
    return Phase{0, false};
  }
  rows_per_chunk_ = static_cast<uint32_t>(std::max<size_t>(1, kChunkFloats / floats_per_row_));
  const uint32_t chunks = static_cast<uint32_t>(ceil_divide(rows, rows_per_chunk_));
  return Phase{chunks, floats >= kWakeFloats};
}

void RowStage::chunk(const Step& step, uint32_t index, const Scratch&) {
  const uint32_t begin = index * rows_per_chunk_;
  run_rows(step, begin, std::min(begin + rows_per_chunk_, rows_of_.rows(step)));
}

}  // namespace hearth
