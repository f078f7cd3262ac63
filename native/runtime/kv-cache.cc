// See kv-cache.h.
#include "kv-cache.h"

#include <algorithm>
#include <cstring>

namespace hearth {

namespace {

size_t row_bytes(KvType type, uint32_t width) { return width == 0 ? 0 : kv_row_bytes(type, width); }

size_t rows_of(const KvLayerShape& layer) {
  return static_cast<size_t>(layer.places) * layer.kv_heads * layer.cells;
}

// Keys, and layers, begin at a multiple of a cache line.
size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

size_t cache_bytes(const KvShape& shape) {
  size_t bytes = 0;
  for (const KvLayerShape& layer : shape.layers) bytes += KvLayer::bytes(shape, layer);
  return bytes;
}

KvRows rows_at(uint8_t* data, KvType type, uint32_t width, uint32_t cells) {
  const size_t bytes = row_bytes(type, width);
  return KvRows{data, bytes, bytes * cells};
}

}  // namespace

size_t KvLayer::bytes(const KvShape& shape, const KvLayerShape& layer) {
  const size_t rows = rows_of(layer);
  return aligned(rows * row_bytes(shape.type, layer.key_width)) +
         aligned(rows * row_bytes(shape.type, layer.value_width));
}

KvLayer::KvLayer(const Kernels& kernels, const KvShape& shape, const KvLayerShape& layer,
                 uint8_t* data)
    : vector_(kernels.vector),
      shape_(layer),
      type_(shape.type),
      keys_(rows_at(data, shape.type, layer.key_width, layer.cells)),
      values_(rows_at(data + aligned(rows_of(layer) * keys_.row_bytes), shape.type,
                      layer.value_width, layer.cells)) {}

void KvLayer::store(const KvPlace& place, const float* k, const float* v) const {
  const size_t cell = place.position % shape_.cells;
  for (uint32_t head = 0; head < shape_.kv_heads; head++) {
    store_row(k + static_cast<size_t>(head) * shape_.key_width, shape_.key_width,
              keys(place.sequence, head) + cell * keys_.row_bytes);
    store_row(v + static_cast<size_t>(head) * shape_.value_width, shape_.value_width,
              values(place.sequence, head) + cell * values_.row_bytes);
  }
}

void KvLayer::store_row(const float* x, size_t width, uint8_t* out) const {
  switch (type_) {
    case KvType::kF32:
      std::memcpy(out, x, width * sizeof(float));
      return;
    case KvType::kF16:
      vector_.f32_to_f16(x, width, out);
      return;
    case KvType::kQ8_0:
      vector_.f32_to_q8_0(x, width, out);
      return;
  }
}

void KvLayer::copy_sequence(uint32_t from, uint32_t to, uint32_t length) const {
  const size_t cells = std::min(length, shape_.cells);
  for (uint32_t head = 0; head < shape_.kv_heads; head++) {
    std::memcpy(keys(to, head), keys(from, head), cells * keys_.row_bytes);
    std::memcpy(values(to, head), values(from, head), cells * values_.row_bytes);
  }
}

size_t KvLayer::move_bytes(const KvMove& move) const {
  const KvRows& rows = move.are_values ? values_ : keys_;
  return size_t{move.count} * shape_.kv_heads * rows.row_bytes;
}

void KvLayer::move(const KvMove& move) const {
  const KvRows& rows = move.are_values ? values_ : keys_;
  uint8_t* host = move.bytes;
  for (uint32_t i = 0; i < move.count; i++) {
    const size_t cell = (size_t{move.first} + i) % shape_.cells;
    for (uint32_t head = 0; head < shape_.kv_heads; head++) {
      uint8_t* own = head_of(rows, move.place, head) + cell * rows.row_bytes;
      std::memcpy(move.to_host ? host : own, move.to_host ? own : host, rows.row_bytes);
      host += rows.row_bytes;
    }
  }
}

KvCache::KvCache(const Kernels& kernels, const KvShape& shape) : memory_(cache_bytes(shape)) {
  layers_.reserve(shape.layers.size());
  uint8_t* data = memory_.data();
  for (const KvLayerShape& layer : shape.layers) {
    layers_.emplace_back(kernels, shape, layer, data);
    data += KvLayer::bytes(shape, layer);
  }
}

void KvCache::copy_sequence(uint32_t from, uint32_t to, uint32_t length) const {
  if (from == to) return;
  for (const KvLayer& layer : layers_) layer.copy_sequence(from, to, length);
}

void KvCache::copy_place(uint32_t from, uint32_t to) const {
  if (from == to) return;
  for (const KvLayer& layer : layers_) {
    const KvLayerShape& shape = layer.shape();
    if (std::max(from, to) < shape.places) layer.copy_sequence(from, to, shape.cells);
  }
}

}  // namespace hearth
