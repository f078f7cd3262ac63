// See page-stream.h.
#include "page-stream.h"

#include <algorithm>
#include <utility>

#include "../kernels/rounding.h"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace hearth {

namespace {

// Large enough for a disk to be at its best, small beside the window. Pieces end at multiples of it in
// the file: a cache may hold up to 2 MiB in one, and drops that whole or not at all.
constexpr size_t kPieceBytes = 4 << 20;

size_t length(const Stretch& stretch) { return stretch.end - stretch.begin; }

}  // namespace

std::vector<StreamPiece> stream_pieces(const std::vector<FileRead>& reads, size_t dropped,
                                       std::vector<size_t>& first) {
  size_t total = 0;
  for (const FileRead& read : reads) total += length(read.bytes);
  std::vector<StreamPiece> pieces;
  size_t passed = 0;
  size_t dropped_so_far = 0;
  for (const FileRead& read : reads) {
    first.push_back(pieces.size());
    size_t begin = read.bytes.begin;
    while (begin < read.bytes.end) {
      const Stretch bytes{begin, std::min(round_up(begin + 1, kPieceBytes), read.bytes.end)};
      begin = bytes.end;
      passed += length(bytes);
      // Of what is passed, the share that is to be dropped.
      const double due =
          static_cast<double>(passed) / static_cast<double>(total) * static_cast<double>(dropped);
      const bool stays = static_cast<double>(dropped_so_far + length(bytes) / 2) > due;
      if (!stays) dropped_so_far += length(bytes);
      pieces.push_back(StreamPiece{FileRead{read.file, bytes}, stays});
    }
  }
  return pieces;
}

PageStream::PageStream(std::vector<StreamPiece> pieces, size_t window)
    : pieces_(std::move(pieces)), window_(window), thread_([this] { work(); }) {}

PageStream::~PageStream() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void PageStream::reached(size_t piece_index) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const size_t count = pieces_.size();
    const size_t steps = (piece_index + count - reached_ % count) % count;
    for (size_t i = 0; i < steps; i++, reached_++) {
      if (reached_ < fetched_ && !piece(reached_).stays)
        ahead_ -= length(piece(reached_).read.bytes);
    }
    fetched_ = std::max(fetched_, reached_);
  }
  changed_.notify_one();
}

bool PageStream::has_work() const {
  return dropped_ < reached_ || (ahead_ < window_ && fetched_ < reached_ + pieces_.size());
}

void PageStream::work() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || has_work(); });
    if (stopping_) return;
    // First room, then what fills it.
    const bool drops = dropped_ < reached_;
    const StreamPiece& next = piece(drops ? dropped_ : fetched_);
    (drops ? dropped_ : fetched_)++;
    if (!drops && !next.stays) ahead_ += length(next.read.bytes);
    lock.unlock();
    if (!drops) {
      will_need(next.read.file->data() + next.read.bytes.begin, length(next.read.bytes));
    } else if (!next.stays) {
      next.read.file->drop(next.read.bytes);
    }
    lock.lock();
  }
}

void will_need(const void* data, size_t bytes) {
#if defined(__linux__)
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t begin = reinterpret_cast<uintptr_t>(data) / page * page;
  const uintptr_t end = reinterpret_cast<uintptr_t>(data) + bytes;
  // Advice: where it cannot be followed, the pages are read when they are touched.
  madvise(reinterpret_cast<void*>(begin), end - begin, MADV_WILLNEED);
#else
  static_cast<void>(data);
  static_cast<void>(bytes);
#endif
}

}  // namespace hearth
