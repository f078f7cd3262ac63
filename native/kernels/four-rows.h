// Loops over rows for dot products of quantised rows, which go in steps of one or a few blocks. A
// Dot is the product of one weight type:
//
//   Format   the codec
//   kBytes   bytes of a step: a whole number of blocks
//   Sum, start(), add(weights, x, step index, sum), finish(sum)
//
// A row's sum is built in the same order whether it runs alone or with three others.
// Internal to kernels/.
#pragma once

#include "generic-weights.h"

namespace hearth {
namespace {

// Adds a row's last blocks if they do not fill a step: padded with zero bytes (scale 0), as x is.
template <class Dot>
void add_tail(const uint8_t* weights, size_t bytes, const Q8Row& x, size_t index,
              typename Dot::Sum& sum) {
  alignas(64) uint8_t padded[Dot::kBytes] = {};
  std::memcpy(padded, weights, bytes);
  Dot::add(padded, x, index, sum);
}

template <class Dot>
float dot_row(const uint8_t* weights, size_t bytes, const Q8Row& x) {
  typename Dot::Sum sum = Dot::start();
  const size_t steps = bytes / Dot::kBytes;
  for (size_t i = 0; i < steps; ++i) Dot::add(weights + i * Dot::kBytes, x, i, sum);
  if (bytes % Dot::kBytes != 0) {
    add_tail<Dot>(weights + steps * Dot::kBytes, bytes % Dot::kBytes, x, steps, sum);
  }
  return Dot::finish(sum);
}

template <class Dot>
size_t packed_bytes(size_t columns) {
  return columns / Dot::Format::kBlock * Dot::Format::kBytes;
}

// Four rows together, each step prefetching the same bytes of the next four into the second level.
template <class Dot>
void dot_four(const uint8_t* const* row, const uint8_t* const* next, size_t bytes, const Q8Row& x,
              float* y) {
  typename Dot::Sum sum[4] = {Dot::start(), Dot::start(), Dot::start(), Dot::start()};
  const size_t steps = bytes / Dot::kBytes;
  for (size_t i = 0; i < steps; ++i) {
#pragma GCC unroll 4
    for (size_t r = 0; r < 4; ++r) {
      for (size_t line = 0; line < Dot::kBytes; line += kLine) {
        __builtin_prefetch(next[r] + i * Dot::kBytes + line, 0, 2);
      }
      Dot::add(row[r] + i * Dot::kBytes, x, i, sum[r]);
    }
  }
  for (size_t r = 0; r < 4; ++r) {
    if (bytes % Dot::kBytes != 0) {
      add_tail<Dot>(row[r] + steps * Dot::kBytes, bytes % Dot::kBytes, x, steps, sum[r]);
    }
    y[r] = Dot::finish(sum[r]);
  }
}

// Adjacent rows go four at a time too. Over a mapped file (4 KB pages, one Zen 4 core, plain
// reading 19-20 GB/s) Q4_0 reached 17-20 GB/s, one row at a time 12-17 with or without prefetch;
// Q8_0 18-20 against 12-17. Over huge pages the order turns round for Q8_0 (24 against 28 GB/s with
// 4096 columns), but a mapped file has none. The prefetch is a number of bytes ahead, past the end
// of the range too: for long rows 9 KB are a little better than the next four rows, and for rows of
// 432 bytes (an expert's down, Q4_0, two cores) 4 KB take three quarters of the time.
template <class Dot>
void four_row_gemv(const Matrix& w, const void* x, Range rows, float* y) {
  constexpr size_t kLongRow = 1024;
  const Q8Row prepared = q8_row(x, w.columns);
  const size_t bytes = packed_bytes<Dot>(w.columns);
  const size_t four = 4 * w.row_bytes;
  const size_t ahead = round_up(w.row_bytes >= kLongRow ? 9216 : 4096, four);
  size_t r = rows.begin;
  for (; r + 4 <= rows.end; r += 4) {
    const uint8_t* row[4];
    const uint8_t* next[4];
    for (size_t i = 0; i < 4; ++i) {
      row[i] = row_of(w, r + i);
      next[i] = row[i] + ahead;
    }
    dot_four<Dot>(row, next, bytes, prepared, y + r);
  }
  for (; r < rows.end; ++r) y[r] = dot_row<Dot>(row_of(w, r), bytes, prepared);
}

template <class Dot>
void four_row_gather(const Matrix& w, const void* x, RowList rows, float* y) {
  const Q8Row prepared = q8_row(x, w.columns);
  const size_t bytes = packed_bytes<Dot>(w.columns);
  rows_in_fours(w, rows, [&](auto count, size_t i, const uint8_t* const* row, auto next) {
    if constexpr (count == 4) {
      dot_four<Dot>(row, next, bytes, prepared, y + i);
    } else {
      y[i] = dot_row<Dot>(row[0], bytes, prepared);
    }
  });
}

}  // namespace
}  // namespace hearth
