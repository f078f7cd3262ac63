// The AVX2 units: each puts the functions that it has into the table. Internal to kernels/.
#pragma once

#include "isa.h"

namespace hearth {
namespace avx2 {

// gemv and gather_dot of the formats with blocks of 32, of the K-quants with nibbles, of those with
// pairs, of the types with a book, and of all others.
void add_dots_32(Kernels& kernels);
void add_dots_k(Kernels& kernels);
void add_dots_pairs(Kernels& kernels);
void add_dots_book(Kernels& kernels);
void add_dots_unpacked(Kernels& kernels);
// axpy of Q8_0 and Q4_0, the types in which transposed down projections are stored.
void add_axpy(Kernels& kernels);
void add_quantisers(Kernels& kernels);

}  // namespace avx2
}  // namespace hearth
