// Scratch of the integer gemm: 16 rows unpacked for a u8·s8 dot product.
// Internal to kernels/.
#pragma once

#include "blocks.h"

namespace hearth {
namespace {

constexpr size_t kVnniRows = 16;

// Bytes for codes [columns / 4, 16, 4], scales [columns / 16, 16] and minima [columns / 16, 16].
inline size_t vnni_scratch_bytes(size_t columns) {
  const size_t padded = round_up(columns, kSuper);
  return kVnniRows * (padded + 2 * (padded / 16) * sizeof(float));
}

}  // namespace
}  // namespace hearth
