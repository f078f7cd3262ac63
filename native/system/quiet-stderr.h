// What other libraries of the process write to stderr (graphics drivers, Dawn) while a scope lasts,
// as text instead of as lines on the user's terminal.
#pragma once

#include <mutex>
#include <string>

namespace hearth {

class QuietStderr {
 public:
  // Where stderr cannot be redirected, nothing is kept and it stays as it is. One scope at a time:
  // another thread's waits here.
  QuietStderr();
  ~QuietStderr();
  QuietStderr(const QuietStderr&) = delete;
  QuietStderr& operator=(const QuietStderr&) = delete;

  // Puts stderr back. Returns at most the first 64 KiB of what was written.
  std::string finish();

 private:
  std::unique_lock<std::recursive_mutex> lock_;
#if !defined(_WIN32)
  int saved_ = -1;
  int kept_ = -1;
#endif
};

}  // namespace hearth
