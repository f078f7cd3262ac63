// The points of the lattices are those of ggml: their bytes have the FNV-1a hashes of the tables of
// ggml-common.h, as gguf-py 0.19 decodes them.
#include "kernels/lattices.h"

#include "values.h"

namespace hearth_test {
namespace {

struct Expected {
  const char* name;
  uint64_t hash;
};

// ggml's value is (ours − zero) / one.
struct Unit {
  int zero;
  int one;
};

template <size_t kCount, size_t kLength>
void test_lattice(const hearth::Lattice<kCount, kLength>& lattice, const Expected& expected,
                  Unit unit, Checks& checks) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < kCount * kLength; ++i) {
    hash ^= static_cast<uint8_t>((lattice.point[i / kLength][i % kLength] - unit.zero) / unit.one);
    hash *= 0x100000001b3u;
  }
  checks.same({"data", "lattice", expected.name}, &hash, &expected.hash, sizeof hash);
}

}  // namespace
}  // namespace hearth_test

int main() {
  using namespace hearth_test;
  Checks checks;
  test_lattice(hearth::kLatticeIq2Xxs, {"IQ2_XXS", 0xbb4ee025b5ac6e8e}, {0, 1}, checks);
  test_lattice(hearth::kLatticeIq2Xs, {"IQ2_XS", 0xc9b1ee61e79909bd}, {0, 1}, checks);
  test_lattice(hearth::kLatticeIq2S, {"IQ2_S", 0x123edd38a3b62b90}, {0, 1}, checks);
  test_lattice(hearth::kLatticeIq3Xxs, {"IQ3_XXS", 0xdfa5dc83d6a155d5}, {0, 1}, checks);
  test_lattice(hearth::kLatticeIq3S, {"IQ3_S", 0xfa37020c25b44829}, {0, 1}, checks);
  test_lattice(hearth::kLatticeIq1, {"IQ1_S", 0x6703ed863501ae2e}, {128, 8}, checks);
  return checks.finish("lattices_test");
}
