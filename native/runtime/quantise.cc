// See quantise.h.
#include "quantise.h"

#include <algorithm>
#include <cstring>

#include "../kernels/rounding.h"

namespace hearth {

namespace {

// Elements of a chunk: whole blocks of every type. 32 KiB of values stay in a core's cache; the
// fastest type takes 2 us for them, the slowest milliseconds.
constexpr size_t kChunk = 8192;

// Sign aside, bits of floats are ordered as their magnitudes are, and behind them what is no number.
uint32_t magnitude_bits(float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits & 0x7fffffffu;
}

size_t first_beyond(const float* values, size_t count, float limit) {
  const uint32_t least = magnitude_bits(limit);
  uint32_t most = 0;
  for (size_t i = 0; i < count; i++) most = std::max(most, magnitude_bits(values[i]));
  if (most < least) return count;
  return static_cast<size_t>(
      std::find_if(values, values + count,
                   [least](float value) { return magnitude_bits(value) >= least; }) -
      values);
}

}  // namespace

Quantisation::Quantisation(const Kernels& kernels, uint32_t threads, const QuantiseJob& job)
    : job_(job),
      from_(weight_kernels(&kernels, static_cast<uint32_t>(job.type))),
      to_(weight_kernels(&kernels, static_cast<uint32_t>(job.target))),
      refused_(job.elements) {
  for (uint32_t thread = 0; thread < threads; thread++) {
    scratch_.emplace_back(2 * kChunk * sizeof(float));
  }
}

Phase Quantisation::next_phase() {
  if (started_) return Phase{0, false};
  started_ = true;
  const size_t chunks = ceil_divide(job_.elements, kChunk);
  return Phase{static_cast<uint32_t>(chunks), chunks > 1};
}

void Quantisation::run_chunk(uint32_t chunk, uint32_t worker) {
  const size_t begin = size_t{chunk} * kChunk;
  const size_t count = std::min(kChunk, job_.elements - begin);
  float* values = scratch_[worker].as<float>();
  from_->dequantise_row(job_.source + row_bytes(job_.type, begin), count, values);
  const size_t refused = first_beyond(values, count, job_.limit);
  if (refused < count) return refuse(begin + refused);
  to_->quantise_row(values, count, importance_at(begin, values + kChunk, count),
                    job_.out + row_bytes(job_.target, begin));
}

void Quantisation::refuse(size_t element) {
  size_t known = refused_.load();
  while (element < known && !refused_.compare_exchange_weak(known, element)) {
  }
}

const float* Quantisation::importance_at(size_t element, float* scratch, size_t count) const {
  if (job_.importance == nullptr) return nullptr;
  size_t column = (job_.first_column + element) % job_.columns;
  for (size_t done = 0; done < count;) {
    const size_t some = std::min(count - done, job_.columns - column);
    std::memcpy(scratch + done, job_.importance + column, some * sizeof(float));
    done += some;
    column = 0;
  }
  return scratch;
}

}  // namespace hearth
