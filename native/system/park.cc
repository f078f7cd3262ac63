// The two forms of ParkingLot. See park.h.
#include "park.h"

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#endif

namespace hearth {

uint32_t ParkingLot::announce() {
  const uint32_t ticket = sequence_.load(std::memory_order_seq_cst);
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  return ticket;
}

void ParkingLot::cancel() { sleepers_.fetch_sub(1, std::memory_order_seq_cst); }

#if defined(__linux__)

void ParkingLot::wait(uint32_t ticket) {
  static_assert(sizeof(sequence_) == sizeof(uint32_t), "a futex is a 32-bit word");
  syscall(SYS_futex, &sequence_, FUTEX_WAIT_PRIVATE, ticket, nullptr, nullptr, 0);
  cancel();
}

void ParkingLot::wake() {
  if (sleepers() == 0) return;
  sequence_.fetch_add(1, std::memory_order_seq_cst);
  syscall(SYS_futex, &sequence_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

#else

void ParkingLot::wait(uint32_t ticket) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [&] { return sequence_.load() != ticket; });
  lock.unlock();
  cancel();
}

void ParkingLot::wake() {
  if (sleepers() == 0) return;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    sequence_.fetch_add(1, std::memory_order_seq_cst);
  }
  changed_.notify_all();
}

#endif

}  // namespace hearth
