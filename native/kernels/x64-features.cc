// See x64-features.h. Leaves, registers and bits: Intel's manual, volume 2A, CPUID; volume 1, 13.3
// (XCR0).
#include "x64-features.h"

#if defined(__x86_64__)

#include <cpuid.h>

#include <cstdint>
#include <cstring>

namespace hearth {

namespace {

struct Leaf {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

// All zero where the processor does not know the leaf.
Leaf leaf_of(uint32_t number) {
  Leaf leaf;
  __get_cpuid_count(number, 0, &leaf.eax, &leaf.ebx, &leaf.ecx, &leaf.edx);
  return leaf;
}

bool has(uint32_t bits, int bit) { return (bits >> bit & 1) != 0; }

// Which registers the system saves when it switches threads.
uint32_t saved_state() {
  uint32_t low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

}  // namespace

X64Features read_x64_features() {
  constexpr uint32_t kVectors = 0x06;     // xmm, ymm
  constexpr uint32_t kVectors512 = 0xe6;  // and masks, the upper halves of zmm, zmm16–31
  const Leaf basic = leaf_of(1);
  const Leaf extended = leaf_of(7);
  const uint32_t saved = has(basic.ecx, 27) ? saved_state() : 0;
  const bool vectors = (saved & kVectors) == kVectors && has(basic.ecx, 28);
  const bool vectors512 = (saved & kVectors512) == kVectors512 && has(extended.ebx, 16);

  X64Features found;
  found.sse4_2 = has(basic.ecx, 20);
  found.avx2 = vectors && has(extended.ebx, 5);
  found.fma = vectors && has(basic.ecx, 12);
  found.f16c = vectors && has(basic.ecx, 29);
  found.avx512f = vectors512;
  found.avx512dq = vectors512 && has(extended.ebx, 17);
  found.avx512bw = vectors512 && has(extended.ebx, 30);
  found.avx512vl = vectors512 && has(extended.ebx, 31);
  found.avx512vbmi = vectors512 && has(extended.ecx, 1);
  found.avx512vnni = vectors512 && has(extended.ecx, 11);
  found.avx512vpopcntdq = vectors512 && has(extended.ecx, 14);
  return found;
}

X64Brand read_x64_brand() {
  X64Brand brand = {};
  for (uint32_t part = 0; part < 3; part++) {
    const Leaf leaf = leaf_of(0x80000002 + part);
    std::memcpy(brand.name + part * sizeof(leaf), &leaf, sizeof(leaf));
  }
  return brand;
}

}  // namespace hearth

#endif
