#include "quiet-stderr.h"

#include <cstdio>

#if !defined(_WIN32)
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#if defined(__linux__)
#include <sys/mman.h>
#endif
#endif

namespace hearth {

namespace {

// File descriptors belong to the process, so this does too.
std::recursive_mutex& turn() {
  static std::recursive_mutex mutex;
  return mutex;
}

#if !defined(_WIN32)
// A file without a name; -1 where there is no place for one.
int nameless_file() {
#if defined(__linux__)
  return memfd_create("hearth-stderr", MFD_CLOEXEC);
#else
  char path[] = "/tmp/hearth-stderr-XXXXXX";
  const int file = mkstemp(path);
  if (file >= 0) unlink(path);
  return file;
#endif
}
#endif

}  // namespace

#if defined(_WIN32)

QuietStderr::QuietStderr() : lock_(turn()) {}
QuietStderr::~QuietStderr() = default;
std::string QuietStderr::finish() { return {}; }

#else

QuietStderr::QuietStderr() : lock_(turn()) {
  std::fflush(stderr);
  saved_ = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  if (saved_ < 0) return;
  kept_ = nameless_file();
  if (kept_ >= 0 && dup2(kept_, STDERR_FILENO) >= 0) return;
  if (kept_ >= 0) close(kept_);
  close(saved_);
  saved_ = kept_ = -1;
}

QuietStderr::~QuietStderr() { finish(); }

std::string QuietStderr::finish() {
  if (saved_ < 0) return {};
  std::fflush(stderr);
  dup2(saved_, STDERR_FILENO);
  close(saved_);
  saved_ = -1;
  std::string text(size_t{64} << 10, '\0');
  const ssize_t length = pread(kept_, &text[0], text.size(), 0);
  close(kept_);
  kept_ = -1;
  text.resize(length < 0 ? 0 : static_cast<size_t>(length));
  return text;
}

#endif

}  // namespace hearth
