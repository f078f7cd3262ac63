// The keys and values of every layer and sequence. A head's positions lie one after another, so
// that attention streams them: layer after layer, keys, then values, each [places][kv heads]
// [cells][width]. Position p lies in cell p mod cells.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "../kernels/kernels.h"
#include "../system/memory.h"

namespace hearth {

// Of a layer without keys and values all are 0.
struct KvLayerShape {
  uint32_t kv_heads = 0;
  uint32_t key_width = 0;
  uint32_t value_width = 0;
  uint32_t cells = 0;
  uint32_t places = 0;  // of the sequences, then the checkpoints where the layer has them
};

struct KvShape {
  std::vector<KvLayerShape> layers;
  KvType type = KvType::kF32;
};

// Where a row of the cache belongs.
struct KvPlace {
  uint32_t sequence;
  uint32_t position;
};

// Positions of the keys of a layer, or of its values, as the host has them: [count][kv heads][width].
struct KvMove {
  bool are_values = false;
  bool to_host = false;
  uint32_t place = 0;
  uint32_t first = 0;
  uint32_t count = 0;
  uint8_t* bytes = nullptr;
};

// The keys of a layer, or its values.
struct KvRows {
  uint8_t* data = nullptr;
  size_t row_bytes = 0;   // of a position of a head
  size_t head_bytes = 0;  // of all cells of a head
};

// One layer's part of the cache.
class KvLayer {
 public:
  KvLayer(const Kernels& kernels, const KvShape& shape, const KvLayerShape& layer, uint8_t* data);

  static size_t bytes(const KvShape& shape, const KvLayerShape& layer);

  const KvLayerShape& shape() const { return shape_; }
  KvType type() const { return type_; }
  // From one position of a head to the next.
  size_t key_stride() const { return keys_.row_bytes; }
  size_t value_stride() const { return values_.row_bytes; }
  // Cell 0 of a head.
  uint8_t* keys(uint32_t sequence, uint32_t head) const { return head_of(keys_, sequence, head); }
  uint8_t* values(uint32_t sequence, uint32_t head) const {
    return head_of(values_, sequence, head);
  }
  // k: f32 [kv heads, key width]; v: f32 [kv heads, value width]
  void store(const KvPlace& place, const float* k, const float* v) const;
  // The first cells of `from`, at most `length`, become those of `to`.
  void copy_sequence(uint32_t from, uint32_t to, uint32_t length) const;
  // Bytes of the positions of a KvMove.
  size_t move_bytes(const KvMove& move) const;
  void move(const KvMove& move) const;

 private:
  uint8_t* head_of(const KvRows& rows, uint32_t sequence, uint32_t head) const {
    return rows.data + (static_cast<size_t>(sequence) * shape_.kv_heads + head) * rows.head_bytes;
  }
  void store_row(const float* x, size_t width, uint8_t* out) const;

  const VectorKernels& vector_;
  KvLayerShape shape_;
  KvType type_;
  KvRows keys_;
  KvRows values_;
};

class KvCache {
 public:
  KvCache(const Kernels& kernels, const KvShape& shape);

  size_t bytes() const { return memory_.bytes(); }
  const KvLayer& layer(uint32_t index) const { return layers_.at(index); }
  // Of all layers.
  void copy_sequence(uint32_t from, uint32_t to, uint32_t length) const;
  // Whole rings, of the layers that have both places.
  void copy_place(uint32_t from, uint32_t to) const;

 private:
  Buffer memory_;
  std::vector<KvLayer> layers_;
};

}  // namespace hearth
