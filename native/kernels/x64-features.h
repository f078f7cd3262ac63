// What an x64 processor can do and its system saves, asked of cpuid itself: __builtin_cpu_supports
// does not know f16c in clang, and needs the compiler's runtime library for the rest.
#pragma once

#if defined(__x86_64__)

namespace hearth {

// In the order of doctor's list; avx2 and further stand for vectors that the system saves, too.
#define HEARTH_X64_FEATURES(X) \
  X(sse4_2, "sse4.2")          \
  X(avx2, "avx2")              \
  X(fma, "fma")                \
  X(f16c, "f16c")              \
  X(avx512f, "avx512f")        \
  X(avx512bw, "avx512bw")      \
  X(avx512vl, "avx512vl")      \
  X(avx512dq, "avx512dq")      \
  X(avx512vnni, "avx512vnni")  \
  X(avx512vbmi, "avx512vbmi")  \
  X(avx512vpopcntdq, "avx512vpopcntdq")

struct X64Features {
#define HEARTH_FIELD(field, name) bool field = false;
  HEARTH_X64_FEATURES(HEARTH_FIELD)
#undef HEARTH_FIELD
};

X64Features read_x64_features();

// "" where the processor does not say.
struct X64Brand {
  char name[49];
};
X64Brand read_x64_brand();

}  // namespace hearth

#endif
