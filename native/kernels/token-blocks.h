// Cuts the tokens of a product into blocks whose sums fit the registers.
// Internal to kernels/.
#pragma once

#include <utility>

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

// Kernel::block<count>(task), for 1 … sizeof...(kBefore) tokens.
template <class Kernel, class Task, size_t... kBefore>
void one_block(const Task& task, size_t count, std::index_sequence<kBefore...>) {
  ((count == kBefore + 1 ? Kernel::template block<kBefore + 1>(task) : void()), ...);
}

// in_token_blocks in as few blocks of at most kMost tokens as there can be, of nearly equal sizes: six
// tokens are three and three, not five and one, which would widen all weights for one token.
template <class Kernel, size_t kMost, class Task>
void in_even_blocks(Task task, size_t tokens) {
  for (size_t blocks = ceil_divide(tokens, kMost); blocks > 0; --blocks) {
    const size_t count = ceil_divide(tokens, blocks);
    one_block<Kernel>(task, count, std::make_index_sequence<kMost>{});
    task.x += count * task.x_stride;
    task.y += count * task.y_stride;
    tokens -= count;
  }
}

}  // namespace
}  // namespace hearth
