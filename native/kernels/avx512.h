// The AVX-512 units: each puts the functions that it has into the table. Internal to kernels/.
#pragma once

#include "isa.h"

namespace hearth {
namespace avx512 {

// gemv and gather_dot of the formats with blocks of 32, of the K-quants with nibbles, of those with
// pairs, of the types with a book, and of all others; of the first two also gemm. After add_gemm.
void add_dots_32(Kernels& kernels);
void add_dots_k(Kernels& kernels);
void add_dots_pairs(Kernels& kernels);
void add_dots_book(Kernels& kernels);
void add_dots_unpacked(Kernels& kernels);
// gemm of all quantised types.
void add_gemm(Kernels& kernels);
// The same of one quantised type, for those whose gemm is another for a few tokens.
void vnni_gemm(WeightType type, const GemmTask& task);
// axpy and dequantise_row of all quantised types.
void add_rows(Kernels& kernels);
// prepare_x of all quantised types, and those vector kernels that lanes do not express: signs,
// selection and the read roof.
void add_vectors(Kernels& kernels);
void add_quantisers(Kernels& kernels);

}  // namespace avx512
}  // namespace hearth
