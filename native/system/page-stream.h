// Weights of which a part does not fit into memory, read in the same order by every step. Of a cycle that is
// longer than the cache, a cache that drops what was used least recently keeps nothing: each step would
// read the whole file from the disk. So the part that does not fit is dropped as soon as it was used, the
// rest stays, and a thread reads ahead what comes next, so that the disk never waits for the processor.
// Linux only.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "mapped-file.h"

namespace hearth {

// A stretch of a file that a step reads at some time.
struct FileRead {
  std::shared_ptr<MappedFile> file;
  Stretch bytes;
};

struct StreamPiece {
  FileRead read;
  bool stays;  // in memory from one step to the next
};

// The reads in pieces of some MiB, of which `dropped` bytes, spread evenly, do not stay. `first[i]`
// becomes the index of the first piece of read i.
std::vector<StreamPiece> stream_pieces(const std::vector<FileRead>& reads, size_t dropped,
                                       std::vector<size_t>& first);

class PageStream {
 public:
  // Reads ahead until `window` bytes that do not stay are there.
  // @throws std::system_error where there is no thread to be had.
  PageStream(std::vector<StreamPiece> pieces, size_t window);
  ~PageStream();
  PageStream(const PageStream&) = delete;
  PageStream& operator=(const PageStream&) = delete;

  // A step is about to read this piece; it is done with those before it. Behind the last piece comes
  // the first.
  void reached(size_t piece);

 private:
  void work();
  // What the thread does next, under the lock; false for nothing.
  bool has_work() const;
  const StreamPiece& piece(uint64_t count) const { return pieces_[count % pieces_.size()]; }

  std::vector<StreamPiece> pieces_;
  size_t window_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  // Counted over all rounds: pieces that were dropped or stay, that steps are done with, that were
  // read ahead.
  uint64_t dropped_ = 0;
  uint64_t reached_ = 0;
  uint64_t fetched_ = 0;
  size_t ahead_ = 0;  // bytes of pieces that do not stay, from reached_ to fetched_
  std::thread thread_;
};

// Has the system read these bytes of a mapped file, without waiting for them.
void will_need(const void* data, size_t bytes);

}  // namespace hearth
