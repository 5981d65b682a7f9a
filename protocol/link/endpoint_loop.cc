#include "protocol/link/endpoint_loop.h"

#include <algorithm>
#include <exception>

namespace curia {

void EndpointLoop::start(ControlEvents& events) {
  expect(events_ == nullptr, "a control endpoint is started once");
  events_ = &events;
  thread_ = std::thread([this] { run(); });
}

void EndpointLoop::stop() {
  if (!thread_.joinable()) return;
  mailbox_.shut([this] { stopping_ = true; });
  thread_.join();
}

std::string EndpointLoop::deliver(ConnId conn, const std::string& principal, Frames frames) {
  // A request ends here: whatever it threw, the other connections go on.
  try {
    events_->on_frames(conn, principal, std::move(frames));
    return "";
  } catch (const std::exception& error) {
    return error.what();
  }
}

void EndpointLoop::run() {
  id_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  next_tick_ = Clock::now() + kControlTick / 2;
  while (true) {
    const bool idle = gone_.empty() && mailbox_.may_sleep();
    const int wait = std::min(wait_ms(), std::exchange(longest_wait_, kNoHurry));
    turn_(idle ? wait : 0);
    const bool woken = mailbox_.take(tasks_);
    for (Task& task : tasks_) task();
    tasks_.clear();
    if (stopping_) return;
    report();
    const Clock::time_point now = Clock::now();
    if (woken || now >= next_tick_) {
      next_tick_ = now + kControlTick / 2;
      events_->on_tick();
    }
  }
}

void EndpointLoop::report() {
  // A callback may end further connections; they are reported next time round.
  std::vector<std::pair<ConnId, std::string>> gone;
  gone.swap(gone_);
  for (const auto& [conn, why] : gone) events_->on_gone(conn, why);
}

int EndpointLoop::wait_ms() const {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_tick_ - Clock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

}  // namespace curia
