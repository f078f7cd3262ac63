// A whole file in memory, read-only: mapped, so that its pages are those of the system's cache, or
// read into memory of the process, where no change of the file reaches it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "huge-pages.h"

namespace hearth {

enum class FileAccess { kMap, kRead };

class MappedFile {
 public:
  // Returns null and sets `error` if the file cannot be had. A page of zeros follows the file, so
  // that a vector load at its end stays inside.
  static std::shared_ptr<MappedFile> open(const std::string& path, FileAccess access,
                                          std::string& error);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const uint8_t* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  // Keeps the pages in physical memory until the file is given back. False, with the system's
  // reason, where it does not allow that.
  bool lock(std::string& error) const;
  // Moves these stretches of a mapped file into huge pages, once, by a thread of its own. Returns
  // how many bytes that are: none for a second call, or where the system has no huge pages.
  size_t move_to_huge_pages(std::vector<Stretch> stretches, MovePace pace);
  // Of these, how many are left. 0 where the mover ended early, too.
  size_t bytes_to_move() const;
  // Before the first drop(). False where pages cannot be dropped: of a copy, or where some are moved to
  // huge pages, which then are not moved from here on.
  bool begin_dropping();
  // Gives the system back the whole pages of this stretch that no other process has mapped: who reads
  // them next reads the disk.
  void drop(Stretch stretch) const;

 private:
  MappedFile() = default;
  const uint8_t* data_ = nullptr;
  size_t bytes_ = 0;
#if defined(_WIN32)
  FileAccess access_ = FileAccess::kMap;
#else
  size_t reserved_ = 0;
#endif
#if defined(__linux__)
  int descriptor_ = -1;  // of a mapped file
  bool is_dropping_ = false;
  std::unique_ptr<PageMover> mover_;
#endif
};

}  // namespace hearth
