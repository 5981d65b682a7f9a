// The thread of a control endpoint, whatever carries its messages: it waits for input, runs what
// other threads posted, reports ended connections and ticks.
//
// Owned by the endpoint, which gives it turn(): wait at most so many milliseconds for input or for
// wake_fd() to be readable, then handle the input.
// Thread: post(), wake(), here() any; start() and stop() the owner's; the rest the loop's own.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <limits>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "protocol/link/control.h"
#include "protocol/link/mailbox.h"

namespace curia {

inline constexpr std::chrono::milliseconds kControlTick{100};

class EndpointLoop {
 public:
  using Task = std::function<void()>;

  explicit EndpointLoop(std::function<void(int wait_ms)> turn) : turn_(std::move(turn)) {}
  ~EndpointLoop() { stop(); }
  EndpointLoop(const EndpointLoop&) = delete;
  EndpointLoop& operator=(const EndpointLoop&) = delete;

  void start(ControlEvents& events);
  // Runs what was posted before, then joins. No callback runs during or after it.
  // REQUIRES: not called from a callback.
  void stop();

  bool here() const { return std::this_thread::get_id() == id_.load(std::memory_order_relaxed); }
  // False when the loop was stopped.
  bool post(Task task) { return mailbox_.post(std::move(task)); }
  void wake() { mailbox_.wake(); }
  int wake_fd() const { return mailbox_.fd(); }

  // on_frames(). Returns what went wrong in it, or "".
  std::string deliver(ConnId conn, const std::string& principal, Frames frames);
  // on_gone(), as soon as no other callback is running.
  void report_gone(ConnId conn, std::string why) { gone_.emplace_back(conn, std::move(why)); }
  // Makes the next turn wait no longer than this.
  void hurry(int wait_ms) { longest_wait_ = wait_ms < longest_wait_ ? wait_ms : longest_wait_; }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr int kNoHurry = std::numeric_limits<int>::max();

  void run();
  void report();
  int wait_ms() const;

  const std::function<void(int)> turn_;
  Mailbox<Task> mailbox_;
  std::vector<Task> tasks_;
  std::vector<std::pair<ConnId, std::string>> gone_;
  ControlEvents* events_ = nullptr;
  Clock::time_point next_tick_;
  int longest_wait_ = kNoHurry;
  bool stopping_ = false;  // the loop's own; set by a task
  std::atomic<std::thread::id> id_{};
  std::thread thread_;
};

}  // namespace curia
