// The I/O thread's part: events of the socket, timers, and the change of connections.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "protocol/link/peer.h"

namespace curia {
namespace {

constexpr std::chrono::milliseconds kIdleReader{1};  // without a recv(): the I/O thread reads again
constexpr std::chrono::milliseconds kLongWait{10};   // then it stops watching the one who waits
constexpr std::chrono::milliseconds kAckDelay{10};
constexpr int kReadsPerEvent = 8;

void sooner(SteadyTime& next, SteadyTime at) { next = std::min(next, at); }

}  // namespace

// The holders of the roles, and the I/O thread, take note of it in their own time.
void Peer::kill(Connection& c) {
  c.dead = true;
  ::shutdown(c.socket.fd(), SHUT_RDWR);
  wake_io();
}

void Peer::adopt(std::shared_ptr<Connection> connection) {
  const std::lock_guard lock(mutex_);
  dialing_ = false;
  if (stopped_) return;
  if (connection_) kill(*connection_);
  next_ = std::move(connection);
}

void Peer::set_interest(Connection& c) {
  const std::uint32_t events =
      (c.armed ? std::uint32_t{EPOLLIN} : 0) | (c.want_write ? std::uint32_t{EPOLLOUT} : 0);
  if (events == c.interest) return;
  c.interest = events;
  epoll_event event{};
  event.events = events;
  event.data.u64 = id_;
  epoll_ctl(shared_->epoll.fd(), EPOLL_CTL_MOD, c.socket.fd(), &event);
}

void Peer::activate() {
  connection_ = std::exchange(next_, nullptr);
  Connection& c = *connection_;
  const SteadyTime now = std::chrono::steady_clock::now();
  c.written_at = c.checked_at = c.looked_at = now;
  away_since_.reset();
  dial_pause_ = {};
  epoll_event event{};
  event.events = c.interest = EPOLLIN;
  event.data.u64 = id_;
  c.armed = true;
  if (epoll_ctl(shared_->epoll.fd(), EPOLL_CTL_ADD, c.socket.fd(), &event) != 0) kill(c);

  const bool restarted = incarnation_ && *incarnation_ != c.hello.incarnation;
  incarnation_ = c.hello.incarnation;
  for (auto& [session, lane] : lanes_) {
    lane->synced = lane->in_ring = lane->in_acks = false;
    if (restarted && !lane->over && (lane->remote != 0 || lane->out.sent() > 0)) {
      end_lane(*lane, Error(Code::kPeerLost, name_ + " was restarted"));
    }
    if (!lane->over) announce(*lane);
  }
  if (restarted) by_remote_.clear();
  queue_frame(c, encode_empty(FrameType::kReady));
}

void Peer::on_event(std::uint32_t events) {
  Lock lock(mutex_);
  const ConnectionPtr connection = connection_;
  if (!connection) return;
  Connection& c = *connection;
  if ((events & EPOLLOUT) != 0) c.want_write = false;
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !c.dead) {
    // Where recv() is called often, the next one reads: it would only find this thread in its way.
    if (c.reading || (c.recvs != c.recvs_seen && waiters_ == 0)) {
      c.armed = false;
      c.recvs_seen = c.recvs;
      c.looked_at = std::chrono::steady_clock::now();
    } else {
      read_as_io(lock, connection);
    }
  }
  set_interest(c);
}

void Peer::read_as_io(Lock& lock, const ConnectionPtr& connection) {
  connection->reading = true;
  lock.unlock();
  const ReadResult result = read_some(connection, kReadsPerEvent, false);
  lock.lock();
  after_reading(lock, connection, result, true);
}

Peer::Need Peer::service(SteadyTime now) {
  Lock lock(mutex_);
  Need need;
  if (connection_ && connection_->dead) {
    Connection& c = *connection_;
    if (c.reading || c.writing) {
      if (leader_ != nullptr) leader_wake_.set();
      return need;  // who gives the role back wakes this thread
    }
    epoll_ctl(shared_->epoll.fd(), EPOLL_CTL_DEL, c.socket.fd(), nullptr);
    connection_.reset();
    if (!lanes_.empty() && !stopped_) away_since_ = now;
  }
  if (!connection_ && next_) {
    activate();
    read_as_io(lock, ConnectionPtr(connection_));  // what came together with the proof
  }
  if (!connection_) {
    need = away(now);
    free_trash(lock);
    return need;
  }

  const ConnectionPtr connection = connection_;
  watch(*connection, now, need);
  if (has_output(*connection) || connection->unsent) {
    pump(lock, connection, Pump::kAll, true);
    const bool more = has_output(*connection) && !connection->want_write && !connection->writing;
    if (more || connection->dead) need.next = now;
  }
  set_interest(*connection);
  free_trash(lock);
  return need;
}

void Peer::watch(Connection& c, SteadyTime now, Need& need) {
  if (!c.armed) {
    if (now - c.looked_at >= kIdleReader) {
      c.armed = !c.reading && c.recvs == c.recvs_seen;
      c.recvs_seen = c.recvs;
      c.looked_at = now;
    }
    const bool long_wait = c.reading && now - c.lead_since >= kLongWait;
    if (!c.armed && !long_wait) sooner(need.next, c.looked_at + kIdleReader);
  }
  io_watching_ = c.armed || need.next != SteadyTime::max();

  if (owes(c)) {
    if (!c.acks.empty()) {
      if (!c.acks_since) c.acks_since = now;
      if (now - *c.acks_since >= kAckDelay) c.acks_due = true;
    }
    if (c.arrived > c.arrived_reported && now - c.flow_at >= kAckDelay) c.flow_due = true;
    sooner(need.next, now + kAckDelay);
  }
  if (lanes_.empty()) return;
  const DataLinkOptions& options = shared_->options;
  if (now - c.written_at >= options.keepalive) {
    if (c.control.empty()) queue_frame(c, encode_empty(FrameType::kPing));
    c.written_at = now;
  }
  sooner(need.next, c.written_at + options.keepalive);
  // Silence is only what this thread was awake to hear: a process that was stopped for a while has
  // not yet looked at what came meanwhile.
  const auto heard = std::min<std::chrono::nanoseconds>(now - c.checked_at, options.keepalive);
  c.silent += heard;
  c.checked_at = now;
  if (c.bytes_checked != c.reader.bytes()) {
    c.bytes_checked = c.reader.bytes();
    c.silent = {};
  }
  if (c.arrived_checked != c.arrived) {
    c.arrived_checked = c.arrived;
    c.stalled = {};
  } else {
    c.stalled += heard;
  }
  if (c.silent > options.silence || c.stalled > options.stall) kill(c);
}

Peer::Need Peer::away(SteadyTime now) {
  Need need;
  const bool alive = std::any_of(lanes_.begin(), lanes_.end(),
                                 [](const auto& entry) { return !entry.second->over; });
  if (!alive || stopped_) {
    away_since_.reset();
    return need;
  }
  const auto grace = shared_->options.grace;
  if (away_since_ && now - *away_since_ >= grace) {
    lose_all(Error(Code::kPeerLost, shared_->options.self + " cannot reach " + name_ +
                                        ": no connection for " + std::to_string(grace.count()) +
                                        " ms"));
    away_since_.reset();
    return need;
  }
  if (away_since_) sooner(need.next, *away_since_ + grace);
  if (dials_ && !dialing_) {
    if (now >= next_dial_) {
      need.dial = true;
      const auto redial = shared_->options.redial;
      dial_pause_ = std::clamp(dial_pause_ * 2, redial, redial * 10);
      next_dial_ = now + dial_pause_;
    }
    sooner(need.next, next_dial_);
  }
  return need;
}

}  // namespace curia
