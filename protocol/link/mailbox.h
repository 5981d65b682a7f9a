// How threads hand things to the thread that owns the sockets: a queue with an eventfd that is
// polled beside them.
//
// Thread: post() and wake() any; the rest the one consumer.
// Invariant: the eventfd is written only while the consumer sleeps (or is about to), once a sleep.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "protocol/error.h"

namespace curia {

template <class T>
class Mailbox {
 public:
  Mailbox() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (fd_ < 0) throw Error(Code::kQuota, "no file descriptor left for a mailbox");
  }
  ~Mailbox() { close(fd_); }
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // False when the mailbox is closed; the item is gone then.
  bool post(T item) {
    bool signal = false;
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return false;
      items_.push_back(std::move(item));
      signal = rouse();
    }
    if (signal) write_signal();
    return true;
  }

  void wake() {
    bool signal = false;
    {
      const std::lock_guard lock(mutex_);
      woken_ = true;
      signal = rouse();
    }
    if (signal) write_signal();
  }

  // Readable when the consumer should call take().
  int fd() const { return fd_; }

  // False: something waits already. True: from now on a post() makes fd() readable.
  bool may_sleep() {
    const std::lock_guard lock(mutex_);
    asleep_ = items_.empty() && !woken_;
    return asleep_;
  }

  // Appends all that waits to `out` (in order) and returns whether wake() was called.
  bool take(std::vector<T>& out) {
    bool woken = false;
    {
      const std::lock_guard lock(mutex_);
      asleep_ = false;
      woken = std::exchange(woken_, false);
      if (out.empty()) {
        out.swap(items_);
      } else {
        for (T& item : items_) out.push_back(std::move(item));
        items_.clear();
      }
      if (signalled_) {
        // A writer that has decided to signal may not have done so yet: then it is read next time.
        std::uint64_t count = 0;
        if (read(fd_, &count, sizeof count) == sizeof count) signalled_ = false;
      }
    }
    return woken;
  }

  // Takes `last` and refuses from then on; what waits can still be taken.
  void shut(T last) {
    bool signal = false;
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      items_.push_back(std::move(last));
      signal = rouse();
    }
    if (signal) write_signal();
  }

 private:
  bool rouse() {
    if (!asleep_) return false;
    asleep_ = false;
    if (signalled_) return false;
    signalled_ = true;
    return true;
  }

  void write_signal() {
    const std::uint64_t one = 1;
    // An eventfd that is full is readable, which is all that is wanted.
    [[maybe_unused]] const ssize_t written = write(fd_, &one, sizeof one);
  }

  const int fd_;
  std::mutex mutex_;
  std::vector<T> items_;
  bool asleep_ = false;
  bool woken_ = false;
  bool signalled_ = false;
  bool closed_ = false;
};

}  // namespace curia
