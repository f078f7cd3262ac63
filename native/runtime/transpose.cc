// See transpose.h.
#include "transpose.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "stage.h"

namespace hearth {

namespace {

// Columns of one chunk: the largest block length, so that a cut fits every type.
constexpr size_t kColumns = 256;
// Rows widened together: 16 floats make one cache line of the transposed side.
constexpr size_t kRows = 16;

uint16_t to_bf16(float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>(bits >> 16 | 64);  // quiet NaN
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// ggml's quantize_row_q4_0_ref: d = the value of largest magnitude / −8, q = round(x / d) + 8.
void write_q4_0(const VectorKernels& vector, const float* x, size_t count, uint8_t* out) {
  constexpr size_t kBlock = 32;
  for (size_t at = 0; at < count; at += kBlock, out += 18) {
    float largest = 0;
    for (size_t i = 0; i < kBlock; i++) {
      if (std::fabs(x[at + i]) > std::fabs(largest)) largest = x[at + i];
    }
    const float d = largest / -8;
    const float inverse = d != 0 ? 1 / d : 0;
    vector.f32_to_f16(&d, 1, out);
    const auto nibble = [&](size_t i) {
      return std::min(15, static_cast<int>(x[at + i] * inverse + 8.5f));
    };
    for (size_t i = 0; i < kBlock / 2; i++) {
      out[2 + i] = static_cast<uint8_t>(nibble(i) | nibble(i + kBlock / 2) << 4);
    }
  }
}

}  // namespace

Transposition::Transposition(const Kernels& kernels, uint32_t threads, const TransposeJob& job)
    : kernels_(kernels),
      job_(job),
      source_(weight_kernels(&kernels, static_cast<uint32_t>(job.type))),
      source_row_bytes_(row_bytes(job.type, job.columns)),
      target_row_bytes_(row_bytes(job.target, job.rows)) {
  switch (job.target) {
    case WeightType::kF32:
    case WeightType::kF16:
    case WeightType::kBF16:
    case WeightType::kQ8_0:
    case WeightType::kQ4_0:
      break;
    default:
      throw std::runtime_error("transposeWeight: rows cannot be written in this type");
  }
  for (uint32_t thread = 0; thread < threads; thread++) {
    scratch_.emplace_back((kRows + job.rows) * kColumns * sizeof(float));
  }
  out_ = std::make_shared<Buffer>(job.columns * target_row_bytes_);
}

Phase Transposition::next_phase() {
  if (started_) return Phase{0, false};
  started_ = true;
  return Phase{static_cast<uint32_t>(ceil_divide(job_.columns, kColumns)), true};
}

void Transposition::run_chunk(uint32_t chunk, uint32_t worker) {
  const size_t column = size_t{chunk} * kColumns;
  const size_t count = std::min(kColumns, job_.columns - column);
  float* tile = scratch_[worker].as<float>();
  float* transposed = tile + kRows * kColumns;  // [count, rows]
  widen(column, count, tile, transposed);
  for (size_t i = 0; i < count; i++) {
    write_row(transposed + i * job_.rows, out_->data() + (column + i) * target_row_bytes_);
  }
}

void Transposition::widen(size_t column, size_t count, float* tile, float* transposed) const {
  const size_t offset = row_bytes(job_.type, column);
  for (size_t row = 0; row < job_.rows; row += kRows) {
    const size_t rows = std::min(kRows, job_.rows - row);
    for (size_t i = 0; i < rows; i++) {
      source_->dequantise_row(job_.data + (row + i) * source_row_bytes_ + offset, count,
                              tile + i * kColumns);
    }
    for (size_t c = 0; c < count; c++) {
      float* out = transposed + c * job_.rows + row;
      for (size_t i = 0; i < rows; i++) out[i] = tile[i * kColumns + c];
    }
  }
}

void Transposition::write_row(const float* row, uint8_t* out) const {
  const VectorKernels& vector = kernels_.vector;
  switch (job_.target) {
    case WeightType::kF32:
      std::memcpy(out, row, job_.rows * sizeof(float));
      return;
    case WeightType::kF16:
      vector.f32_to_f16(row, job_.rows, out);
      return;
    case WeightType::kQ8_0:
      vector.f32_to_q8_0(row, job_.rows, out);
      return;
    case WeightType::kQ4_0:
      write_q4_0(vector, row, job_.rows, out);
      return;
    default:
      break;
  }
  auto* bf16 = reinterpret_cast<uint16_t*>(out);
  for (size_t i = 0; i < job_.rows; i++) bf16[i] = to_bf16(row[i]);
}

void Transposition::finished(Outcome outcome) {
  scratch_.clear();
  finished_(outcome);
}

}  // namespace hearth
