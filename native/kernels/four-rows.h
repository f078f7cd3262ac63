// Loops over rows for dot products of quantised rows, which go in steps of one or a few blocks. A
// Dot is the product of one weight type:
//
//   Format   the codec
//   kBytes   bytes of a step: a whole number of blocks
//   Sum, start(), add(weights, x, step index, sum), finish(sum)
//
// A row's sum is built in the same order whether it runs alone or with three others. A step is one
// block, or the blocks of 128 elements: where they do not divide a row, it ends with a LastStep.
// Internal to kernels/.
#pragma once

#include "generic-weights.h"

namespace hearth {
namespace {

// x of the last step of rows whose blocks do not fill whole steps. It ends where the row ends, so
// that nothing behind the row is read, and begins with blocks that the step before has counted:
// their groups of x are zero here and add nothing. (Waiting for the bytes of a copy of the last
// blocks, padded with zeros, took as long as several steps.)
class LastStep {
 public:
  // Of a row of `groups` groups, more than one step. Once.
  void fill(const Q8Row& x, size_t groups) {
    for (size_t i = kGroups - groups % kGroups; i < kGroups; ++i) {
      const size_t g = groups - kGroups + i;
      const int8_t* halves = x.interleaved + g / kGroups * kSuper + g % kGroups * 16;
      std::memcpy(q_ + kGroup * i, x.q + kGroup * g, kGroup);
      std::memcpy(interleaved_ + 16 * i, halves, 16);
      std::memcpy(interleaved_ + 64 + 16 * i, halves + 64, 16);
      std::memcpy(start128_ + 8 * i, x.start128 + 8 * g, 8 * sizeof(int32_t));
      std::memcpy(start8_ + 4 * i, x.start8 + 4 * g, 4 * sizeof(int32_t));
      d_[i] = x.d[g];
      d_[kGroups + i] = x.d_sum[g];
    }
  }

  // What a step of 128 elements reads, at index 0.
  Q8Row x() {
    Q8Row row = {};
    row.q = q_;
    row.interleaved = interleaved_;
    row.start128 = start128_;
    row.start8 = start8_;
    row.d = d_;
    row.d_sum = d_ + kGroups;
    row.groups = kGroups;
    return row;
  }

 private:
  static constexpr size_t kGroups = kSuper / kGroup;
  alignas(64) int8_t q_[kSuper] = {};
  alignas(64) int8_t interleaved_[kSuper] = {};
  alignas(64) int32_t start128_[kSuper / 4] = {};
  alignas(64) int32_t start8_[kSuper / 8] = {};
  // d, then d_sum: as in a prepared row, eight floats may be loaded from d.
  float d_[2 * kGroups] = {};
};

// What all rows of a matrix are multiplied by, step by step.
struct Steps {
  Q8Row x;
  size_t whole;   // steps of x
  size_t bytes;   // of a row's blocks
  bool has_last;  // a step of `last`, which ends the row
  Q8Row last;
};

// Calls body(steps).
template <class Dot, class Body>
void with_steps(const void* x, size_t columns, Body body) {
  const size_t bytes = columns / Dot::Format::kBlock * Dot::Format::kBytes;
  const Q8Row prepared = q8_row(x, columns);
  const size_t whole = bytes / Dot::kBytes;
  if constexpr (Dot::kBytes > Dot::Format::kBytes) {
    static_assert(Dot::kBytes / Dot::Format::kBytes * Dot::Format::kBlock == kSuper);
    if (whole > 0 && bytes % Dot::kBytes != 0) {
      LastStep last;
      last.fill(prepared, columns / kGroup);
      return body(Steps{prepared, whole, bytes, true, last.x()});
    }
  }
  body(Steps{prepared, whole, bytes, false, {}});
}

// Adds a row shorter than a step: padded with zero bytes (scale 0), as x is.
template <class Dot>
void add_short_row(const uint8_t* weights, size_t bytes, const Q8Row& x, typename Dot::Sum& sum) {
  alignas(64) uint8_t padded[Dot::kBytes] = {};
  std::memcpy(padded, weights, bytes);
  Dot::add(padded, x, 0, sum);
}

// Adds what follows a row's whole steps.
template <class Dot>
void add_rest(const uint8_t* row, const Steps& steps, typename Dot::Sum& sum) {
  if constexpr (Dot::kBytes > Dot::Format::kBytes) {
    if (steps.has_last) {
      Dot::add(row + steps.bytes - Dot::kBytes, steps.last, 0, sum);
    } else if (steps.whole == 0) {
      add_short_row<Dot>(row, steps.bytes, steps.x, sum);
    }
  }
}

template <class Dot>
float dot_row(const uint8_t* row, const Steps& steps) {
  typename Dot::Sum sum = Dot::start();
  for (size_t i = 0; i < steps.whole; ++i) Dot::add(row + i * Dot::kBytes, steps.x, i, sum);
  add_rest<Dot>(row, steps, sum);
  return Dot::finish(sum);
}

// Two or four rows together, each step prefetching the same bytes of later ones into the second level, with
// kCount tokens: y[t * y_stride + r]. The compiler unpacks a step of a row once for all tokens, and
// what is of x alone once for all rows. Inlined, a loop over rows loads its constants once: rows of
// 768 columns (six steps) take 0.91 of the time, rows of 2048 columns 0.95, from a cache, for the
// types of four bits and the K types.
template <class Dot, size_t kRows, size_t kCount>
[[gnu::always_inline]] inline void dot_rows(const uint8_t* const* row, const uint8_t* const* next,
                                            const Steps* steps, float* y, size_t y_stride) {
  typename Dot::Sum sum[kRows][kCount];
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t t = 0; t < kCount; ++t) sum[r][t] = Dot::start();
  }
  for (size_t i = 0; i < steps[0].whole; ++i) {
#pragma GCC unroll 4
    for (size_t r = 0; r < kRows; ++r) {
      for (size_t line = 0; line < Dot::kBytes; line += kLine) {
        __builtin_prefetch(next[r] + i * Dot::kBytes + line, 0, 2);
      }
#pragma GCC unroll 2
      for (size_t t = 0; t < kCount; ++t) {
        Dot::add(row[r] + i * Dot::kBytes, steps[t].x, i, sum[r][t]);
      }
    }
  }
#pragma GCC unroll 4
  for (size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (size_t t = 0; t < kCount; ++t) {
      add_rest<Dot>(row[r], steps[t], sum[r][t]);
      y[t * y_stride + r] = Dot::finish(sum[r][t]);
    }
  }
}

// Adjacent rows go four at a time too. Over a mapped file (4 KB pages, one Zen 4 core, plain
// reading 19-20 GB/s) Q4_0 reached 17-20 GB/s, one row at a time 12-17 with or without prefetch;
// Q8_0 18-20 against 12-17. Short rows of Q8_0 go in twos (two_row_gemv).
// The prefetch is a number of bytes ahead, past the end of the range too: for long rows 9 KB are a
// little better than the next four rows, and for rows of 432 bytes (an expert's down, Q4_0, two
// cores) 4 KB take three quarters of the time. What lies past the end is another thread's, mostly:
// fetching what the caller reads next instead takes 0.86 of the time where a range has 37 KB, 0.95
// where it has 150 (docs/measurements/experts.md).
class PrefetchedRows {
 public:
  static constexpr size_t kFarBytes = 9216;

  // Of rows that end at row `end`, behind which `next` is read; null for unknown.
  PrefetchedRows(const Matrix& w, size_t end, const void* next)
      : PrefetchedRows(w, end, next,
                       round_up(w.row_bytes >= kLongRow ? kFarBytes : 4096, 4 * w.row_bytes)) {}
  PrefetchedRows(const Matrix& w, size_t end, const void* next, size_t ahead)
      : ahead_(ahead),
        end_(row_of(w, end)),
        behind_(next == nullptr ? end_ : static_cast<const uint8_t*>(next)) {}

  // What is fetched while this row is read.
  const uint8_t* of(const uint8_t* row) const {
    return row + ahead_ < end_ ? row + ahead_ : behind_ + (row + ahead_ - end_);
  }

 private:
  static constexpr size_t kLongRow = 1024;
  size_t ahead_;
  const uint8_t* end_;
  const uint8_t* behind_;
};

// y[t * y_stride + r] of the rows in `rows`, kRows at a time, and kCount tokens.
template <class Dot, size_t kRows, size_t kCount>
void dot_adjacent(const Matrix& w, Range rows, const PrefetchedRows& ahead, const Steps* steps,
                  float* y, size_t y_stride) {
  size_t r = rows.begin;
  for (; r + kRows <= rows.end; r += kRows) {
    const uint8_t* row[kRows];
    const uint8_t* next[kRows];
    for (size_t i = 0; i < kRows; ++i) {
      row[i] = row_of(w, r + i);
      next[i] = ahead.of(row[i]);
    }
    dot_rows<Dot, kRows, kCount>(row, next, steps, y + r, y_stride);
  }
  for (; r < rows.end; ++r) {
    for (size_t t = 0; t < kCount; ++t) y[t * y_stride + r] = dot_row<Dot>(row_of(w, r), steps[t]);
  }
}

template <class Dot>
void four_row_gemv(const GemvTask& task) {
  const PrefetchedRows ahead(task.w, task.rows.end, task.next);
  with_steps<Dot>(task.x, task.w.columns, [&](const Steps& steps) {
    dot_adjacent<Dot, 4, 1>(task.w, task.rows, ahead, &steps, task.y, 0);
  });
}

// For short rows of types whose products wait for memory, not for the core.
template <class Dot>
void two_row_gemv(const GemvTask& task) {
  const PrefetchedRows ahead(task.w, task.rows.end, task.next, PrefetchedRows::kFarBytes);
  with_steps<Dot>(task.x, task.w.columns, [&](const Steps& steps) {
    dot_adjacent<Dot, 2, 1>(task.w, task.rows, ahead, &steps, task.y, 0);
  });
}

template <class Dot>
void four_row_gather(const Matrix& w, const void* x, RowList rows, float* y) {
  with_steps<Dot>(x, w.columns, [&](const Steps& steps) {
    rows_in_fours(w, rows, [&](auto count, size_t i, const uint8_t* const* row, auto next) {
      if constexpr (count == 4) {
        dot_rows<Dot, 4, 1>(row, next, &steps, y + i, 0);
      } else {
        y[i] = dot_row<Dot>(row[0], steps);
      }
    });
  });
}

}  // namespace
}  // namespace hearth
