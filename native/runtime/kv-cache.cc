// See kv-cache.h.
#include "kv-cache.h"

#include <cstring>

namespace hearth {

namespace {

size_t cache_bytes(const KvShape& shape) {
  const size_t rows =
      static_cast<size_t>(shape.layers) * shape.sequences * shape.kv_heads * shape.context_length;
  return shape.head_dim == 0 ? 0 : 2 * rows * kv_row_bytes(shape.type, shape.head_dim);
}

}  // namespace

KvCache::KvCache(const Kernels& kernels, const KvShape& shape)
    : vector_(kernels.vector),
      shape_(shape),
      row_bytes_(shape.head_dim == 0 ? 0 : kv_row_bytes(shape.type, shape.head_dim)),
      memory_(cache_bytes(shape)) {}

void KvCache::store(const KvPlace& place, const float* k, const float* v) const {
  for (uint32_t head = 0; head < shape_.kv_heads; head++) {
    const size_t from = static_cast<size_t>(head) * shape_.head_dim;
    const size_t to = place.position * row_bytes_;
    store_row(k + from, keys(place.layer, place.sequence, head) + to);
    store_row(v + from, values(place.layer, place.sequence, head) + to);
  }
}

void KvCache::store_row(const float* x, uint8_t* out) const {
  switch (shape_.type) {
    case KvType::kF32:
      std::memcpy(out, x, shape_.head_dim * sizeof(float));
      return;
    case KvType::kF16:
      vector_.f32_to_f16(x, shape_.head_dim, out);
      return;
    case KvType::kQ8_0:
      vector_.f32_to_q8_0(x, shape_.head_dim, out);
      return;
  }
}

void KvCache::copy_sequence(uint32_t from, uint32_t to, uint32_t length) const {
  if (from == to) return;
  for (uint32_t layer = 0; layer < shape_.layers; layer++) {
    for (uint32_t head = 0; head < shape_.kv_heads; head++) {
      std::memcpy(keys(layer, to, head), keys(layer, from, head), length * row_bytes_);
      std::memcpy(values(layer, to, head), values(layer, from, head), length * row_bytes_);
    }
  }
}

}  // namespace hearth
