// Matmuls that read the same rows as one stage: q, k and v, or gate and up, share one chunk space,
// so the threads meet once for all of them.
//
//   out (+)= W x (+ bias),   W [out width, x width]
#pragma once

#include <memory>
#include <vector>

#include "channels.h"
#include "row-stages.h"
#include "stage.h"

namespace hearth {

struct MatmulPart {
  PreparedX x;
  Weight weight;
  const float* bias = nullptr;  // [out width], or null
  Slot out;
  bool adds = false;  // into the slot instead of replacing it
  bool relu = false;  // of the predictor's first layer
  Weight channels;    // W^T, kernels null for none
  // Set while building, where there are channels:
  const ChannelLists* lists = nullptr;
  ChannelMeter* meter = nullptr;
  // The product that may take this one's place.
  std::shared_ptr<ChannelProducts> products;
  size_t product = 0;

  bool by_channels() const { return products != nullptr && products->by_channels(product); }
};

// By the rows of the weights.
std::unique_ptr<Stage> make_matmul(std::vector<MatmulPart> parts, ScratchNeeds& needs);
// Joins the sums of a part that goes by channels.
std::unique_ptr<Stage> make_matmul_join(MatmulPart part);

// Rows of W per chunk for a matrix-vector product: 64 KB (3 us at 20 GB/s) to 256 KB by the size of
// W, a multiple of 8 rows. A kernel prefetches a few KB past its rows, which are wasted if another
// thread has the next chunk: hence no smaller. Depends on the shape only, so that results do not
// depend on the number of threads.
uint32_t rows_per_vector_chunk(size_t rows, size_t row_bytes);

// Whether a phase that reads this number of bytes is worth waking sleeping threads: from about 20
// us at 20 GB/s on.
inline bool wakes_for(size_t bytes) { return bytes >= 512 * 1024; }

}  // namespace hearth
