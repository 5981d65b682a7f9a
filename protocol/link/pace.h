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

  using Clock = SteadyTime (*)();
  explicit Pace(Clock clock = std::chrono::steady_clock::now) : clock_(clock) {}

  // May another record go? What is less than the smallest window never closes it, since a receiver
  // need not report so little.
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
  };
  const Clock clock_;
  std::deque<Mark> marks_;
  std::uint64_t sent_ = 0;
  std::uint64_t arrived_ = 0;
  std::uint64_t full_ = 0;  // sent_ when the window was used up last
  std::int64_t window_ = kFirstWindow;
  double rate_ = 0;  // bytes a second
};

}  // namespace curia
