// The quantisers of the AVX-512 table: quantisers.h, compiled with its instructions.
#if defined(__x86_64__)
#include "avx512.h"
#include "lanes-avx512.h"
#include "quantisers.h"

namespace hearth {

void avx512::add_quantisers(Kernels& kernels) { set_quantisers<Avx512Lanes>(kernels); }

}  // namespace hearth
#endif
