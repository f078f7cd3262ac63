// The points of the lattices from which IQ1, IQ2 and IQ3 weights take four or eight values at once:
// facts of those formats, the same in every file. Source: iq2xxs_grid … iq1s_grid of ggml-common.h
// (ggml-org/llama.cpp, commit c392e5094).
// Internal to kernels/.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hearth {

// Bytes of the points, in the order of their index in a file. Of IQ2 and IQ3 magnitudes: signs are
// stored apart. Of IQ1 eight times −1, 0 or 1, plus 128: a block's shift of ±1/8 adds ±1 to them.
template <size_t kCount, size_t kLength>
struct Lattice {
  uint8_t point[kCount][kLength];
};

extern const Lattice<256, 8> kLatticeIq2Xxs;
extern const Lattice<512, 8> kLatticeIq2Xs;
extern const Lattice<1024, 8> kLatticeIq2S;
extern const Lattice<256, 4> kLatticeIq3Xxs;
extern const Lattice<512, 4> kLatticeIq3S;
extern const Lattice<2048, 8> kLatticeIq1;

}  // namespace hearth
