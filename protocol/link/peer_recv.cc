// Waiting for a message, and reading the connection as the one who waits.
#include <poll.h>

#include <algorithm>
#include <utility>

#include "protocol/link/coarse_clock.h"
#include "protocol/link/peer.h"

namespace curia {
namespace {

constexpr std::chrono::milliseconds kAckDelay{10};

// Milliseconds for poll(): rounded up, so that it does not return just before the deadline.
int poll_timeout(SteadyTime deadline, SteadyTime now) {
  if (deadline <= now) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(
      std::min<std::chrono::nanoseconds>(deadline - now, std::chrono::hours(1)));
  return static_cast<int>(left.count());
}

}  // namespace

Message Peer::recv(LaneState& lane, const Tag& tag, std::int64_t max_body, SteadyTime deadline) {
  Lock lock(mutex_);
  if (connection_) connection_->recvs++;
  expect(!lane.waiting, "two threads wait in recv() of one lane");
  if (auto message = lane.in.take(tag, max_body)) {
    report_progress(lock, lane);
    return *std::move(message);
  }
  struct Waiting {
    Peer& peer;
    LaneState& lane;
    ~Waiting() {
      lane.waiting = false;
      lane.in.stop_waiting();
      peer.waiters_--;
      if (peer.waiters_ > 0) peer.pass_on_reading(&lane);
    }
  } const waiting{*this, lane};
  waiters_++;
  lane.waiting = true;
  lane.waited = tag;
  lane.waiting_since = coarse_now();
  lane.in.wait(tag, max_body);
  report_progress(lock, lane);
  SteadyTime now = lane.waiting_since;
  while (true) {
    lane.in.take_news();
    if (auto message = lane.in.take(tag, max_body)) {
      report_progress(lock, lane);
      return *std::move(message);
    }
    if (now + kCoarseLag >= deadline) now = std::chrono::steady_clock::now();
    if (now >= deadline) {
      throw Error(Code::kTimeout,
                  shared_->options.self + " waited for " + name_ + " to send the message of " +
                      tag_text(tag) + " until the deadline; " +
                      (connection_ ? lane.in.progress(tag) : "there is no connection"));
    }
    const ConnectionPtr connection = connection_;
    if (connection && !connection->dead && !connection->reading) {
      lead(lock, connection, lane, now, deadline);
    } else {
      if (!connection) needs_connection();
      lane.news.wait_until(lock, std::min(deadline, now + std::chrono::hours(1)));
    }
    now = coarse_now();
  }
}

void Peer::lead(Lock& lock, const ConnectionPtr& connection, LaneState& lane, SteadyTime now,
                SteadyTime deadline) {
  Connection& c = *connection;
  c.reading = true;
  leader_ = &lane;
  c.lead_since = now;
  ReadResult result;
  // First the short way: wait in the read itself. Nobody can interrupt that, so it does not last.
  if (deadline - now > kBlockingWait + kCoarseLag) {
    lock.unlock();
    result = read_some(connection, 1, true);
    lock.lock();
  }
  if (!result.some && !result.failed) result = wait_readable(lock, connection, deadline);
  leader_ = nullptr;
  after_reading(lock, connection, result, false);
}

// Waits for bytes, for tell(), or for the deadline, and writes acknowledgements that are owed.
Peer::ReadResult Peer::wait_readable(Lock& lock, const ConnectionPtr& connection,
                                     SteadyTime deadline) {
  Connection& c = *connection;
  ReadResult result;
  while (!c.dead) {
    const SteadyTime now = std::chrono::steady_clock::now();
    const bool owing = owes(c);
    const SteadyTime until = owing ? std::min(deadline, now + kAckDelay) : deadline;
    lock.unlock();
    pollfd waits[2] = {{c.socket.fd(), POLLIN, 0}, {leader_wake_.fd(), POLLIN, 0}};
    ::poll(waits, 2, poll_timeout(until, now));
    if (waits[1].revents != 0) leader_wake_.clear();
    if (waits[0].revents != 0) result = read_some(connection, 1, false);
    lock.lock();
    if (waits[0].revents != 0 || waits[1].revents != 0) break;
    if (std::chrono::steady_clock::now() >= deadline) break;
    if (owing) {
      c.acks_due = c.flow_due = true;
      pump(lock, connection, Pump::kSmall, false);
    }
  }
  return result;
}

// Somebody else who waits becomes the reader, if nobody is.
void Peer::pass_on_reading(const LaneState* but) {
  if (!connection_ || connection_->reading || connection_->dead) return;
  for (const auto& [session, lane] : lanes_) {
    if (lane->waiting && lane.get() != but) {
      lane->news.notify_all();
      return;
    }
  }
}

// After messages were taken or dropped: tells the sender at once when that lets it go on.
void Peer::report_progress(Lock& lock, LaneState& lane) {
  if (!connection_ || !connection_->ready || lane.over || lane.remote == 0) return;
  const std::uint64_t gain = lane.in.limit() - lane.reported_limit;
  if (gain == 0) return;
  note_ack(*connection_, lane.shared_from_this());
  if (static_cast<std::int64_t>(gain) < lane.in.credit() / 4) return;
  connection_->acks_due = true;
  pump(lock, ConnectionPtr(connection_), Pump::kSmall, false);
}

}  // namespace curia
