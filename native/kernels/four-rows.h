// Loops over rows for quantised dot products in steps. A Step has
//
//   kBlock, kBlockBytes   columns and bytes of a block of the format
//   kBytes                bytes that one call of add covers: a whole number of blocks
//   Sum, start(), add(weights, x, step index, sum), finish(sum)
//
// A row's sum is built in the same order whether it runs alone or with three others.
// Internal to kernels/.
#pragma once

#include "generic-weights.h"

namespace hearth {
namespace {

// A row's last blocks when they fill no whole step: padded with zero bytes (scale 0), as x is.
template <class Step>
void add_tail(const uint8_t* weights, size_t bytes, const Q8Row& x, size_t index,
              typename Step::Sum& sum) {
  alignas(64) uint8_t padded[Step::kBytes] = {};
  std::memcpy(padded, weights, bytes);
  Step::add(padded, x, index, sum);
}

template <class Step>
float dot_row(const uint8_t* weights, size_t bytes, const Q8Row& x) {
  typename Step::Sum sum = Step::start();
  const size_t steps = bytes / Step::kBytes;
  for (size_t i = 0; i < steps; ++i) Step::add(weights + i * Step::kBytes, x, i, sum);
  if (bytes % Step::kBytes != 0) {
    add_tail<Step>(weights + steps * Step::kBytes, bytes % Step::kBytes, x, steps, sum);
  }
  return Step::finish(sum);
}

template <class Step>
size_t packed_bytes(size_t columns) {
  return columns / Step::kBlock * Step::kBlockBytes;
}

// Four rows together, each step prefetching the same bytes of the next four into the second level.
template <class Step>
void dot_four(const uint8_t* const* row, const uint8_t* const* next, size_t bytes, const Q8Row& x,
              float* y) {
  typename Step::Sum sum[4] = {Step::start(), Step::start(), Step::start(), Step::start()};
  const size_t steps = bytes / Step::kBytes;
  for (size_t i = 0; i < steps; ++i) {
#pragma GCC unroll 4
    for (size_t r = 0; r < 4; ++r) {
      for (size_t line = 0; line < Step::kBytes; line += kLine) {
        __builtin_prefetch(next[r] + i * Step::kBytes + line, 0, 2);
      }
      Step::add(row[r] + i * Step::kBytes, x, i, sum[r]);
    }
  }
  for (size_t r = 0; r < 4; ++r) {
    if (bytes % Step::kBytes != 0) {
      add_tail<Step>(row[r] + steps * Step::kBytes, bytes % Step::kBytes, x, steps, sum[r]);
    }
    y[r] = Step::finish(sum[r]);
  }
}

// Four rows at a time here too. Over a mapped file (4 KB pages, one Zen 4 core, plain reading 19-20
// GB/s) Q4_0 reached 17-20 GB/s, one row at a time 12-17 with or without prefetch; Q8_0 18-20
// against 12-17. Over huge pages the order turns for Q8_0 (24 against 28 GB/s with 4096 columns),
// but a mapped file has none. Rows lie behind one another, so what is prefetched is bytes ahead,
// past the end of the range too; for long rows 9 KB are a little better than the next four rows.
template <class Step>
void step_gemv(const Matrix& w, const void* x, Range rows, float* y) {
  constexpr size_t kLongRow = 1024;
  const Q8Row prepared = q8_row(x, w.columns);
  const size_t bytes = packed_bytes<Step>(w.columns);
  const size_t four = 4 * w.row_bytes;
  const size_t ahead = w.row_bytes >= kLongRow ? round_up(9216, four) : four;
  size_t r = rows.begin;
  for (; r + 4 <= rows.end; r += 4) {
    const uint8_t* row[4];
    const uint8_t* next[4];
    for (size_t i = 0; i < 4; ++i) {
      row[i] = row_of(w, r + i);
      next[i] = row[i] + ahead;
    }
    dot_four<Step>(row, next, bytes, prepared, y + r);
  }
  for (; r < rows.end; ++r) y[r] = dot_row<Step>(row_of(w, r), bytes, prepared);
}

template <class Step>
void step_gather(const Matrix& w, const void* x, RowList rows, float* y) {
  const Q8Row prepared = q8_row(x, w.columns);
  const size_t bytes = packed_bytes<Step>(w.columns);
  rows_in_fours(w, rows, [&](auto count, size_t i, const uint8_t* const* row, auto next) {
    if constexpr (count == 4) {
      dot_four<Step>(row, next, bytes, prepared, y + i);
    } else {
      y[i] = dot_row<Step>(row[0], bytes, prepared);
    }
  });
}

}  // namespace
}  // namespace hearth
