// Large aligned memory for scratch, KV cache and copied weights: zeroed, in huge pages where the
// system gives them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace hearth {

// Owns bytes, aligned to a page. 64 readable bytes follow them, so that a vector load at the end
// stays inside.
class Buffer {
 public:
  Buffer() = default;
  // @throws std::bad_alloc
  explicit Buffer(size_t bytes);
  ~Buffer();
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  uint8_t* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  template <typename T>
  T* as(size_t offset_bytes = 0) const {
    return reinterpret_cast<T*>(data_ + offset_bytes);
  }

 private:
  uint8_t* data_ = nullptr;
  size_t bytes_ = 0;
};

// Many zeroed arrays in few buffers, each on its own cache line; they live as long as the arena.
class Arena {
 public:
  // @throws std::bad_alloc
  uint8_t* take(size_t bytes);
  template <typename T>
  T* array(size_t count) {
    return reinterpret_cast<T*>(take(count * sizeof(T)));
  }
  size_t bytes() const { return taken_; }

 private:
  std::vector<Buffer> blocks_;
  size_t used_ = 0;  // of the last block
  size_t taken_ = 0;
};

}  // namespace hearth
