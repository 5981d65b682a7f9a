#include <poll.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <unordered_map>

#include "protocol/link/accepted.h"
#include "protocol/link/endpoint_loop.h"
#include "protocol/link/zap.h"
#include "protocol/link/zmq_control.h"
#include "protocol/link/zmq_wire.h"

namespace curia {
namespace {

constexpr int kBatch = 256;  // messages read before other input gets its turn
constexpr std::size_t kRoutingId = 16;
constexpr int kRetryMs = 1;  // a ROUTER does not say when a full queue has room again
constexpr std::int64_t kMaxUnfinished = 4 * kMaxControlMessage;
constexpr std::chrono::milliseconds kSweepEvery{100};
constexpr int kServerEvents = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED |
                              ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                              ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

using Clock = std::chrono::steady_clock;

struct Peer {
  ConnId conn = 0;
  std::string routing_id;
  std::string key;
  std::string principal;
  int fd = -1;
  bool announced = false;  // on_frames() was called for it, so its end is reported
  bool over = false;       // neither read nor written any more; kept until libzmq forgets it too
  bool leaving = false;    // disconnected; what it sent before is still to be read
  bool waiting = false;    // listed among those whose outbox is not empty
  bool dropped = false;    // ours to end: nothing more goes in or out but what the outbox holds
  Clock::time_point cut_at = Clock::time_point::max();
  Outbox outbox;

  explicit Peer(std::int64_t limit) : outbox(limit) {}
};

int port_of(const std::string& endpoint) {
  const std::size_t colon = endpoint.rfind(':');
  return colon == std::string::npos ? -1 : std::atoi(endpoint.c_str() + colon + 1);
}

}  // namespace

struct ZmqControlServer::Impl {
  // In this order: sockets are closed before their context.
  ZmqServerOptions options;
  Principals principals;
  zmq::context_t context{1};
  ZapHandler zap;
  zmq::socket_t router;
  Monitor monitor;
  std::string endpoint;
  Accepted accepted;
  EndpointLoop loop{[this](int wait_ms) { turn(wait_ms); }};

  // The loop's own.
  std::unordered_map<std::string, std::unique_ptr<Peer>> peers;  // by routing id
  std::unordered_map<ConnId, Peer*> by_conn;
  std::unordered_map<int, Peer*> by_fd;
  std::unordered_map<std::string, std::int64_t> per_principal;
  std::vector<Peer*> waiting;
  std::vector<Peer*> leaving;
  std::array<pollfd, 4> fds;
  bool unread = true;  // the router may have messages of which its descriptor does not tell
  ConnId next_conn = 1;
  std::uint64_t seen_version;
  Clock::time_point next_sweep;
  ControlStats counts;
  std::string routing_id;  // of the message being read; kept for its memory

  mutable std::mutex mutex;
  ControlStats published;  // guarded by mutex

  explicit Impl(ZmqServerOptions given)
      : options(std::move(given)),
        principals(options.principals),
        zap(context, principals),
        router(make_router()),
        monitor(context, router, "monitor", kServerEvents),
        endpoint(bind()),
        accepted(port_of(endpoint)),
        fds{{{loop.wake_fd(), POLLIN, 0},
             {wake_fd(router), POLLIN, 0},
             {wake_fd(monitor.socket()), POLLIN, 0},
             {wake_fd(zap.socket()), POLLIN, 0}}},
        seen_version(principals.version()) {}

  ~Impl() {
    loop.stop();
    router.set(zmq::sockopt::linger, static_cast<int>(options.linger.count()));
  }

  zmq::socket_t make_router() {
    check_key(options.keys.secret_key, "the server's secret key");
    zmq::socket_t socket(context, zmq::socket_type::router);
    secure_server(socket, options.keys);
    limit_socket(socket, options.handshake);
    socket.set(zmq::sockopt::router_mandatory, true);
    socket.set(zmq::sockopt::router_handover, false);
    socket.set(zmq::sockopt::backlog, 1024);
    return socket;
  }

  std::string bind() {
    try {
      router.bind(options.bind);
    } catch (const zmq::error_t& error) {
      throw Error(Code::kInvalid, "cannot listen at " + options.bind + ": " + error.what());
    }
    return router.get(zmq::sockopt::last_endpoint);
  }

  void turn(int wait_ms) {
    unread = unread && receive();
    if (unread) wait_ms = 0;
    poll(fds.data(), fds.size(), wait_ms);
    if (fds[3].revents != 0) counts.refused_keys += zap.answer();
    if (fds[2].revents != 0) read_monitor();
    check_principals();
    if (fds[1].revents != 0 || unread) {
      unread = true;
      for (int i = 0; i < kBatch && unread; ++i) unread = receive();
    }
    const bool all_read = !unread;
    flush();
    if (all_read) {
      // All complete messages are read, so those who left have nothing more to say.
      bury();
      sweep();
    }
    const std::lock_guard lock(mutex);
    published = counts;
    published.connections = accepted.open();
  }

  // --- what connections do

  void read_monitor() {
    while (const auto event = monitor.next()) {
      if (event->kind == ZMQ_EVENT_ACCEPTED) {
        accepted.opened(event->value, Clock::now());
        if (accepted.open() > options.max_connections) cut(accepted.oldest_silent());
      } else if (event->kind == ZMQ_EVENT_DISCONNECTED) {
        accepted.closed(event->value);
        const auto found = by_fd.find(event->value);
        if (found != by_fd.end()) leave(*found->second);
      } else {
        ++counts.failed_handshakes;
      }
    }
  }

  void leave(Peer& peer) {
    if (peer.fd >= 0) by_fd.erase(peer.fd);
    peer.fd = -1;
    if (!std::exchange(peer.leaving, true)) leaving.push_back(&peer);
  }

  void bury() {
    for (Peer* peer : std::exchange(leaving, {})) {
      end(*peer, peer->principal + " closed the connection, or it was cut");
      by_conn.erase(peer->conn);
      if (peer->waiting) std::erase(waiting, peer);
      const auto count = per_principal.find(peer->principal);
      if (count != per_principal.end() && --count->second == 0) per_principal.erase(count);
      peers.erase(peer->routing_id);
    }
  }

  // No more messages from or to it.
  void end(Peer& peer, const std::string& why) {
    if (std::exchange(peer.over, true)) return;
    if (peer.announced) loop.report_gone(peer.conn, why);
  }

  void cut(int fd) {
    if (fd >= 0 && accepted.cut(fd)) ++counts.cut_connections;
  }

  void refuse(Peer& peer, const std::string& why) {
    end(peer, why);
    cut(peer.fd);
  }

  void sweep() {
    const Clock::time_point now = Clock::now();
    if (now < next_sweep) return;
    next_sweep = now + kSweepEvery;
    for (const int fd : accepted.overdue(now, options.first_message, kMaxUnfinished)) cut(fd);
    for (const auto& [id, peer] : peers) {
      if (now >= peer->cut_at) cut(peer->fd);
      // Its end was reported before its first message was read.
      if (peer->fd >= 0 && !accepted.contains(peer->fd)) leave(*peer);
    }
  }

  void check_principals() {
    if (principals.version() == seen_version) return;
    seen_version = principals.version();
    for (const auto& [id, peer] : peers) {
      if (peer->over || principals.name_of(peer->key) == peer->principal) continue;
      ++counts.refused_senders;
      refuse(*peer, "the key of " + peer->principal + " was removed");
    }
  }

  // --- messages in

  // False when there is none.
  bool receive() {
    zmq::message_t id;
    if (!router.recv(id, zmq::recv_flags::dontwait)) return false;
    zmq::message_t head;
    if (!id.more() || !router.recv(head, zmq::recv_flags::dontwait)) return true;
    // Only the frames of the payload carry the sender; the routing id is the sender's own claim.
    const char* user = zmq_msg_gets(head.handle(), "User-Id");
    const int fd = zmq_msg_get(head.handle(), ZMQ_SRCFD);
    const std::string key = user == nullptr ? "" : user;
    Received got = read_message(router, head);
    routing_id.assign(static_cast<const char*>(id.data()), id.size());
    check_principals();
    const auto found = peers.find(routing_id);
    Peer& peer = found == peers.end() ? add(key, fd) : *found->second;
    if (peer.over || peer.dropped) return true;
    if (peer.key != key) {
      ++counts.refused_senders;
      refuse(peer, "another key took over the routing id of " + peer.principal);
      cut(fd);
      return true;
    }
    if (!got.fault.empty()) {
      ++counts.refused_messages;
      refuse(peer, peer.principal + " sent " + got.fault);
      return true;
    }
    ++counts.received_messages;
    accepted.heard(peer.fd);
    peer.announced = true;
    const std::string fault = loop.deliver(peer.conn, peer.principal, std::move(got.frames));
    if (!fault.empty()) {
      ++counts.failed_callbacks;
      refuse(peer, "a message of " + peer.principal + " could not be handled: " + fault);
    }
    return true;
  }

  // A routing id that was not seen before. A peer that may not be here is kept as well, to be
  // ignored until its connection is closed.
  Peer& add(const std::string& key, int fd) {
    // The end of an earlier connection with the same descriptor comes before this message.
    read_monitor();
    const auto earlier = by_fd.find(fd);
    if (earlier != by_fd.end()) leave(*earlier->second);

    auto made = std::make_unique<Peer>(options.max_waiting_bytes);
    Peer& peer = *made;
    peer.conn = next_conn++;
    peer.routing_id = routing_id;
    peer.key = key;
    peer.fd = fd;
    const auto name = principals.name_of(key);
    peer.principal = name.value_or("an unknown key");
    peers.emplace(routing_id, std::move(made));
    by_conn.emplace(peer.conn, &peer);
    by_fd[fd] = &peer;
    const std::int64_t siblings = ++per_principal[peer.principal];
    if (!name || routing_id.size() != kRoutingId || siblings > options.max_per_principal) {
      ++counts.refused_senders;
      refuse(peer, "");
    }
    return peer;
  }

  // --- messages out

  bool reachable(ConnId conn) const {
    const auto found = by_conn.find(conn);
    return found != by_conn.end() && !found->second->over && !found->second->dropped;
  }

  void send_now(ConnId conn, Frames frames) {
    if (!reachable(conn)) {
      ++counts.dropped_sends;
      return;
    }
    ++counts.sent_messages;
    unread = true;
    Peer& peer = *by_conn.at(conn);
    settle(peer, peer.outbox.send(router, peer.routing_id, std::move(frames)));
  }

  void settle(Peer& peer, Outbox::State state) {
    switch (state) {
      case Outbox::State::kDone:
        return;
      case Outbox::State::kWaiting:
        if (!std::exchange(peer.waiting, true)) waiting.push_back(&peer);
        loop.hurry(kRetryMs);
        return;
      case Outbox::State::kGone:
        end(peer, peer.principal + " is not connected any more");
        return;
      case Outbox::State::kOverflow:
        refuse(peer, peer.principal + " does not read: " +
                         std::to_string(peer.outbox.waiting_bytes()) + " bytes wait for it");
        return;
    }
  }

  void flush() {
    if (!waiting.empty()) unread = true;
    for (Peer* peer : std::exchange(waiting, {})) {
      peer->waiting = false;
      if (!peer->over) settle(*peer, peer->outbox.flush(router, peer->routing_id));
    }
  }

  void drop_now(ConnId conn) {
    const auto found = by_conn.find(conn);
    if (found == by_conn.end() || std::exchange(found->second->dropped, true)) return;
    found->second->announced = false;  // the caller knows
    found->second->cut_at = Clock::now() + options.linger;
  }
};

ZmqControlServer::ZmqControlServer(ZmqServerOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}
ZmqControlServer::~ZmqControlServer() = default;

void ZmqControlServer::start(ControlEvents& events) { impl_->loop.start(events); }

void ZmqControlServer::send(ConnId conn, Frames frames) {
  check_frames(frames);
  if (impl_->loop.here()) {
    impl_->send_now(conn, std::move(frames));
  } else {
    impl_->loop.post([impl = impl_.get(), conn, parts = std::move(frames)]() mutable {
      impl->send_now(conn, std::move(parts));
    });
  }
}

void ZmqControlServer::drop(ConnId conn) {
  if (impl_->loop.here()) {
    impl_->drop_now(conn);
  } else {
    impl_->loop.post([impl = impl_.get(), conn] { impl->drop_now(conn); });
  }
}

void ZmqControlServer::wake() { impl_->loop.wake(); }

std::string ZmqControlServer::endpoint() const { return impl_->endpoint; }

bool ZmqControlServer::reachable(ConnId conn) const { return impl_->reachable(conn); }

void ZmqControlServer::set_principals(std::map<std::string, std::string> principals) {
  impl_->principals.replace(std::move(principals));
  impl_->loop.wake();
}

ControlStats ZmqControlServer::stats() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->published;
}

}  // namespace curia
