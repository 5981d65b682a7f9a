#include "protocol/link/memory_link.h"

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <tuple>
#include <utility>

#include "protocol/link/inbox.h"

namespace curia {
namespace {

// One direction of a lane: what `from` sent to `to` in a session.
struct Direction {
  std::mutex mutex;
  std::condition_variable arrived;
  Inbox inbox;  // guarded by mutex

  void fail(std::uint64_t task, const Error& error) {
    const std::lock_guard lock(mutex);
    inbox.fail(task, error);
    arrived.notify_all();
  }
};

using DirectionPtr = std::shared_ptr<Direction>;

}  // namespace

// Owned by the network and by all its links and lanes.
class MemoryHub {
 public:
  struct Key {
    SessionId session;
    std::string from;
    std::string to;
    auto operator<=>(const Key&) const = default;
  };

  DirectionPtr direction(const SessionId& session, const std::string& from, const std::string& to) {
    const std::lock_guard lock(mutex_);
    DirectionPtr& direction = directions_[{session, from, to}];
    if (!direction) direction = std::make_shared<Direction>();
    return direction;
  }

  // `self` forgets a session: what was sent to it goes, what it sent can still be received.
  void close(const SessionId& session, const std::string& self) {
    const std::lock_guard lock(mutex_);
    auto it = directions_.lower_bound({session, {}, {}});
    while (it != directions_.end() && it->first.session == session) {
      const bool incoming = it->first.to == self;
      if (!incoming && it->first.from != self) {
        ++it;
        continue;
      }
      const DirectionPtr direction = it->second;  // maybe nobody else has it
      const std::lock_guard inner(direction->mutex);
      if (incoming) {
        direction->inbox.close(Error(Code::kSessionOver, "the session was closed here"));
      } else {
        direction->inbox.end(Error(Code::kSessionOver, self + " closed the session"));
      }
      direction->arrived.notify_all();
      // An incoming direction is forgotten here, an outgoing one by its receiver's close().
      it = incoming ? directions_.erase(it) : std::next(it);
    }
  }

  void lose(const std::string& party, const Error& error) {
    const std::lock_guard lock(mutex_);
    for (auto& [key, direction] : directions_) {
      if (key.from != party && key.to != party) continue;
      const std::lock_guard inner(direction->mutex);
      direction->inbox.end(error);
      direction->arrived.notify_all();
    }
  }

  void forget(const std::string& self, const std::string& peer) {
    const std::lock_guard lock(mutex_);
    std::erase_if(directions_, [&](const auto& entry) {
      const auto& [key, direction] = entry;
      if (!(key.from == self && key.to == peer) && !(key.from == peer && key.to == self)) {
        return false;
      }
      const std::lock_guard inner(direction->mutex);
      direction->inbox.end(Error(Code::kSessionOver, self + " is done with " + peer));
      direction->arrived.notify_all();
      return true;
    });
    traffic_.erase({self, peer});
  }

  void count(const std::string& from, const std::string& to, std::int64_t bytes) {
    const std::lock_guard lock(mutex_);
    Traffic& sent = traffic_[{from, to}];
    sent.sent_bytes += bytes;
    sent.sent_messages++;
    Traffic& received = traffic_[{to, from}];
    received.received_bytes += bytes;
    received.received_messages++;
  }

  std::vector<Traffic> traffic(const std::string& self) const {
    const std::lock_guard lock(mutex_);
    std::vector<Traffic> result;
    for (const auto& [ends, traffic] : traffic_) {
      if (ends.first != self) continue;
      result.push_back(traffic);
      result.back().peer = ends.second;
    }
    return result;
  }

 private:
  mutable std::mutex mutex_;  // taken before a direction's
  std::map<Key, DirectionPtr> directions_;
  std::map<std::pair<std::string, std::string>, Traffic> traffic_;  // (self, peer)
};

namespace {

class MemoryLane : public Lane {
 public:
  MemoryLane(std::shared_ptr<MemoryHub> hub, const SessionId& session, std::string self,
             std::string peer)
      : hub_(std::move(hub)),
        self_(std::move(self)),
        peer_(std::move(peer)),
        in_(hub_->direction(session, peer_, self_)),
        out_(hub_->direction(session, self_, peer_)) {}

  void send(const Tag& tag, Slice head, std::vector<Slice> body) override {
    const std::int64_t bytes = head.size + check_message(head, body);
    check_open();
    Message message{std::move(head), join(std::move(body))};
    {
      const std::lock_guard lock(out_->mutex);
      if (out_->inbox.wants(tag.task) && !out_->inbox.ended()) {
        out_->inbox.put(tag, std::move(message));
        out_->arrived.notify_all();
      }
    }
    hub_->count(self_, peer_, bytes);
  }

  Message recv(const Tag& tag, std::int64_t max_body, SteadyTime deadline) override {
    std::unique_lock lock(in_->mutex);
    while (true) {
      if (auto message = in_->inbox.take(tag)) {
        check_body(tag, message->body.size, max_body);
        return *std::move(message);
      }
      if (std::chrono::steady_clock::now() >= deadline) {
        throw Error(Code::kTimeout, self_ + " waited for " + peer_ + " to send the message of " +
                                        tag_text(tag) + " until the deadline");
      }
      in_->arrived.wait_until(lock, deadline);
    }
  }

  void abort(std::uint64_t task, const Error& error) override {
    in_->fail(task, error);
    out_->fail(task, error.at_party(self_));
  }

  void cancel(std::uint64_t task, const Error& error) override { in_->fail(task, error); }

  void finish(std::uint64_t task) override {
    const std::lock_guard lock(in_->mutex);
    in_->inbox.finish(task);
    in_->arrived.notify_all();
  }

 private:
  void check_open() const {
    const std::lock_guard lock(in_->mutex);
    if (in_->inbox.closed()) throw *in_->inbox.ended();
    if (in_->inbox.ended() && in_->inbox.ended()->code() == Code::kPeerLost) {
      throw *in_->inbox.ended();
    }
  }

  const std::shared_ptr<MemoryHub> hub_;
  const std::string self_;
  const std::string peer_;
  const DirectionPtr in_;
  const DirectionPtr out_;
};

class MemoryLink : public Link {
 public:
  MemoryLink(std::shared_ptr<MemoryHub> hub, std::string_view self)
      : hub_(std::move(hub)), self_(self) {}

  std::shared_ptr<Lane> lane(const SessionId& session, std::string_view peer) override {
    return std::make_shared<MemoryLane>(hub_, session, self_, std::string(peer));
  }
  void close(const SessionId& session) override { hub_->close(session, self_); }
  void forget(std::string_view peer) override { hub_->forget(self_, std::string(peer)); }
  std::vector<Traffic> traffic() const override { return hub_->traffic(self_); }

 private:
  const std::shared_ptr<MemoryHub> hub_;
  const std::string self_;
};

}  // namespace

MemoryNetwork::MemoryNetwork() : hub_(std::make_shared<MemoryHub>()) {}
MemoryNetwork::~MemoryNetwork() = default;

std::shared_ptr<Link> MemoryNetwork::link(std::string_view self) {
  return std::make_shared<MemoryLink>(hub_, self);
}

void MemoryNetwork::lose(std::string_view party, const Error& error) {
  hub_->lose(std::string(party), error);
}

}  // namespace curia
