// Whole multiples. Always inlined, so that no unit of kernels/ leaves a copy compiled with its
// flags for the linker to pick.
#pragma once

#include <cstddef>

namespace hearth {

[[gnu::always_inline]] constexpr size_t ceil_divide(size_t value, size_t by) {
  return (value + by - 1) / by;
}

[[gnu::always_inline]] constexpr size_t round_up(size_t value, size_t multiple) {
  return ceil_divide(value, multiple) * multiple;
}

}  // namespace hearth
