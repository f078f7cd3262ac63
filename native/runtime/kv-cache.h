// The keys and values of every layer and sequence. A head's positions lie one after another, so
// that attention streams them: keys, then values, each [layers][sequences][kv heads][context
// length][head dim].
#pragma once

#include <cstddef>
#include <cstdint>

#include "../kernels/kernels.h"
#include "../system/memory.h"

namespace hearth {

struct KvShape {
  uint32_t layers = 0;
  uint32_t kv_heads = 0;
  uint32_t head_dim = 0;
  uint32_t context_length = 0;
  uint32_t sequences = 0;
  KvType type = KvType::kF32;
};

// Where a row of the cache belongs.
struct KvPlace {
  uint32_t layer;
  uint32_t sequence;
  uint32_t position;
};

class KvCache {
 public:
  KvCache(const Kernels& kernels, const KvShape& shape);

  const KvShape& shape() const { return shape_; }
  size_t bytes() const { return memory_.bytes(); }
  // From one position of a head to the next.
  size_t position_stride() const { return row_bytes_; }
  // Position 0 of a head.
  uint8_t* keys(uint32_t layer, uint32_t sequence, uint32_t head) const {
    return memory_.data() + head_offset(layer, sequence, head);
  }
  uint8_t* values(uint32_t layer, uint32_t sequence, uint32_t head) const {
    return memory_.data() + memory_.bytes() / 2 + head_offset(layer, sequence, head);
  }
  // k, v: f32 [kv heads, head dim]
  void store(const KvPlace& place, const float* k, const float* v) const;
  // Positions < length of `from` become those of `to`, in all layers.
  void copy_sequence(uint32_t from, uint32_t to, uint32_t length) const;

 private:
  size_t head_offset(uint32_t layer, uint32_t sequence, uint32_t head) const {
    const size_t index =
        (static_cast<size_t>(layer) * shape_.sequences + sequence) * shape_.kv_heads + head;
    return index * shape_.context_length * row_bytes_;
  }
  void store_row(const float* x, uint8_t* out) const;

  const VectorKernels& vector_;
  KvShape shape_;
  size_t row_bytes_;
  Buffer memory_;
};

}  // namespace hearth
