// A whole file mapped read-only into memory. Weights are computed from these pages; they are never
// copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace hearth {

class MappedFile {
 public:
  // Returns null and sets `error` if the file cannot be mapped. A page of zeros follows the file,
  // so that a vector load at its end stays inside.
  static std::shared_ptr<MappedFile> open(const std::string& path, std::string& error);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const uint8_t* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  MappedFile() = default;
  const uint8_t* data_ = nullptr;
  size_t bytes_ = 0;
  size_t reserved_ = 0;
};

}  // namespace hearth
