// Gemm over lanes L: a tile of rows is decoded to an f32 panel in pieces of kPanelDepth columns and
// multiplied with all tokens. Used for plain weights on every instruction set, and for quantised
// ones on those without an integer gemm.
// Internal to kernels/.
#pragma once

#include "generic-weights.h"
#include "panel.h"

namespace hearth {
namespace {

// 512 × 32 floats = 64 KB: with as much of x it stays in a second-level cache of 256 KB and more.
constexpr size_t kPanelDepth = 512;
// Tokens whose x is decoded at a time: a multiple of every kTokens.
constexpr size_t kPanelTokens = 48;

struct PanelScratch {
  float* rows;   // [kGemmRowTile, kPanelDepth]
  float* panel;  // [kPanelDepth, kGemmRowTile]
  float* x;      // [kPanelTokens, kPanelDepth]
  float* y;      // [kPanelTokens, kGemmRowTile], for a tile with fewer rows
};

constexpr size_t kPanelScratchBytes =
    (2 * kGemmRowTile * kPanelDepth + kPanelTokens * (kPanelDepth + kGemmRowTile)) * sizeof(float);

inline PanelScratch panel_scratch(void* buffer) {
  PanelScratch scratch;
  scratch.rows = static_cast<float*>(buffer);
  scratch.panel = scratch.rows + kGemmRowTile * kPanelDepth;
  scratch.x = scratch.panel + kGemmRowTile * kPanelDepth;
  scratch.y = scratch.x + kPanelTokens * kPanelDepth;
  return scratch;
}

// Columns [begin, begin + depth) of `rows` rows, transposed; the panel's other columns are zero.
template <class L, class Decoder>
void fill_panel(const Matrix& w, Range rows, size_t begin, size_t depth,
                const PanelScratch& scratch) {
  const size_t count = rows.end - rows.begin;
  for (size_t r = 0; r < count; ++r) {
    Decoder::decode(row_of(w, rows.begin + r), begin, depth, scratch.rows + r * kPanelDepth);
  }
  if (count < kGemmRowTile) {
    std::memset(scratch.rows + count * kPanelDepth, 0,
                (kGemmRowTile - count) * kPanelDepth * sizeof(float));
  }
  size_t k = 0;
  for (; k + L::kLanes <= depth; k += L::kLanes) {
    for (size_t r = 0; r < kGemmRowTile; r += L::kLanes) {
      L::transpose(scratch.rows + r * kPanelDepth + k, kPanelDepth,
                   scratch.panel + k * kGemmRowTile + r, kGemmRowTile);
    }
  }
  for (; k < depth; ++k) {
    for (size_t r = 0; r < kGemmRowTile; ++r) {
      scratch.panel[k * kGemmRowTile + r] = scratch.rows[r * kPanelDepth + k];
    }
  }
}

// Sums of a whole tile go to y directly, those of a tile with fewer rows through `cut`.
template <class L>
void multiply_panel(const PanelTask& task, size_t tokens, size_t rows, float* cut) {
  if (rows == kGemmRowTile) {
    for (size_t c = 0; c < kGemmRowTile; c += 2 * L::kLanes) {
      PanelTask part = task;
      part.panel += c;
      part.y += c;
      panel_product<L>(part, tokens);
    }
    return;
  }
  for (size_t t = 0; t < tokens; ++t) {
    std::memcpy(cut + t * kGemmRowTile, task.y + t * task.y_stride,
                task.accumulate ? rows * sizeof(float) : 0);
    for (size_t r = task.accumulate ? rows : 0; r < kGemmRowTile; ++r)
      cut[t * kGemmRowTile + r] = 0;
  }
  for (size_t c = 0; c < kGemmRowTile; c += 2 * L::kLanes) {
    PanelTask part = task;
    part.panel += c;
    part.y = cut + c;
    part.y_stride = kGemmRowTile;
    panel_product<L>(part, tokens);
  }
  for (size_t t = 0; t < tokens; ++t) {
    std::memcpy(task.y + t * task.y_stride, cut + t * kGemmRowTile, rows * sizeof(float));
  }
}

template <class L, class Decoder>
void panel_gemm(const GemmTask& task) {
  const PanelScratch scratch = panel_scratch(task.scratch);
  for (size_t r = task.rows.begin; r < task.rows.end; r += kGemmRowTile) {
    const Range rows = {r, r + kGemmRowTile < task.rows.end ? r + kGemmRowTile : task.rows.end};
    for (size_t begin = 0; begin < task.w.columns; begin += kPanelDepth) {
      const size_t left = task.w.columns - begin;
      const size_t depth = left < kPanelDepth ? left : kPanelDepth;
      fill_panel<L, Decoder>(task.w, rows, begin, depth, scratch);
      for (size_t t = 0; t < task.tokens; t += kPanelTokens) {
        const size_t tokens = task.tokens - t < kPanelTokens ? task.tokens - t : kPanelTokens;
        size_t stride = 0;
        const float* x = Decoder::x_rows({t, t + tokens}, begin, depth, task, scratch.x, &stride);
        multiply_panel<L>({scratch.panel, kGemmRowTile, x, stride, depth,
                           task.y + t * task.y_stride + r, task.y_stride, begin > 0},
                          tokens, rows.end - rows.begin, scratch.y);
      }
    }
  }
}

// x of format kF32 is read in place.
struct PlainX {
  static const float* x_rows(Range tokens, size_t begin, size_t, const GemmTask& task, float*,
                             size_t* stride) {
    *stride = f32_row_bytes(task.w.columns) / sizeof(float);
    return static_cast<const float*>(task.x) + tokens.begin * *stride + begin;
  }
};

// x of format kQ8 becomes d · q.
struct QuantisedX {
  static const float* x_rows(Range tokens, size_t begin, size_t depth, const GemmTask& task,
                             float* out, size_t* stride) {
    *stride = kPanelDepth;
    const size_t bytes = q8_row_bytes(task.w.columns);
    for (size_t t = tokens.begin; t < tokens.end; ++t) {
      const Q8Row row = q8_row(static_cast<const uint8_t*>(task.x) + t * bytes, task.w.columns);
      float* x = out + (t - tokens.begin) * kPanelDepth;
      for (size_t k = 0; k < depth; ++k) {
        x[k] = row.d[(begin + k) / kGroup] * static_cast<float>(row.q[begin + k]);
      }
    }
    return out;
  }
};

template <class Codec>
struct QuantisedDecoder : QuantisedX {
  static void decode(const uint8_t* row, size_t begin, size_t depth, float* out) {
    dequantise_quantised<Codec>(row + begin / Codec::kBlock * Codec::kBytes, depth, out);
  }
};

}  // namespace
}  // namespace hearth
