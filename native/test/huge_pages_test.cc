// Moving a mapped file into huge pages: whoever reads it meanwhile sees the file's bytes, and so
// afterwards; a file that was cut, and an early end, leave what is there.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "system/mapped-file.h"

#if defined(__linux__)

#include <unistd.h>

namespace {

using hearth::FileAccess;
using hearth::MappedFile;
using hearth::MovePace;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "huge_pages_test: %s\n", what);
  std::exit(1);
}

constexpr size_t kHugePage = 2 << 20;
constexpr size_t kBytes = 11 * kHugePage + 12345;

// Differs from page to page, and within one.
uint8_t byte_at(size_t index) { return static_cast<uint8_t>(index * 31 + index / 4096 * 7); }

// A file of kBytes, gone with this.
struct TestFile {
  TestFile() {
    descriptor = mkstemp(&path[0]);
    std::vector<uint8_t> bytes(kBytes);
    for (size_t i = 0; i < kBytes; i++) bytes[i] = byte_at(i);
    require(descriptor >= 0 && write(descriptor, bytes.data(), kBytes) == ssize_t{kBytes},
            "a file to write");
  }
  ~TestFile() {
    close(descriptor);
    unlink(path.c_str());
  }
  std::shared_ptr<MappedFile> map() const {
    std::string error;
    auto file = MappedFile::open(path, FileAccess::kMap, error);
    require(file != nullptr, "a file to map");
    return file;
  }
  std::string path = "/tmp/hearth-huge-pages-XXXXXX";
  int descriptor = -1;
};

bool is_whole(const MappedFile& file, size_t begin, size_t end) {
  for (size_t i = begin; i < end; i++) {
    if (file.data()[i] != byte_at(i)) return false;
  }
  return true;
}

void wait_for_end(const MappedFile& file) {
  while (file.bytes_to_move() > 0) std::this_thread::yield();
}

void readers_see_the_file(MovePace pace) {
  const TestFile on_disk;
  const auto file = on_disk.map();
  std::atomic<bool> ends{false};
  std::atomic<bool> whole{true};
  std::thread reader([&] {
    do {
      if (!is_whole(*file, 0, kBytes)) whole = false;
    } while (!ends);
  });
  // Edges inside pages, and stretches that overlap: pages 1 to 4 and 7 to 10.
  const size_t moved = file->move_to_huge_pages({{7 * kHugePage - 5, kBytes},
                                                 {kHugePage - 99, 4 * kHugePage},
                                                 {3 * kHugePage, 5 * kHugePage + 1}},
                                                pace);
  if (moved == 0) std::printf("huge_pages_test: no huge pages here, nothing moves\n");
  require(moved == 0 || moved == 8 * kHugePage, "whole pages of the stretches are moved");
  require(file->move_to_huge_pages({{0, kBytes}}, pace) == 0 || moved == 0, "a file moves once");
  wait_for_end(*file);
  ends = true;
  reader.join();
  require(whole && is_whole(*file, 0, kBytes), "moved bytes are the file's");
}

void keeps_what_a_cut_file_leaves() {
  const TestFile on_disk;
  const auto file = on_disk.map();
  require(ftruncate(on_disk.descriptor, 5 * kHugePage) == 0, "a file to cut");
  file->move_to_huge_pages({{0, kBytes}}, MovePace::kAtOnce);
  wait_for_end(*file);
  require(is_whole(*file, 0, 5 * kHugePage), "the bytes in front of the cut stay");
}

void ends_early() {
  for (int round = 0; round < 8; round++) {
    const TestFile on_disk;
    auto file = on_disk.map();
    file->move_to_huge_pages({{0, kBytes}},
                             round % 2 == 0 ? MovePace::kBackground : MovePace::kAtOnce);
    std::this_thread::sleep_for(std::chrono::microseconds(round * 400));
    file = nullptr;
  }
}

}  // namespace

#endif

int main() {
#if defined(__linux__)
  readers_see_the_file(MovePace::kAtOnce);
  readers_see_the_file(MovePace::kBackground);
  keeps_what_a_cut_file_leaves();
  ends_early();
#endif
  std::printf("huge_pages_test: ok\n");
  return 0;
}
