// Functions of the AVX-512 units that avx512.cc puts into its table. Internal to kernels/.
#pragma once

#include "kernels.h"

namespace hearth {
namespace avx512 {

void prepare_q8(const float* x, size_t columns, void* out);

using Gemv = void(const Matrix& w, const void* x, Range rows, float* y);
Gemv gemv_q8_0, gemv_q4_0, gemv_q4_1, gemv_q5_0, gemv_q5_1, gemv_q4_k, gemv_q5_k, gemv_q6_k;

using GatherDot = void(const Matrix& w, const void* x, RowList rows, float* y);
GatherDot gather_q8_0, gather_q4_0, gather_q4_1, gather_q5_0, gather_q5_1, gather_q4_k, gather_q5_k,
    gather_q6_k;

using Gemm = void(const GemmTask& task);
Gemm gemm_q8_0, gemm_q4_0, gemm_q4_1, gemm_q5_0, gemm_q5_1, gemm_q4_k, gemm_q5_k, gemm_q6_k;

using Axpy = void(const Matrix& w, RowList rows, const float* coefficient, Range columns, float* y);
Axpy axpy_q8_0, axpy_q4_0, axpy_q4_1, axpy_q5_0, axpy_q5_1, axpy_q4_k, axpy_q5_k, axpy_q6_k;

using DequantiseRow = void(const void* row, size_t columns, float* out);
DequantiseRow dequantise_q8_0, dequantise_q4_0, dequantise_q4_1, dequantise_q5_0, dequantise_q5_1,
    dequantise_q4_k, dequantise_q5_k, dequantise_q6_k;

// Parts of the vector table that lanes do not express.
void sign_scores(const uint64_t* signs, size_t columns, const uint64_t* x, Range rows,
                 int32_t* score);
void sign_pack(const float* x, size_t count, uint64_t* out);
size_t select_at_least(const float* x, size_t count, float least, uint32_t base, uint32_t* index);
size_t select_magnitude(const float* x, size_t count, float least, uint32_t base, uint32_t* index);
size_t select_scores(const int32_t* x, size_t count, int32_t least, uint32_t base, uint32_t* index);
uint64_t read_stream(const void* data, size_t bytes);

}  // namespace avx512
}  // namespace hearth
