#include "protocol/link/peer.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

namespace curia {
namespace {

constexpr std::size_t kRememberedSessions = 1024;

}  // namespace

Peer::Peer(std::shared_ptr<LinkShared> shared, std::string name, std::uint64_t id)
    : shared_(std::move(shared)),
      name_(std::move(name)),
      id_(id),
      dials_(shared_->options.dials ? shared_->options.dials(name_)
                                    : shared_->options.port < 0 || shared_->options.self < name_) {}

Peer::~Peer() = default;

LanePtr Peer::new_lane(const SessionId& session, std::int64_t credit) {
  auto lane = std::make_shared<LaneState>(session, ++last_number_, credit);
  lanes_[session] = lane;
  by_number_[lane->number] = lane;
  return lane;
}

LanePtr Peer::lane(const SessionId& session) {
  const std::lock_guard lock(mutex_);
  LanePtr lane;
  if (const auto found = lanes_.find(session); found != lanes_.end()) {
    lane = found->second;
    if (!lane->opened) {
      unopened_--;
      lane->in.set_credit(shared_->options.credits);
      if (connection_) {
        note_ack(*connection_, lane);
        connection_->acks_due = true;
      }
    }
  } else {
    lane = new_lane(session, shared_->options.credits);
    if (connection_ && connection_->ready) {
      lane->synced = true;
      std::vector<OutMessage> none;
      lane->out.rewind(0, connection_->hello.initial_credit, none);
    }
    if (connection_) announce(*lane);
  }
  lane->opened = true;
  if (stopped_) end_lane(*lane, Error(Code::kSessionOver, "the data link was shut down"));
  wake_io();
  return lane;
}

// Tells the peer of the lane, and how far its own stream has come here.
void Peer::announce(LaneState& lane) {
  lane.reported_received = lane.in.received();
  lane.reported_limit = lane.in.limit();
  lane.reported_aborts = lane.aborts_received;
  queue_frame(*connection_, encode(LaneFrame{.number = lane.number,
                                             .peer_number = lane.remote,
                                             .session = lane.session,
                                             .received = lane.reported_received,
                                             .limit = lane.reported_limit,
                                             .aborts = lane.reported_aborts}));
}

// A frame that goes before everything else.
void Peer::queue_frame(Connection& c, std::vector<std::uint8_t> frame) {
  if (std::ssize(c.control) >= kMaxQueuedFrames) return kill(c);
  c.control.push_back(std::move(frame));
}

// Once in a connection; those that come later go out one by one.
void Peer::queue_aborts(Connection& c, const LaneState& lane) {
  for (const AbortFrame& abort : lane.aborts) queue_frame(c, encode(abort));
}

// Makes room for another lane that was not opened here.
void Peer::forget_ended_lane() {
  for (auto it = lanes_.begin(); it != lanes_.end(); ++it) {
    const LaneState& lane = *it->second;
    if (lane.opened || (!lane.over && !lane.peer_closed)) continue;
    unopened_--;
    by_number_.erase(lane.number);
    by_remote_.erase(lane.remote);
    lanes_.erase(it);
    return;
  }
}

void Peer::refuse_lane(std::uint32_t peer_number, const SessionId& session, Code code) {
  queue_frame(
      *connection_,
      encode(EndFrame{.number = 0, .peer_number = peer_number, .session = session, .code = code}));
}

void Peer::tell(LaneState& lane) {
  if (!lane.waiting) return;
  if (leader_ == &lane) {
    leader_wake_.set();
  } else {
    lane.news.notify_all();
  }
}

void Peer::needs_connection() {
  if (connection_ || away_since_) return;
  away_since_ = std::chrono::steady_clock::now();
  wake_io();
}

void Peer::send(LaneState& lane, const Tag& tag, Slice head, std::vector<Slice> body) {
  const std::int64_t body_bytes = check_message(head, body);
  const std::int64_t bytes = head.size + body_bytes;
  Lock lock(mutex_);
  if (lane.over) throw *lane.over;
  sent_messages_++;
  sent_bytes_ += bytes;
  if (lane.peer_closed) return;
  lane.out.push(tag, std::move(head), std::move(body), body_bytes);
  if (!connection_) {
    needs_connection();
    return;
  }
  if (!lane.synced) return;
  ready_to_send(lane.shared_from_this());
  const ConnectionPtr connection = connection_;
  if (connection->writing || connection->want_write || connection->dead) return;
  if (body_bytes <= kSmallBody && lane.out.next() != OutStream::Next::kNothing) {
    pump(lock, connection, Pump::kSmall, false);
  } else if (connection->pace.open()) {
    wake_io();
  }
}

void Peer::abort(LaneState& lane, std::uint64_t task, const Error& error) {
  std::vector<OutMessage> released;
  Lock lock(mutex_);
  if (lane.over) return;
  lane.in.fail(task, error);
  lane.out.drop_task(task, released);
  lane.aborts.push_back({lane.number, ++lane.aborts_sent, task, error});
  tell(lane);
  if (!connection_) {
    needs_connection();
    return;
  }
  if (lane.synced) queue_frame(*connection_, encode(lane.aborts.back()));
  ready_to_send(lane.shared_from_this());
  pump(lock, ConnectionPtr(connection_), Pump::kSmall, false);
  lock.unlock();
}

void Peer::cancel(LaneState& lane, std::uint64_t task, const Error& error) {
  Lock lock(mutex_);
  lane.in.fail(task, error);
  tell(lane);
  report_progress(lock, lane);
}

void Peer::finish(LaneState& lane, std::uint64_t task) {
  Lock lock(mutex_);
  lane.in.finish(task);
  tell(lane);
  report_progress(lock, lane);
}

// The lane stays where it is, so that nothing of a later one mixes with it, and takes nothing more.
void Peer::end_lane(LaneState& lane, const Error& error) {
  if (!lane.over) lane.over = error;
  lane.in.end(error);
  lane.out.clear(trash_);
  lane.aborts.clear();
  tell(lane);
}

void Peer::lose_all(const Error& error) {
  for (auto& [session, lane] : lanes_) {
    if (lane->over) continue;
    end_lane(*lane, error);
    if (connection_) refuse_lane(lane->remote, session, Code::kPeerLost);
  }
}

void Peer::close(const SessionId& session) {
  Lock lock(mutex_);
  const auto found = lanes_.find(session);
  if (found == lanes_.end()) return;
  const LanePtr lane = found->second;
  const Error error(Code::kSessionOver, "the session was closed here");
  lane->over = error;
  lane->in.close(error);
  lane->out.clear(trash_);
  tell(*lane);
  received_messages_ += lane->in.messages();
  received_bytes_ += lane->in.message_bytes();
  if (!lane->opened) unopened_--;
  lanes_.erase(found);
  by_number_.erase(lane->number);
  by_remote_.erase(lane->remote);
  closed_.push_back(session);
  if (closed_.size() > kRememberedSessions) closed_.pop_front();
  if (lanes_.empty()) away_since_.reset();
  if (connection_) {
    queue_frame(
        *connection_,
        encode(EndFrame{.number = lane->number, .peer_number = lane->remote, .session = session}));
    pump(lock, ConnectionPtr(connection_), Pump::kSmall, false);
  }
}

void Peer::lose(const Error& error) {
  const std::lock_guard lock(mutex_);
  lose_all(error);
  away_since_.reset();
  if (connection_) kill(*connection_);
}

void Peer::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  lose_all(Error(Code::kSessionOver, "the data link was shut down"));
  if (connection_) {
    epoll_ctl(shared_->epoll.fd(), EPOLL_CTL_DEL, connection_->socket.fd(), nullptr);
    kill(*connection_);
  }
  connection_.reset();
  next_.reset();
}

void Peer::cut_connection() {
  const std::lock_guard lock(mutex_);
  if (connection_) ::shutdown(connection_->socket.fd(), SHUT_RDWR);
}

void Peer::dialing(bool under_way) {
  const std::lock_guard lock(mutex_);
  dialing_ = under_way;
}

bool Peer::idle() const {
  const std::lock_guard lock(mutex_);
  return std::all_of(lanes_.begin(), lanes_.end(), [](const auto& entry) {
    return entry.second->out.idle() && entry.second->aborts.empty();
  });
}

bool Peer::connected() const {
  const std::lock_guard lock(mutex_);
  return connection_ && connection_->ready && !connection_->dead;
}

Traffic Peer::traffic() const {
  const std::lock_guard lock(mutex_);
  Traffic traffic{name_, sent_bytes_, received_bytes_, sent_messages_, received_messages_};
  for (const auto& [session, lane] : lanes_) {
    traffic.received_messages += lane->in.messages();
    traffic.received_bytes += lane->in.message_bytes();
  }
  return traffic;
}

void Peer::waits(std::vector<LaneWait>& to) const {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  for (const auto& [session, lane] : lanes_) {
    if (!lane->waiting) continue;
    to.push_back({name_, session, lane->waited,
                  std::chrono::duration_cast<std::chrono::milliseconds>(now - lane->waiting_since),
                  connection_ != nullptr, lane->in.progress(lane->waited)});
  }
}

}  // namespace curia
