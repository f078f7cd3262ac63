// See listed-rows.h.
#include "listed-rows.h"

#include <cstring>

namespace hearth {

namespace {

// The least rows of a group: 32 rows of f16 are about 7 us of work at dim 2048.
constexpr uint32_t kLeastGroup = 32;
// The number of groups is a multiple of common numbers of threads, so that all threads finish
// together.
constexpr uint32_t kGroupMultiple = 4;
// Four rows are read side by side.
constexpr uint32_t kRowsTogether = 4;

// Columns that one chunk joins.
constexpr size_t kColumns = 512;
// About 4 us of additions: as quick as another phase.
constexpr size_t kSerialFloats = 32768;

}  // namespace

ListCut cut_list(uint32_t count, uint32_t wished) {
  const size_t as_wished = round_up(ceil_divide(count, wished), kGroupMultiple);
  const size_t groups = std::min<size_t>(std::max<size_t>(as_wished, 1), kMaxGroups);
  const size_t even = round_up(ceil_divide(count, groups), kRowsTogether);
  const uint32_t size = std::max(kLeastGroup, static_cast<uint32_t>(even));
  return ListCut{size, static_cast<uint32_t>(ceil_divide(count, size))};
}

void ListCuts::assign(const uint32_t* counts, uint32_t rows, uint32_t wished) {
  rows_ = rows;
  most_groups_ = 0;
  for (uint32_t row = 0; row < rows; row++) {
    length_[row] = counts[row];
    cut_[row] = cut_list(counts[row], wished);
    first_[row + 1] = first_[row] + std::max<uint32_t>(1, cut_[row].groups);
    most_groups_ = std::max(most_groups_, cut_[row].groups);
  }
}

ListCuts::Group ListCuts::group(uint32_t chunk) const {
  const uint32_t row = chunk % rows_;
  const uint32_t number = chunk / rows_;
  const ListCut& cut = cut_[row];
  if (number >= cut.groups) return Group{row, 0, 0, 0};
  const uint32_t begin = number * cut.size;
  return Group{row, first_[row] + number, begin, std::min(cut.size, length_[row] - begin)};
}

void sum_rows(const Weight& weight, RowList rows, const float* coefficient, float* sum) {
  const size_t columns = weight.matrix.columns;
  std::memset(sum, 0, columns * sizeof(float));
  weight.kernels->axpy(weight.matrix, rows, coefficient, Range{0, columns}, sum);
}

void join_sums(const VectorKernels& vector, uint32_t groups, size_t stride, size_t count,
               float* sums) {
  if (groups == 0) std::memset(sums, 0, count * sizeof(float));
  for (uint32_t group = 1; group < groups; group++) vector.add(sums + group * stride, count, sums);
}

Phase JoinStage::begin(const Step&) {
  const ListCuts* lists = cuts();
  if (lists == nullptr) return Phase{0, false};
  const size_t floats = (lists->rows() + lists->sums()) * width();
  const uint32_t blocks = static_cast<uint32_t>(ceil_divide(width(), kColumns));
  if (floats > kSerialFloats) return Phase{blocks * lists->rows(), false};
  for (uint32_t row = 0; row < lists->rows(); row++) join(row, Range{0, width()});
  return Phase{0, false};
}

void JoinStage::chunk(const Step&, uint32_t index, const Scratch&) {
  const uint32_t rows = cuts()->rows();
  const size_t begin = (index / rows) * kColumns;
  join(index % rows, Range{begin, std::min(begin + kColumns, width())});
}

}  // namespace hearth
