// The quantisers of the AVX2 table: quantisers.h, compiled with its instructions.
#if defined(__x86_64__)
#include "avx2.h"
#include "lanes-avx2.h"
#include "quantisers.h"

namespace hearth {

void avx2::add_quantisers(Kernels& kernels) { set_quantisers<Avx2Lanes>(kernels); }

}  // namespace hearth
#endif
