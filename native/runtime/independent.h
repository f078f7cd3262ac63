// Before a loop whose steps touch no memory of each other: the compiler need not check that.
#pragma once

#if defined(__clang__)
#define HEARTH_INDEPENDENT_STEPS _Pragma("clang loop vectorize(assume_safety)")
#else
#define HEARTH_INDEPENDENT_STEPS _Pragma("GCC ivdep")
#endif
