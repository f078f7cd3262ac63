// The active set of a block in a slot: element i of a row holds neurons 16 i to 16 i + 15 as a whole
// number, bit b for neuron 16 i + b. See src/ops/active-bits.ts.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hearth {

constexpr uint32_t kNeuronsPerElement = 16;

inline bool is_active(const float* row, size_t neuron) {
  const auto bits = static_cast<uint32_t>(row[neuron / kNeuronsPerElement]);
  return (bits >> (neuron % kNeuronsPerElement) & 1) != 0;
}

}  // namespace hearth
