// Weights of which a part does not stay in memory: which part that is, that readers see the file's bytes
// in every round, and that what was used leaves while the rest stays.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "system/page-stream.h"

#if defined(__linux__)

#include <sys/mman.h>
#include <unistd.h>

namespace {

using hearth::FileAccess;
using hearth::FileRead;
using hearth::MappedFile;
using hearth::PageStream;
using hearth::StreamPiece;
using hearth::Stretch;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "page_stream_test: %s\n", what);
  std::exit(1);
}

constexpr size_t kMiB = 1 << 20;
constexpr size_t kBytes = 48 * kMiB + 4321;

uint8_t byte_at(size_t index) { return static_cast<uint8_t>(index * 29 + index / 4096 * 5); }

std::shared_ptr<MappedFile> map_test_file() {
  std::string path = "/tmp/hearth-page-stream-XXXXXX";
  const int descriptor = mkstemp(&path[0]);
  std::vector<uint8_t> bytes(kBytes);
  for (size_t i = 0; i < kBytes; i++) bytes[i] = byte_at(i);
  // On the disk, as pages that are not cannot be dropped.
  require(descriptor >= 0 && write(descriptor, bytes.data(), kBytes) == ssize_t{kBytes} &&
              fsync(descriptor) == 0,
          "a file to write");
  close(descriptor);
  std::string error;
  auto file = MappedFile::open(path, FileAccess::kMap, error);
  unlink(path.c_str());
  require(file != nullptr, "a file to map");
  return file;
}

size_t length(const StreamPiece& piece) { return piece.read.bytes.end - piece.read.bytes.begin; }

size_t passing(const std::vector<StreamPiece>& pieces) {
  size_t bytes = 0;
  for (const StreamPiece& piece : pieces) bytes += piece.stays ? 0 : length(piece);
  return bytes;
}

// Two matrices with a gap between them, not at pages.
std::vector<FileRead> reads_of(const std::shared_ptr<MappedFile>& file) {
  return {FileRead{file, Stretch{100, 20 * kMiB + 100}},
          FileRead{file, Stretch{21 * kMiB, kBytes}}};
}

void pieces_are_the_reads(const std::shared_ptr<MappedFile>& file) {
  const std::vector<FileRead> reads = reads_of(file);
  for (const size_t dropped : {size_t{0}, 9 * kMiB, 30 * kMiB, size_t{kBytes}}) {
    std::vector<size_t> first;
    const std::vector<StreamPiece> pieces = hearth::stream_pieces(reads, dropped, first);
    require(first.size() == 2 && first[0] == 0, "the first piece of each read");
    size_t at = 0;
    for (size_t r = 0; r < reads.size(); r++) {
      size_t begin = reads[r].bytes.begin;
      const size_t end = r + 1 < reads.size() ? first[r + 1] : pieces.size();
      for (; at < end; at++) {
        require(pieces[at].read.bytes.begin == begin, "pieces without gaps");
        begin = pieces[at].read.bytes.end;
      }
      require(begin == reads[r].bytes.end, "pieces up to the end of a read");
    }
    const size_t wanted = std::min(dropped, size_t{47 * kMiB});
    require(passing(pieces) + 4 * kMiB > wanted && passing(pieces) < wanted + 4 * kMiB,
            "as many bytes that do not stay as were asked for");
  }
}

size_t resident(const MappedFile& file, Stretch stretch) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t begin = (stretch.begin + page - 1) / page * page;
  const size_t count = stretch.end / page - begin / page;
  std::vector<unsigned char> pages(count);
  require(mincore(const_cast<uint8_t*>(file.data()) + begin, count * page, pages.data()) == 0,
          "mincore");
  size_t found = 0;
  for (const unsigned char page_state : pages) found += page_state & 1;
  return found * page;
}

// Whether a file system keeps pages that it was asked to drop, as one in memory does.
bool can_drop(const MappedFile& file) {
  const Stretch stretch{0, 4 * kMiB};
  for (size_t i = stretch.begin; i < stretch.end; i += 4096) {
    require(file.data()[i] == byte_at(i), "the file's bytes");
  }
  file.drop(stretch);
  return resident(file, stretch) < kMiB;
}

void rounds_see_the_file(const std::shared_ptr<MappedFile>& file) {
  std::vector<size_t> first;
  const std::vector<StreamPiece> pieces = hearth::stream_pieces(reads_of(file), 24 * kMiB, first);
  const bool drops = can_drop(*file);
  PageStream stream(pieces, 8 * kMiB);
  for (int round = 0; round < 4; round++) {
    for (size_t i = 0; i < pieces.size(); i++) {
      if (i == 0 || i == first[1]) stream.reached(i);
      const Stretch bytes = pieces[i].read.bytes;
      for (size_t at = bytes.begin; at < bytes.end; at++) {
        require(file->data()[at] == byte_at(at), "the file's bytes while pieces are dropped");
      }
    }
  }
  stream.reached(0);
  if (!drops) return;
  // The thread has dropped the round, and read ahead 8 MiB, in some time.
  size_t left = 0;
  for (int wait = 0; wait < 1000; wait++) {
    left = 0;
    for (const StreamPiece& piece : pieces) {
      if (!piece.stays) left += resident(*file, piece.read.bytes);
    }
    if (left <= 14 * kMiB) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  require(left <= 14 * kMiB, "what was used is gone, but for what is read ahead");
  for (const StreamPiece& piece : pieces) {
    require(!piece.stays || resident(*file, piece.read.bytes) + kMiB > length(piece),
            "what stays is there");
  }
}

}  // namespace
#endif

int main() {
#if defined(__linux__)
  const std::shared_ptr<MappedFile> file = map_test_file();
  require(file->begin_dropping(), "a mapped file can drop pages");
  pieces_are_the_reads(file);
  rounds_see_the_file(file);
#endif
  std::printf("page_stream_test: ok\n");
  return 0;
}
