// Weight kernels in plain C++, one template per operation over the codecs. The scalar table is made
// of them, and the other tables use those that no fast version replaces. Equations: kernels.h.
// Internal to kernels/.
#pragma once

#include <cmath>
#include <type_traits>

#include "codecs.h"

namespace hearth {
namespace {

inline const uint8_t* row_of(const Matrix& w, size_t row) {
  return static_cast<const uint8_t*>(w.data) + row * w.row_bytes;
}

template <size_t kRows>
using RowCount = std::integral_constant<size_t, kRows>;

// Prefetches the first four rows of a list into the second level of cache: no earlier row has done
// it. Groups of 52 neurons of a mapped file of F16 gained 4 % by it on one thread, 3 % on two.
inline void prefetch_first_four(const Matrix& w, RowList rows) {
  for (size_t line = 0; line < w.row_bytes; line += kLine) {
    for (size_t r = 0; r < 4; ++r) __builtin_prefetch(row_of(w, rows.index[r]) + line, 0, 2);
  }
}

// Calls body(RowCount<4>, i, row, next) for every four rows of a list, of which i is the first
// place, and body(RowCount<1>, …) for each row that is left. next: the rows that follow, to be
// prefetched.
template <class Body>
void rows_in_fours(const Matrix& w, RowList rows, Body body) {
  if (rows.count >= 4) prefetch_first_four(w, rows);
  size_t i = 0;
  for (; i + 4 <= rows.count; i += 4) {
    const uint8_t* row[4];
    const uint8_t* next[4];
    for (size_t r = 0; r < 4; ++r) {
      row[r] = row_of(w, rows.index[i + r]);
      next[r] = row_of(w, rows.index[i + 4 + r < rows.count ? i + 4 + r : i + r]);
    }
    body(RowCount<4>{}, i, row, next);
  }
  for (; i < rows.count; ++i) {
    const uint8_t* row = row_of(w, rows.index[i]);
    body(RowCount<1>{}, i, &row, &row);
  }
}

// Adding and subtracting 1.5 · 2^23 rounds to nearest even, for |x| < 2^22.
inline float round_even(float x) {
  constexpr float kMagic = 12582912.0f;
  return (x + kMagic) - kMagic;
}

inline void copy_row(const float* x, size_t columns, void* out) {
  std::memcpy(out, x, columns * sizeof(float));
}

// d and q of one group; false when all are zero.
inline void quantise_group(const float* x, int8_t* q, float* d) {
  float largest = 0;
  for (size_t i = 0; i < kGroup; ++i) {
    const float magnitude = std::fabs(x[i]);
    largest = magnitude > largest ? magnitude : largest;
  }
  *d = largest / 127.0f;
  for (size_t i = 0; i < kGroup; ++i) {
    // A denormal d is coarse, so x / d can pass 127.
    const float rounded = *d == 0 ? 0 : round_even(x[i] / *d);
    q[i] = static_cast<int8_t>(rounded > 127 ? 127 : rounded >= -127 ? rounded : -127);
  }
}

// Puts group g, q [32], into `quads`.
inline void store_quads(const int8_t* q, size_t g, const Q8Row& row) {
  int8_t* out = row.quads + g / 8 * kKBlock + g % 8 / 4 * 32 + g % 4 * 4;
  for (size_t half = 0; half < 2; ++half) {
    for (size_t s = 0; s < 4; ++s) std::memcpy(out + 64 * s + 16 * half, q + 16 * half + 4 * s, 4);
  }
}

// Everything of a prepared row that follows from q and d.
inline void finish_q8_row(const Q8Row& row) {
  for (size_t g = 0; g < row.groups; ++g) {
    const int8_t* q = row.q + g * kGroup;
    int8_t* low = row.interleaved + g / 4 * kSuper + g % 4 * 16;
    std::memcpy(low, q, 16);
    std::memcpy(low + 64, q + 16, 16);
    store_quads(q, g, row);
    int32_t half[2] = {0, 0};
    int32_t quad[8];
    for (size_t k = 0; k < 8; ++k) {
      quad[k] = q[4 * k] + q[4 * k + 1] + q[4 * k + 2] + q[4 * k + 3];
      half[k / 4] += quad[k];
      row.start128[g * 8 + k] = -128 * quad[k];
    }
    for (size_t k = 0; k < 4; ++k) row.start8[g * 4 + k] = -8 * (quad[k] + quad[k + 4]);
    const int32_t sum = half[0] + half[1];
    row.d_sum[g] = row.d[g] * static_cast<float>(sum);
    for (size_t h = 0; h < 2; ++h) row.d_sum16[2 * g + h] = row.d[g] * static_cast<float>(half[h]);
    Q8Group& group = row.group[g];
    std::memcpy(group.q, q, kGroup);
    group.d = row.d[g];
    group.d_sum = row.d_sum[g];
    group.minus_sum = -sum;
    group.minus_first_sum = -half[0];
  }
}

inline void prepare_q8(const float* x, size_t columns, void* out) {
  const Q8Row row = q8_row(out, columns);
  const size_t groups = columns / kGroup;
  for (size_t g = 0; g < groups; ++g) quantise_group(x + g * kGroup, row.q + g * kGroup, row.d + g);
  for (size_t g = groups; g < row.groups; ++g) {
    std::memset(row.q + g * kGroup, 0, kGroup);
    row.d[g] = 0;
  }
  finish_q8_row(row);
}

// W[r, :] · x = Σ_g d_x (scale (Σ code·q − zero Σ q) − minimum Σ q)
// The zero point is subtracted from the sum: GCC 12 takes Σ (code − 128)·q for a product of unsigned
// bytes where it has VNNI, and its results are wrong.
template <class Codec>
float dot_quantised(const uint8_t* weights, size_t columns, const Q8Row& x) {
  constexpr size_t kParts = Codec::kBlock / Codec::kSubGroup;
  constexpr size_t kPerGroup = kGroup / Codec::kSubGroup;
  uint8_t code[Codec::kBlock];
  float scale[kParts];
  float minimum[kParts] = {};
  float total = 0;
  for (size_t block = 0; block < columns / Codec::kBlock; ++block) {
    Codec::unpack(weights + block * Codec::kBytes, code, scale, minimum);
    for (size_t part = 0; part < kParts; ++part) {
      const int8_t* q = x.q + block * Codec::kBlock + part * Codec::kSubGroup;
      int32_t sum = 0;
      int32_t dot = 0;
      // Unrolled, sixteen steps are no longer a loop that GCC vectorises.
#pragma GCC unroll 1
      for (size_t i = 0; i < Codec::kSubGroup; ++i) {
        dot += code[part * Codec::kSubGroup + i] * q[i];
        sum += q[i];
      }
      dot -= Codec::kZero * sum;
      const float d = x.d[(block * kParts + part) / kPerGroup];
      total +=
          d * (scale[part] * static_cast<float>(dot) - minimum[part] * static_cast<float>(sum));
    }
  }
  return total;
}

// W[r, :] · x for plain numbers, in eight running sums.
template <class Codec>
float dot_plain(const uint8_t* weights, size_t columns, const float* x) {
  float sum[8] = {};
  for (size_t i = 0; i < columns; ++i)
    sum[i % 8] += Codec::load(weights + i * Codec::kBytes) * x[i];
  return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
}

template <class Codec>
void dequantise_quantised(const void* row, size_t columns, float* out) {
  constexpr size_t kParts = Codec::kBlock / Codec::kSubGroup;
  const uint8_t* weights = static_cast<const uint8_t*>(row);
  uint8_t code[Codec::kBlock];
  float scale[kParts];
  float minimum[kParts] = {};
  for (size_t block = 0; block < columns / Codec::kBlock; ++block) {
    Codec::unpack(weights + block * Codec::kBytes, code, scale, minimum);
    float* values = out + block * Codec::kBlock;
    for (size_t part = 0; part < kParts; ++part) {
      for (size_t i = part * Codec::kSubGroup; i < (part + 1) * Codec::kSubGroup; ++i) {
        const float centred = static_cast<float>(static_cast<int>(code[i]) - Codec::kZero);
        values[i] = scale[part] * centred - minimum[part];
      }
    }
  }
}

template <class Codec>
void dequantise_plain(const void* row, size_t columns, float* out) {
  const uint8_t* weights = static_cast<const uint8_t*>(row);
  for (size_t i = 0; i < columns; ++i) out[i] = Codec::load(weights + i * Codec::kBytes);
}

// The operations over rows, given the dot product `dot(row bytes, columns, prepared x)`.
template <class Codec>
struct QuantisedDot {
  static float dot(const uint8_t* weights, size_t columns, const void* x) {
    return dot_quantised<Codec>(weights, columns, q8_row(x, columns));
  }
};

template <class Codec>
struct PlainDot {
  static float dot(const uint8_t* weights, size_t columns, const void* x) {
    return dot_plain<Codec>(weights, columns, static_cast<const float*>(x));
  }
};

template <class Dot>
void generic_gemv(const GemvTask& task) {
  for (size_t r = task.rows.begin; r < task.rows.end; ++r) {
    task.y[r] = Dot::dot(row_of(task.w, r), task.w.columns, task.x);
  }
}

template <class Dot>
void generic_gather_dot(const Matrix& w, const void* x, RowList rows, float* y) {
  for (size_t i = 0; i < rows.count; ++i) y[i] = Dot::dot(row_of(w, rows.index[i]), w.columns, x);
}

template <class Dot, size_t (*xBytes)(size_t)>
void generic_gemm(const GemmTask& task) {
  const uint8_t* x = static_cast<const uint8_t*>(task.x);
  const size_t stride = xBytes(task.w.columns);
  for (size_t r = task.rows.begin; r < task.rows.end; ++r) {
    for (size_t t = 0; t < task.tokens; ++t) {
      task.y[t * task.y_stride + r] = Dot::dot(row_of(task.w, r), task.w.columns, x + t * stride);
    }
  }
}

inline size_t f32_row_bytes(size_t columns) { return spread_row(columns * sizeof(float)); }

// y += Σ coefficient · row, each row decoded in pieces of 256.
template <size_t kBlock, size_t kBytes, void (*dequantise)(const void*, size_t, float*)>
void generic_axpy(const Matrix& w, RowList rows, const float* coefficient, Range columns,
                  float* y) {
  float values[kKBlock];
  for (size_t i = 0; i < rows.count; ++i) {
    for (size_t c = columns.begin; c < columns.end; c += kKBlock) {
      const size_t count = columns.end - c < kKBlock ? columns.end - c : kKBlock;
      dequantise(row_of(w, rows.index[i]) + c / kBlock * kBytes, count, values);
      for (size_t k = 0; k < count; ++k) y[c + k] = std::fma(coefficient[i], values[k], y[c + k]);
    }
  }
}

// The work is the same either way, but a row is in a cache for the next token.
constexpr size_t kGenericGemmTokens = 2;

template <class Codec>
constexpr WeightKernels generic_quantised() {
  return {prepare_q8,
          generic_gemv<QuantisedDot<Codec>>,
          generic_gemm<QuantisedDot<Codec>, q8_row_bytes>,
          generic_gather_dot<QuantisedDot<Codec>>,
          generic_axpy<Codec::kBlock, Codec::kBytes, dequantise_quantised<Codec>>,
          dequantise_quantised<Codec>,
          kGenericGemmTokens};
}

template <class Codec>
constexpr WeightKernels generic_plain() {
  return {copy_row,
          generic_gemv<PlainDot<Codec>>,
          generic_gemm<PlainDot<Codec>, f32_row_bytes>,
          generic_gather_dot<PlainDot<Codec>>,
          generic_axpy<1, Codec::kBytes, dequantise_plain<Codec>>,
          dequantise_plain<Codec>,
          kGenericGemmTokens};
}

template <class Codec>
constexpr WeightKernels generic_weights() {
  if constexpr (Codec::kX == XFormat::kF32) {
    return generic_plain<Codec>();
  } else {
    return generic_quantised<Codec>();
  }
}

}  // namespace
}  // namespace hearth
