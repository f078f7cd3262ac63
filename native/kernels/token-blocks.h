// Cuts the tokens of a product into blocks whose sums fit the registers.
// Internal to kernels/.
#pragma once

#include "blocks.h"

namespace hearth {
namespace {

// Rows of x that are reached from one pointer: 0, 1 and 2 strides are addressing modes.
constexpr size_t kTokensPerBase = 3;

// Calls Kernel::block<n>(task) for blocks of kCount tokens, and what is left in blocks of the
// smaller sizes, of which the last is 1. The task's x and y move from block to block by their
// strides.
template <class Kernel, size_t kCount, size_t... kSmaller, class Task>
void in_token_blocks(Task task, size_t tokens) {
  for (; tokens >= kCount; tokens -= kCount) {
    Kernel::template block<kCount>(task);
    task.x += kCount * task.x_stride;
    task.y += kCount * task.y_stride;
  }
  if constexpr (sizeof...(kSmaller) > 0) {
    if (tokens > 0) in_token_blocks<Kernel, kSmaller...>(task, tokens);
  }
}

}  // namespace
}  // namespace hearth
