// See matmul.h.
#include "matmul.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace hearth {

namespace {

constexpr size_t kLeastChunkBytes = 64 * 1024;
constexpr size_t kMostChunkBytes = 256 * 1024;
// Enough that threads finish a phase together, within a few hundredths of it.
constexpr size_t kChunksPerMatrix = 32;
constexpr size_t kRowMultiple = 8;

// Adds the bias, applies relu, and adds y to `out` or copies it there, unless y is `out`.
void finish(const MatmulPart& part, Range range, float* y, float* out) {
  const size_t count = range.end - range.begin;
  if (part.bias != nullptr) {
    for (size_t i = 0; i < count; i++) y[i] += part.bias[range.begin + i];
  }
  if (part.relu) {
    for (size_t i = 0; i < count; i++) y[i] = y[i] > 0 ? y[i] : 0;
  }
  if (part.adds) {
    for (size_t i = 0; i < count; i++) out[i] += y[i];
  } else if (out != y) {
    std::memcpy(out, y, count * sizeof(float));
  }
}

class MatmulStage final : public Stage {
 public:
  MatmulStage(std::vector<MatmulPart> parts, ScratchNeeds& needs) : threads_(needs.threads) {
    for (MatmulPart& part : parts) {
      needs.need_gemm(part.weight.matrix.columns);
      parts_.push_back(Planned{std::move(part)});
    }
  }

  Phase begin(const Step& step) override {
    rows_ = parts_.front().part.out.rows(step);
    if (rows_ == 0) return Phase{0, false};
    uint32_t chunks = 0;
    size_t bytes = 0;
    for (Planned& planned : parts_) {
      const Weight& weight = planned.part.weight;
      planned.by_row = rows_ < weight.kernels->gemm_tokens;
      planned.rows_per_chunk = planned.by_row
                                   ? rows_per_vector_chunk(weight.rows, weight.matrix.row_bytes)
                                   : static_cast<uint32_t>(kGemmRowTile);
      planned.first_chunk = chunks;
      if (planned.part.by_channels()) continue;
      chunks += static_cast<uint32_t>(ceil_divide(weight.rows, planned.rows_per_chunk));
      bytes += weight.bytes();
    }
    chunks_ = chunks;
    return Phase{chunks, wakes_for(bytes * rows_)};
  }

  void chunk(const Step&, uint32_t index, const Scratch& scratch) override {
    const Planned& planned = part_of(index);
    const size_t begin = planned.first_row(index);
    const size_t end = std::min(begin + planned.rows_per_chunk, planned.part.weight.rows);
    if (planned.by_row) {
      vector_chunk(planned.part, Range{begin, end}, after(index), scratch);
    } else {
      matrix_chunk(planned.part, Range{begin, end}, after(index), scratch);
    }
  }

 private:
  struct Planned {
    MatmulPart part;
    uint32_t first_chunk = 0;
    uint32_t rows_per_chunk = 0;
    bool by_row = false;  // one matrix-vector product per row of the step, not one of matrices

    size_t first_row(uint32_t chunk) const {
      return static_cast<size_t>(chunk - first_chunk) * rows_per_chunk;
    }
  };

  const Planned& part_of(uint32_t chunk) const {
    size_t at = parts_.size() - 1;
    while (parts_[at].first_chunk > chunk) at--;
    return parts_[at];
  }

  // The first row of the chunk that a thread is likely to take next; null behind the last.
  const void* after(uint32_t chunk) const {
    const size_t next = chunk + threads_;
    if (next >= chunks_) return nullptr;
    const Planned& planned = part_of(static_cast<uint32_t>(next));
    return planned.part.weight.row(planned.first_row(static_cast<uint32_t>(next)));
  }

  void vector_chunk(const MatmulPart& part, Range range, const void* next,
                    const Scratch& scratch) const {
    const size_t count = range.end - range.begin;
    const Matrix matrix = part.weight.from(range.begin);
    for (uint32_t row = 0; row < rows_; row++) {
      float* out = part.out.row(row) + range.begin;
      float* y = part.adds ? scratch.floats : out;
      const bool is_last = row + 1 == rows_ && next != nullptr;
      part.weight.kernels->gemv(
          GemvTask{matrix, part.x.row(row), Range{0, count}, y, is_last ? next : matrix.data});
      finish(part, range, y, out);
    }
  }

  void matrix_chunk(const MatmulPart& part, Range range, const void* next,
                    const Scratch& scratch) const {
    const size_t count = range.end - range.begin;
    const size_t width = part.out.width;
    float* out = part.out.data + range.begin;
    float* y = part.adds ? scratch.floats : out;
    const size_t stride = part.adds ? kGemmRowTile : width;
    part.weight.kernels->gemm(GemmTask{part.weight.from(range.begin), part.x.row(0), rows_, y,
                                       stride, Range{0, count}, scratch.gemm, next});
    for (uint32_t row = 0; row < rows_; row++) {
      finish(part, range, y + row * stride, out + row * width);
    }
  }

  std::vector<Planned> parts_;
  size_t threads_;
  uint32_t rows_ = 0;
  uint32_t chunks_ = 0;
};

class MatmulJoinStage final : public JoinStage {
 public:
  explicit MatmulJoinStage(MatmulPart part) : part_(std::move(part)) {}

 protected:
  const ListCuts* cuts() const override {
    return part_.by_channels() ? &part_.products->cuts() : nullptr;
  }
  size_t width() const override { return part_.weight.rows; }
  void join(uint32_t row, Range columns) const override {
    float* sums = part_.products->join(part_.product, row, columns);
    finish(part_, columns, sums, part_.out.row(row) + columns.begin);
  }

 private:
  MatmulPart part_;
};

}  // namespace

std::unique_ptr<Stage> make_matmul_join(MatmulPart part) {
  return std::make_unique<MatmulJoinStage>(std::move(part));
}

uint32_t rows_per_vector_chunk(size_t rows, size_t row_bytes) {
  const size_t share = rows * row_bytes / kChunksPerMatrix;
  const size_t bytes = std::min(std::max(share, kLeastChunkBytes), kMostChunkBytes);
  const size_t by_bytes = round_up(std::max<size_t>(1, bytes / row_bytes), kRowMultiple);
  return static_cast<uint32_t>(std::min(by_bytes, round_up(rows, kRowMultiple)));
}

std::unique_ptr<Stage> make_matmul(std::vector<MatmulPart> parts, ScratchNeeds& needs) {
  for (const MatmulPart& part : parts) {
    const size_t vector_rows =
        rows_per_vector_chunk(part.weight.rows, part.weight.matrix.row_bytes);
    needs.need_floats(std::max<size_t>(vector_rows, needs.max_rows * kGemmRowTile));
  }
  return std::make_unique<MatmulStage>(std::move(parts), needs);
}

}  // namespace hearth
