// Sums over listed rows of a matrix, Σ_i c_i · W[list_i, :]: the down projection over its active
// neurons, and products over the input channels that are not zero (rows of W^T). A list is cut in
// fixed groups; each has a private sum, and these are added in order, so that no bit depends on the
// number of threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "stage.h"

namespace hearth {

// The most rows of a step in which each row uses its own list.
constexpr uint32_t kMaxSparseRows = 8;
// The most groups of one list.
constexpr uint32_t kMaxGroups = 32;

// How a list of `count` is cut. Depends on the count and the caller's `wished` size only.
struct ListCut {
  uint32_t size = 0;
  uint32_t groups = 0;
};
ListCut cut_list(uint32_t count, uint32_t wished);

// The lists of a step's rows, cut. Private sums are numbered through all rows, one or more each.
class ListCuts {
 public:
  void assign(const uint32_t* counts, uint32_t rows, uint32_t wished);

  uint32_t rows() const { return rows_; }
  const ListCut& of(uint32_t row) const { return cut_[row]; }
  // Number of the row's first private sum.
  uint32_t first_sum(uint32_t row) const { return first_[row]; }
  // Private sums of all rows.
  uint32_t sums() const { return first_[rows_]; }
  // Chunks run every group once; some chunks have no group. Groups of different rows alternate, so
  // that a weight read for one row is still in a cache for the next.
  uint32_t chunks() const { return most_groups_ * rows_; }

  struct Group {
    uint32_t row;
    uint32_t sum;    // its number
    uint32_t begin;  // in the row's list
    uint32_t count;  // 0: no such group
  };
  Group group(uint32_t chunk) const;

 private:
  ListCut cut_[kMaxSparseRows];
  uint32_t length_[kMaxSparseRows] = {};
  uint32_t first_[kMaxSparseRows + 1] = {};
  uint32_t rows_ = 0;
  uint32_t most_groups_ = 0;
};

// Memory for private sums that all stages of an executable share: they run one after another.
struct SharedSums {
  float* data = nullptr;
};

// sum = Σ_i c_i · W[rows_i, :]
void sum_rows(const Weight& weight, RowList rows, const float* coefficient, float* sum);

// Adds the sums of the groups, `stride` floats apart, to the first one in order; without groups,
// that becomes zero.
void join_sums(const VectorKernels& vector, uint32_t groups, size_t stride, size_t count,
               float* sums);

// The second half of a sum: adds up each row's private sums and passes the result on.
class JoinStage : public Stage {
 public:
  Phase begin(const Step&) final;
  void chunk(const Step&, uint32_t index, const Scratch&) final;

 protected:
  // Of the step at hand; null where nothing was summed.
  virtual const ListCuts* cuts() const = 0;
  virtual size_t width() const = 0;
  virtual void join(uint32_t row, Range columns) const = 0;
};

}  // namespace hearth
