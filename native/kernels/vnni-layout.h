// Scratch of the integer gemm: 16 rows unpacked for a u8·s8 dot product, some columns at a time.
// Internal to kernels/.
#pragma once

#include "blocks.h"

namespace hearth {
namespace {

constexpr size_t kVnniRows = 16;
// A multiple of every block length. With their scales so many columns of 16 rows stay in a first
// level of 32 KB.
constexpr size_t kPieceColumns = 1024;

// Bytes for codes [columns / 4, 16, 4], scales [columns / 16, 16] and minima [columns / 16, 16] of a
// piece.
inline size_t vnni_scratch_bytes(size_t columns) {
  const size_t piece = round_up(columns < kPieceColumns ? columns : kPieceColumns, kSuper);
  return kVnniRows * (piece + 2 * (piece / 16) * sizeof(float));
}

}  // namespace
}  // namespace hearth
