// Functions of the AVX2 units that avx2.cc puts into its table. Internal to kernels/.
#pragma once

#include "kernels.h"

namespace hearth {
namespace avx2 {

using Gemv = void(const Matrix& w, const void* x, Range rows, float* y);
Gemv gemv_q8_0, gemv_q4_0, gemv_q4_1, gemv_q5_0, gemv_q5_1, gemv_q4_k, gemv_q5_k, gemv_q6_k;

using GatherDot = void(const Matrix& w, const void* x, RowList rows, float* y);
GatherDot gather_q8_0, gather_q4_0, gather_q4_1, gather_q5_0, gather_q5_1, gather_q4_k, gather_q5_k,
    gather_q6_k;

// Of the types that down projections are stored in by rows.
using Axpy = void(const Matrix& w, RowList rows, const float* coefficient, Range columns, float* y);
Axpy axpy_q8_0, axpy_q4_0;

}  // namespace avx2
}  // namespace hearth
