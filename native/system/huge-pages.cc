// See huge-pages.h.
#include "huge-pages.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <limits>
#include <string>
#include <utility>

#include "../kernels/rounding.h"

#if defined(__linux__)
#include <fcntl.h>
#include <linux/types.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#endif

namespace hearth {

#if defined(__linux__)

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kHugePage = 2 << 20;
// Each piece may be a mapping of its own, of which Linux gives a process 65530: enough for 250 GB.
constexpr size_t kPieceBytes = 8 * kHugePage;
constexpr size_t kMostPieces = 16384;
// In the background: nine times as long as a page took.
constexpr int kRest = 9;
// Between two passes, for what is not in the system's cache yet: doubled up to the most, at which
// the mover gives up.
constexpr auto kFirstWait = std::chrono::seconds(1);
constexpr auto kMostWait = std::chrono::seconds(64);

// "always [madvise] never": the word in brackets is in force. Where small pages have 64 KiB, huge ones
// have 512 MiB, too much for a piece.
bool has_huge_pages() {
  const std::string folder = "/sys/kernel/mm/transparent_hugepage/";
  std::ifstream enabled(folder + "enabled");
  std::ifstream size(folder + "hpage_pmd_size");
  std::string words;
  size_t bytes = 0;
  return std::getline(enabled, words) && words.find("[never]") == std::string::npos &&
         size >> bytes && bytes == kHugePage;
}

size_t available_bytes() {
  std::ifstream file("/proc/meminfo");
  std::string name;
  size_t kilobytes = 0;
  while (file >> name >> kilobytes) {
    if (name == "MemAvailable:") return kilobytes * 1024;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

// Whether all pages of a piece are in the system's cache.
bool is_cached(uint8_t* memory, size_t bytes) {
  std::vector<unsigned char> pages(bytes / static_cast<size_t>(sysconf(_SC_PAGESIZE)));
  if (mincore(memory, bytes, pages.data()) != 0) return false;
  return std::all_of(pages.begin(), pages.end(), [](unsigned char page) { return page & 1; });
}

// PAGEMAP_SCAN of Linux 6.7 (Documentation/admin-guide/mm/pagemap.rst), which older headers lack.
struct PageScan {
  __u64 size, flags, start, end, walk_end, regions, region_count, most_pages;
  __u64 inverted, all_of, any_of, wanted;
};
struct PageRegion {
  __u64 start, end, categories;
};
constexpr __u64 kIsHuge = 1 << 6;

// Whether the file's own pages are huge, as those of a file that was read from the disk for such a
// mapping are: nothing is gained then. Not known before Linux 6.7.
bool is_huge(int pagemap, uint8_t* memory, size_t bytes) {
  // A page shows once it is mapped. Not by touching it: the file may have been cut.
  constexpr int kPopulateRead = 22;
  if (madvise(memory, bytes, kPopulateRead) != 0) return false;
  PageRegion region{};
  PageScan scan{};
  scan.size = sizeof(scan);
  scan.start = reinterpret_cast<uintptr_t>(memory);
  scan.end = scan.start + bytes;
  scan.regions = reinterpret_cast<uintptr_t>(&region);
  scan.region_count = 1;
  scan.all_of = scan.wanted = kIsHuge;
  return ioctl(pagemap, _IOWR('f', 16, PageScan), &scan) == 1 && region.start == scan.start &&
         region.end == scan.end;
}

// Memory of `bytes` at a multiple of a huge page; null where there is none.
uint8_t* take_huge_pages(size_t bytes) {
  void* memory = mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  auto* start = static_cast<uint8_t*>(memory);
  const size_t before = kHugePage - reinterpret_cast<uintptr_t>(start) % kHugePage;
  munmap(start, before);
  if (before < kHugePage) munmap(start + before + bytes, kHugePage - before);
  madvise(start + before, bytes, MADV_HUGEPAGE);
  return start + before;
}

}  // namespace

std::vector<Stretch> pieces_to_move(std::vector<Stretch> stretches) {
  if (!has_huge_pages()) return {};
  std::sort(stretches.begin(), stretches.end(),
            [](const Stretch& a, const Stretch& b) { return a.begin < b.begin; });
  // Stretches that a huge page or less parts are one.
  std::vector<Stretch> joined;
  for (const Stretch& stretch : stretches) {
    if (!joined.empty() && stretch.begin <= joined.back().end + kHugePage) {
      joined.back().end = std::max(joined.back().end, stretch.end);
    } else {
      joined.push_back(stretch);
    }
  }
  std::vector<Stretch> pieces;
  for (const Stretch& stretch : joined) {
    const size_t end = stretch.end / kHugePage * kHugePage;
    for (size_t begin = round_up(stretch.begin, kHugePage); begin < end; begin += kPieceBytes) {
      if (pieces.size() == kMostPieces) return pieces;
      pieces.push_back(Stretch{begin, std::min(begin + kPieceBytes, end)});
    }
  }
  return pieces;
}

PageMover::PageMover(MoveJob job) : job_(std::move(job)) {
  for (const Stretch& piece : job_.pieces) spare_ += piece.end - piece.begin;
  left_ = spare_;
  thread_ = std::thread([this] { work(); });
}

PageMover::~PageMover() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void PageMover::work() {
  pagemap_ = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  auto wait = kFirstWait;
  while (pass() && !job_.pieces.empty() && wait <= kMostWait) {
    const size_t before = left();
    if (!pause(wait)) break;
    wait = left() < before ? kFirstWait : wait * 2;
  }
  if (pagemap_ >= 0) close(pagemap_);
  left_.store(0, std::memory_order_release);
}

bool PageMover::pass() {
  std::vector<Stretch> waiting;
  for (const Stretch& piece : job_.pieces) {
    const size_t bytes = piece.end - piece.begin;
    if (!pause(std::chrono::nanoseconds(0)) || available_bytes() < spare_) return false;
    if (job_.pace == MovePace::kBackground && !is_cached(job_.memory + piece.begin, bytes)) {
      waiting.push_back(piece);
      continue;
    }
    if (!is_huge(pagemap_, job_.memory + piece.begin, bytes) && !move(piece)) return false;
    left_.fetch_sub(bytes, std::memory_order_acq_rel);
  }
  job_.pieces = std::move(waiting);
  return true;
}

bool PageMover::move(Stretch piece) {
  const size_t bytes = piece.end - piece.begin;
  uint8_t* place = job_.memory + piece.begin;
  uint8_t* own = take_huge_pages(bytes);
  if (own == nullptr) return false;
  // The place is given to our pages and taken from the file's in one call.
  if (read(piece, own) && mprotect(own, bytes, PROT_READ) == 0 &&
      mremap(own, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, place) != MAP_FAILED) {
    return true;
  }
  munmap(own, bytes);
  return false;
}

// By reading, not through the mapping: a file that was cut meanwhile is a short read here.
bool PageMover::read(Stretch piece, uint8_t* out) {
  for (size_t at = piece.begin; at < piece.end;) {
    const auto started = Clock::now();
    const size_t wanted = std::min(kHugePage, piece.end - at);
    const ssize_t count = pread(job_.descriptor, out, wanted, static_cast<off_t>(at));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    at += static_cast<size_t>(count);
    out += count;
    const bool rests = job_.pace == MovePace::kBackground;
    const auto rest = rests ? (Clock::now() - started) * kRest : Clock::duration(0);
    if (!pause(rest)) return false;
  }
  return true;
}

bool PageMover::pause(std::chrono::nanoseconds time) {
  std::unique_lock<std::mutex> lock(mutex_);
  return !changed_.wait_for(lock, time, [this] { return stopping_; });
}

#else

std::vector<Stretch> pieces_to_move(std::vector<Stretch>) { return {}; }

#endif

}  // namespace hearth
