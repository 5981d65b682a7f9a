// How much of a data connection may be under way, and how large its records are.
//
// The window is half a second of the rate at which the other end was seen to take bytes, so that on
// a slow link a small message never waits longer than that behind bulk; on a fast one it is no
// bound. Record sizes follow the window.
//
// Thread: the peer's mutex guards it.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>

#include "protocol/link/link.h"

namespace curia {

class Pace {
 public:
  static constexpr std::int64_t kSmallestRecord = 16 << 10;
  static constexpr std::int64_t kFirstWindow = 64 << 10;
  static constexpr std::int64_t kSmallestWindow = 16 << 10;
  static constexpr std::int64_t kLargestWindow = 16 << 20;

  bool open() const { return in_flight() < window_; }
  void sent(std::int64_t bytes);
  // The other end has taken `total` bytes of this connection. Errors: kCorrupt when that is more
  // than was sent.
  void arrived(std::uint64_t total);

  std::int64_t record_size(std::int64_t most) const;
  std::int64_t window() const { return window_; }
  std::int64_t in_flight() const { return static_cast<std::int64_t>(sent_ - arrived_); }

 private:
  struct Mark {
    std::uint64_t sent;     // when this much had been sent,
    std::uint64_t arrived;  // this much had arrived
    SteadyTime at;
    bool full;  // and the window was used up
  };
  std::deque<Mark> marks_;
  std::uint64_t sent_ = 0;
  std::uint64_t arrived_ = 0;
  std::int64_t window_ = kFirstWindow;
  double rate_ = 0;  // bytes a second
};

}  // namespace curia
