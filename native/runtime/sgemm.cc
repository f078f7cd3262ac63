// See sgemm.h. First both operands are laid out in rows along the depth, then tiles of C are
// computed.
#include "sgemm.h"

#include <algorithm>
#include <cstring>

#include "../kernels/rounding.h"

namespace hearth {

namespace {

// Rows that one packing chunk lays out.
constexpr size_t kPackRows = 64;
// Rows of C in a tile: four times what the kernel decodes at once, so that unpacking op(B) is 1 %
// of the work.
constexpr size_t kTileRows = 192;
// Multiply-adds (20 us of one core) below which sleeping threads stay asleep.
constexpr size_t kWakingWork = 1 << 20;
constexpr size_t kTransposeTile = 16;

}  // namespace

Sgemm::Floats Sgemm::allocate(size_t count) {
  void* memory = ::operator new(std::max<size_t>(1, count) * sizeof(float), kAlignment);
  return Floats(static_cast<float*>(memory));
}

Sgemm::Sgemm(const Kernels& kernels, uint32_t threads, const SgemmJob& job)
    : kernels_(kernels),
      job_(job),
      stride_(x_bytes(WeightType::kF32, job.depth) / sizeof(float)),
      left_(allocate(job.rows * stride_)),
      right_(allocate(job.columns * stride_)) {
  const size_t kernel = gemm_scratch_bytes(job.depth) / sizeof(float);
  for (uint32_t thread = 0; thread < threads; thread++) {
    scratch_.push_back(allocate(kernel + kTileRows * kGemmRowTile));
  }
}

Phase Sgemm::next_phase() {
  const size_t work = job_.rows * job_.columns * job_.depth;
  const bool wakes = work >= kWakingWork;
  switch (phase_++) {
    case 0:
      return Phase{static_cast<uint32_t>(ceil_divide(job_.rows, kPackRows) +
                                         ceil_divide(job_.columns, kPackRows)),
                   wakes};
    case 1:
      return Phase{static_cast<uint32_t>(ceil_divide(job_.rows, kTileRows) *
                                         ceil_divide(job_.columns, kGemmRowTile)),
                   wakes};
    default:
      return Phase{0, false};
  }
}

void Sgemm::run_chunk(uint32_t chunk, uint32_t worker) {
  if (phase_ == 1) {
    pack_chunk(chunk);
  } else {
    multiply_chunk(chunk, worker);
  }
}

void Sgemm::pack_chunk(uint32_t chunk) {
  const size_t left = ceil_divide(job_.rows, kPackRows);
  if (chunk < left) {
    const size_t begin = chunk * kPackRows;
    pack(job_.a, job_.rows, {begin, std::min(begin + kPackRows, job_.rows)}, left_.get());
    return;
  }
  // Rows of op(B) transposed: of B transposed if the product takes B itself, of B if it takes the
  // transpose.
  const size_t begin = (chunk - left) * kPackRows;
  const SgemmOperand b{job_.b.data, !job_.b.transposed};
  pack(b, job_.columns, {begin, std::min(begin + kPackRows, job_.columns)}, right_.get());
}

void Sgemm::pack(const SgemmOperand& operand, size_t rows, Range range, float* out) const {
  const size_t depth = job_.depth;
  if (!operand.transposed) {
    for (size_t r = range.begin; r < range.end; r++) {
      std::memcpy(out + r * stride_, operand.data + r * depth, depth * sizeof(float));
    }
    return;
  }
  for (size_t k = 0; k < depth; k += kTransposeTile) {
    const size_t last = std::min(k + kTransposeTile, depth);
    for (size_t r = range.begin; r < range.end; r++) {
      for (size_t i = k; i < last; i++) out[r * stride_ + i] = operand.data[i * rows + r];
    }
  }
}

void Sgemm::multiply_chunk(uint32_t chunk, uint32_t worker) {
  const size_t tiles = ceil_divide(job_.columns, kGemmRowTile);
  const size_t row = chunk / tiles * kTileRows;
  const size_t column = chunk % tiles * kGemmRowTile;
  const size_t rows = std::min(kTileRows, job_.rows - row);
  const size_t columns = std::min(kGemmRowTile, job_.columns - column);
  float* scratch = scratch_[worker].get();
  float* tile = scratch + gemm_scratch_bytes(job_.depth) / sizeof(float);
  const Matrix right{right_.get() + column * stride_, job_.depth, stride_ * sizeof(float)};
  const WeightKernels* f32 = weight_kernels(&kernels_, static_cast<uint32_t>(WeightType::kF32));
  f32->gemm(GemmTask{
      right, left_.get() + row * stride_, rows, tile, kGemmRowTile, {0, columns}, scratch});
  for (size_t r = 0; r < rows; r++) {
    float* c = job_.c + (row + r) * job_.columns + column;
    const float* product = tile + r * kGemmRowTile;
    if (job_.beta == 0) {
      for (size_t i = 0; i < columns; i++) c[i] = job_.alpha * product[i];
    } else {
      for (size_t i = 0; i < columns; i++) c[i] = job_.alpha * product[i] + job_.beta * c[i];
    }
  }
}

void Sgemm::finished(Outcome outcome) {
  left_.reset();
  right_.reset();
  scratch_.clear();
  finished_(outcome);
}

}  // namespace hearth
