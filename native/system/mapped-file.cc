// See mapped-file.h. A file that is cut while it is mapped raises a bus error on every system:
// whoever uses it checks its size and time stamp before each answer, or has it read.
#include "mapped-file.h"

#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>
#include <utility>

#include "../kernels/rounding.h"

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace hearth {

namespace {

// One read of a large file: Linux gives at most 2 GiB, and a smaller piece costs nothing.
constexpr size_t kReadBytes = 64 << 20;

}  // namespace

#if defined(_WIN32)

namespace {

// As many bytes of the file as `out` is long. False, with an error, when there are fewer.
bool read_whole(HANDLE file, uint8_t* out, size_t bytes, std::string& error) {
  while (bytes > 0) {
    DWORD count = 0;
    const DWORD wanted = static_cast<DWORD>(bytes < kReadBytes ? bytes : kReadBytes);
    if (!ReadFile(file, out, wanted, &count, nullptr)) {
      error = "Windows error " + std::to_string(GetLastError());
      return false;
    }
    if (count == 0) {
      error = "it became shorter while it was read";
      return false;
    }
    out += count;
    bytes -= count;
  }
  return true;
}

// Nothing follows a view that fills its last page: of such a file, one in fifty, a copy is read.
bool ends_inside_page(size_t bytes) {
  constexpr size_t kPage = 4096;
  constexpr size_t kVector = 64;
  return bytes % kPage != 0 && bytes % kPage <= kPage - kVector;
}

const void* read_file(HANDLE file, size_t bytes, std::string& error) {
  void* memory = VirtualAlloc(nullptr, bytes + 64, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
  if (memory == nullptr) {
    error = "Windows error " + std::to_string(GetLastError());
    return nullptr;
  }
  if (read_whole(file, static_cast<uint8_t*>(memory), bytes, error)) return memory;
  VirtualFree(memory, 0, MEM_RELEASE);
  return nullptr;
}

}  // namespace

std::shared_ptr<MappedFile> MappedFile::open(const std::string& path, FileAccess wanted,
                                             std::string& error) {
  const int length = MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, nullptr, 0);
  std::wstring wide(length > 0 ? length : 1, L'\0');
  MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, &wide[0], length);
  HANDLE file = CreateFileW(wide.c_str(), GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING,
                            FILE_ATTRIBUTE_NORMAL, nullptr);
  LARGE_INTEGER size{};
  HANDLE mapping = nullptr;
  const void* data = nullptr;
  const bool usable =
      file != INVALID_HANDLE_VALUE && GetFileSizeEx(file, &size) && size.QuadPart > 0;
  const bool maps = wanted == FileAccess::kMap && ends_inside_page(size.QuadPart);
  const FileAccess access = maps ? FileAccess::kMap : FileAccess::kRead;
  if (usable && access == FileAccess::kRead) {
    data = read_file(file, static_cast<size_t>(size.QuadPart), error);
  } else if (usable) {
    mapping = CreateFileMappingW(file, nullptr, PAGE_READONLY, 0, 0, nullptr);
    if (mapping != nullptr) data = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0);
  }
  if (data == nullptr && error.empty()) error = "Windows error " + std::to_string(GetLastError());
  // The view keeps the file and the mapping alive.
  if (mapping != nullptr) CloseHandle(mapping);
  if (file != INVALID_HANDLE_VALUE) CloseHandle(file);
  if (data == nullptr) return nullptr;
  std::shared_ptr<MappedFile> mapped(new MappedFile());
  mapped->data_ = static_cast<const uint8_t*>(data);
  mapped->bytes_ = static_cast<size_t>(size.QuadPart);
  mapped->access_ = access;
  return mapped;
}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
  if (access_ == FileAccess::kMap) {
    UnmapViewOfFile(data_);
  } else {
    VirtualFree(const_cast<uint8_t*>(data_), 0, MEM_RELEASE);
  }
}

bool MappedFile::lock(std::string& error) const {
  if (VirtualLock(const_cast<uint8_t*>(data_), bytes_)) return true;
  error = "Windows error " + std::to_string(GetLastError());
  return false;
}

#else

namespace {

std::shared_ptr<MappedFile> fail(int descriptor, std::string& error) {
  error = std::strerror(errno);
  if (descriptor >= 0) ::close(descriptor);
  return nullptr;
}

// Address space of `bytes` that begins at a multiple of a huge page: only there does the system map
// those huge pages of the file that its cache holds. Returns null and sets errno if there is no
// room.
void* reserve(size_t bytes, int protection) {
  constexpr size_t kHugePage = 2 << 20;
  void* memory = mmap(nullptr, bytes + kHugePage, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  auto* start = static_cast<uint8_t*>(memory);
  const size_t before = kHugePage - reinterpret_cast<uintptr_t>(start) % kHugePage;
  munmap(start, before);
  if (before < kHugePage) munmap(start + before + bytes, kHugePage - before);
  return start + before;
}

// As many bytes of the file as `out` is long. False, with an error, when there are fewer.
bool read_whole(int descriptor, uint8_t* out, size_t bytes, std::string& error) {
  size_t done = 0;
  while (done < bytes) {
    const size_t wanted = bytes - done < kReadBytes ? bytes - done : kReadBytes;
    const ssize_t count = pread(descriptor, out + done, wanted, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      error = count < 0 ? std::strerror(errno) : "it became shorter while it was read";
      return false;
    }
    done += static_cast<size_t>(count);
  }
  return true;
}

// The file's bytes over `memory`, mapped or read.
bool fill(int descriptor, uint8_t* memory, size_t bytes, FileAccess access, std::string& error) {
  if (access == FileAccess::kRead) return read_whole(descriptor, memory, bytes, error);
  if (mmap(memory, bytes, PROT_READ, MAP_SHARED | MAP_FIXED, descriptor, 0) != MAP_FAILED) {
    return true;
  }
  error = std::strerror(errno);
  return false;
}

}  // namespace

std::shared_ptr<MappedFile> MappedFile::open(const std::string& path, FileAccess access,
                                             std::string& error) {
  // A pipe that took the file's place must not be waited for.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return fail(descriptor, error);
  struct stat status {};
  if (fstat(descriptor, &status) != 0) return fail(descriptor, error);
  if (!S_ISREG(status.st_mode) || status.st_size <= 0) {
    ::close(descriptor);
    error = "not a regular file with content";
    return nullptr;
  }
  const size_t bytes = static_cast<size_t>(status.st_size);
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t reserved = round_up(bytes, page) + page;
  // First a reservation of zero pages, then the file over all but the last of them.
  const int protection = access == FileAccess::kRead ? PROT_READ | PROT_WRITE : PROT_READ;
  void* memory = reserve(reserved, protection);
  if (memory == nullptr) return fail(descriptor, error);
#if defined(MADV_HUGEPAGE)
  if (access == FileAccess::kRead) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  const bool filled = fill(descriptor, static_cast<uint8_t*>(memory), bytes, access, error);
  if (!filled) {
    ::close(descriptor);
    munmap(memory, reserved);
    return nullptr;
  }
#if defined(MADV_HUGEPAGE)
  // Only some file systems can; harmless elsewhere. Read-ahead stays as it is: dense decode streams
  // the file.
  madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  std::shared_ptr<MappedFile> mapped(new MappedFile());
  mapped->data_ = static_cast<const uint8_t*>(memory);
  mapped->bytes_ = bytes;
  mapped->reserved_ = reserved;
#if defined(__linux__)
  if (access == FileAccess::kMap) {
    mapped->descriptor_ = descriptor;
    return mapped;
  }
#endif
  ::close(descriptor);
  return mapped;
}

#if defined(__linux__)

size_t MappedFile::move_to_huge_pages(std::vector<Stretch> stretches, MovePace pace) {
  if (mover_ != nullptr || is_dropping_ || descriptor_ < 0) return 0;
  MoveJob job{descriptor_, const_cast<uint8_t*>(data_), pieces_to_move(std::move(stretches)), pace};
  size_t bytes = 0;
  for (const Stretch& piece : job.pieces) bytes += piece.end - piece.begin;
  if (bytes == 0) return 0;
  try {
    mover_ = std::make_unique<PageMover>(std::move(job));
  } catch (const std::system_error&) {
    // No thread to be had: the pages stay those of the file.
    return 0;
  }
  return bytes;
}

size_t MappedFile::bytes_to_move() const { return mover_ == nullptr ? 0 : mover_->left(); }

bool MappedFile::begin_dropping() {
  // A page that was moved is memory of ours: dropped, it would be zeros.
  is_dropping_ = descriptor_ >= 0 && mover_ == nullptr;
  return is_dropping_;
}

void MappedFile::drop(Stretch stretch) const {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t begin = round_up(stretch.begin, page);
  const size_t end = stretch.end / page * page;
  if (begin >= end) return;
  // Mapped pages are not dropped: first they leave this process.
  madvise(const_cast<uint8_t*>(data_) + begin, end - begin, MADV_DONTNEED);
  posix_fadvise(descriptor_, static_cast<off_t>(begin), static_cast<off_t>(end - begin),
                POSIX_FADV_DONTNEED);
}

#endif

bool MappedFile::lock(std::string& error) const {
  if (mlock(data_, bytes_) == 0) return true;
  error = std::strerror(errno);
  return false;
}

// Unmapping gigabytes takes a tenth of a second, and the JavaScript thread may hold the last
// reference: a thread of its own unmaps them, and touches nothing else.
MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
#if defined(__linux__)
  mover_ = nullptr;
  if (descriptor_ >= 0) ::close(descriptor_);
#endif
  void* memory = const_cast<uint8_t*>(data_);
  const size_t bytes = reserved_;
  try {
    std::thread([memory, bytes] { munmap(memory, bytes); }).detach();
  } catch (const std::system_error&) {
    munmap(memory, bytes);
  }
}

#endif

#if !defined(__linux__)

size_t MappedFile::move_to_huge_pages(std::vector<Stretch>, MovePace) { return 0; }

size_t MappedFile::bytes_to_move() const { return 0; }

bool MappedFile::begin_dropping() { return false; }

void MappedFile::drop(Stretch) const {}

#endif

}  // namespace hearth
