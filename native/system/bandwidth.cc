// See bandwidth.h.
#include "bandwidth.h"

#include <algorithm>
#include <cstring>

namespace hearth {

namespace {

// As large as a matmul's stretch of rows: 50 us.
constexpr size_t kChunkBytes = 1 << 20;
constexpr int kPasses = 8;

}  // namespace

ReadMeasurement::ReadMeasurement(const Kernels& kernels, size_t bytes)
    : kernels_(kernels),
      chunks_(static_cast<uint32_t>(std::max<size_t>(1, bytes / kChunkBytes))),
      memory_(chunks_ * kChunkBytes) {}

Phase ReadMeasurement::next_phase() {
  const auto now = std::chrono::steady_clock::now();
  if (pass_ > 0) {
    const double seconds = std::chrono::duration<double>(now - started_).count();
    best_ = std::max(best_, static_cast<double>(memory_.bytes()) / seconds);
  }
  pass_++;
  started_ = now;
  return Phase{pass_ > kPasses ? 0 : chunks_, true};
}

void ReadMeasurement::run_chunk(uint32_t chunk, uint32_t) {
  uint8_t* data = memory_.data() + size_t{chunk} * kChunkBytes;
  if (pass_ == 0) {
    std::memset(data, 1, kChunkBytes);
  } else {
    sum_.fetch_add(kernels_.vector.read_stream(data, kChunkBytes), std::memory_order_relaxed);
  }
}

void ReadMeasurement::finished(Outcome outcome) {
  memory_ = Buffer();
  finished_(outcome);
}

}  // namespace hearth
