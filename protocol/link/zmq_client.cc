#include <poll.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <exception>
#include <limits>
#include <unordered_map>

#include "protocol/link/endpoint_loop.h"
#include "protocol/link/zap.h"
#include "protocol/link/zmq_control.h"
#include "protocol/link/zmq_wire.h"

namespace curia {
namespace {

constexpr int kBatch = 256;  // messages read from one connection before the others get their turn
constexpr int kRetryMs = 1;  // for bytes in flight, which do not wake the thread when they are gone
constexpr int kClientEvents = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED |
                              ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                              ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

using Clock = std::chrono::steady_clock;

std::array<char, 16> fresh_routing_id() {
  std::array<char, 16> id{};
  if (getrandom(id.data(), id.size(), 0) != static_cast<ssize_t>(id.size())) {
    throw Error(Code::kFailed, "the system gave no random bytes for a routing id");
  }
  // libzmq keeps ids that begin with a zero byte for itself.
  if (id[0] == 0) id[0] = 1;
  return id;
}

// One connection, from connect() to its end.
struct Dial {
  const ConnId conn;
  const std::string server;
  const std::string endpoint;
  zmq::socket_t dealer;
  Monitor monitor;
  Outbox outbox;
  Clock::time_point deadline;  // for the keys to be agreed
  int fd;
  int monitor_fd;
  bool unread = true;    // see look_again()
  bool tcp = false;      // TCP is connected
  bool up = false;       // the keys are agreed
  bool over = false;     // erased before the next turn
  bool dropped = false;  // ours to end: nothing more goes in or out but what the outbox holds
  bool closing = false;  // disconnected; what came before is still to be read
  std::string why;       // it is closing, or ""

  Dial(zmq::context_t& context, const ZmqClientOptions& options, ConnId number,
       std::string server_name, std::string where, const std::string& key)
      : conn(number),
        server(std::move(server_name)),
        endpoint(std::move(where)),
        dealer(context, zmq::socket_type::dealer),
        monitor(context, dealer, "monitor-" + std::to_string(number), kClientEvents),
        outbox(options.max_waiting_bytes),
        deadline(Clock::now() + options.connect + options.handshake),
        fd(wake_fd(dealer)),
        monitor_fd(wake_fd(monitor.socket())) {
    secure_client(dealer, options.keys, key);
    limit_socket(dealer, options.handshake);
    const auto id = fresh_routing_id();
    dealer.set(zmq::sockopt::routing_id, zmq::buffer(id));
    // Never, in effect: the dial ends when its connection does. With -1, which says never, libzmq
    // throws away what had arrived before the connection ended.
    dealer.set(zmq::sockopt::reconnect_ivl, std::numeric_limits<int>::max());
    dealer.set(zmq::sockopt::connect_timeout, static_cast<int>(options.connect.count()));
    dealer.connect(endpoint);
  }

  std::string place() const { return server + " at " + endpoint; }
};

}  // namespace

struct ZmqControlClient::Impl {
  ZmqClientOptions options;
  zmq::context_t context{1};
  EndpointLoop loop{[this](int wait_ms) { turn(wait_ms); }};
  std::atomic<ConnId> next_conn{1};

  // The loop's own.
  std::unordered_map<ConnId, std::unique_ptr<Dial>> dials;
  std::vector<Dial*> order;  // as in fds
  std::vector<pollfd> fds;
  bool changed = true;   // fds and order do not match dials
  bool unread = false;   // some dial is to be looked at again
  bool waiting = false;  // some outbox is not empty

  explicit Impl(ZmqClientOptions given) : options(std::move(given)) {
    check_key(options.keys.public_key, "the client's public key");
    expect(public_key(options.keys.secret_key) == options.keys.public_key,
           "the client's public key does not belong to its secret key");
    context.set(zmq::ctxopt::max_sockets, 4096);
  }

  ~Impl() {
    loop.stop();
    for (const auto& [conn, dial] : dials) dial->dealer.set(zmq::sockopt::linger, linger_ms());
  }

  int linger_ms() const { return static_cast<int>(options.linger.count()); }

  void turn(int wait_ms) {
    if (changed) list();
    if (unread) {
      unread = false;
      for (Dial* dial : order) {
        if (std::exchange(dial->unread, false)) read(*dial);
      }
      if (unread) wait_ms = 0;
    }
    poll(fds.data(), fds.size(), wait_ms);
    for (std::size_t i = 0; i < order.size(); ++i) {
      Dial& dial = *order[i];
      if (fds[2 + 2 * i].revents != 0) read_monitor(dial);
      if (fds[1 + 2 * i].revents != 0 || dial.closing) read(dial);
    }
    if (waiting) flush();
    expire();
  }

  void list() {
    changed = false;
    std::erase_if(dials, [](const auto& entry) { return entry.second->over; });
    order.clear();
    fds.assign(1, {loop.wake_fd(), POLLIN, 0});
    for (const auto& [conn, dial] : dials) {
      order.push_back(dial.get());
      fds.push_back({dial->fd, POLLIN, 0});
      fds.push_back({dial->monitor_fd, POLLIN, 0});
    }
  }

  // The dealer's descriptor may not tell of messages that are there.
  void look_again(Dial& dial) {
    dial.unread = true;
    unread = true;
  }

  void connect_now(ConnId conn, const std::string& server, const std::string& endpoint,
                   const std::string& key) {
    try {
      dials.emplace(conn, std::make_unique<Dial>(context, options, conn, server, endpoint, key));
      changed = true;
      unread = true;
    } catch (const std::exception& error) {
      loop.report_gone(conn, server + ": cannot connect to " + endpoint + ": " + error.what());
    }
  }

  void read_monitor(Dial& dial) {
    while (const auto event = dial.monitor.next()) {
      switch (event->kind) {
        case ZMQ_EVENT_CONNECTED:
          dial.tcp = true;
          break;
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
          dial.up = true;
          break;
        case ZMQ_EVENT_CLOSED:
          if (!dial.tcp) close(dial, "connection refused at " + dial.endpoint);
          break;
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
          close(dial,
                "handshake failed: the server does not know our key; does its "
                "configuration name it?");
          break;
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
          close(dial,
                "handshake failed: is the server's key right, and does the server know "
                "ours?");
          break;
        case ZMQ_EVENT_DISCONNECTED:
          close(dial, dial.up ? "the connection was closed or fell silent"
                              : "the server closed the connection during the handshake");
          break;
        default:
          break;
      }
    }
  }

  // The first reason counts: a failed handshake also disconnects.
  void close(Dial& dial, const std::string& why) {
    if (std::exchange(dial.closing, true)) return;
    dial.why = dial.place() + ": " + why;
  }

  void end(Dial& dial, const std::string& why) {
    if (std::exchange(dial.over, true)) return;
    changed = true;
    if (!dial.dropped) loop.report_gone(dial.conn, why);
  }

  void read(Dial& dial) {
    zmq::message_t head;
    for (int i = 0; i < kBatch; ++i) {
      if (dial.over) return;
      if (!dial.dealer.recv(head, zmq::recv_flags::dontwait)) {
        dial.unread = false;
        if (dial.closing) end(dial, dial.why);
        return;
      }
      Received got = read_message(dial.dealer, head);
      if (dial.dropped) continue;
      if (!got.fault.empty()) {
        return end(dial, dial.place() + " sent " + got.fault);
      }
      const std::string fault = loop.deliver(dial.conn, dial.server, std::move(got.frames));
      if (!fault.empty() && !dial.over) {
        return end(dial, "a message of " + dial.place() + " could not be handled: " + fault);
      }
    }
    look_again(dial);
  }

  void expire() {
    const Clock::time_point now = Clock::now();
    for (Dial* dial : order) {
      if ((dial->up && !dial->dropped) || dial->over || now < dial->deadline) continue;
      end(*dial, dial->place() + ": no answer");
    }
  }

  void send_now(ConnId conn, Frames frames) {
    const auto found = dials.find(conn);
    if (found == dials.end() || found->second->over || found->second->dropped) return;
    Dial& dial = *found->second;
    look_again(dial);
    settle(dial, dial.outbox.send(dial.dealer, {}, std::move(frames)));
  }

  void settle(Dial& dial, Outbox::State state) {
    if (state == Outbox::State::kDone) {
      if (dial.dropped) end(dial, "");
    } else if (state == Outbox::State::kWaiting) {
      waiting = true;
      loop.hurry(kRetryMs);
    } else if (state == Outbox::State::kOverflow) {
      end(dial, dial.place() + " does not read: " + std::to_string(dial.outbox.waiting_bytes()) +
                    " bytes wait for it");
    } else if (state == Outbox::State::kGone) {
      end(dial, dial.place() + " is not connected any more");
    }
  }

  void flush() {
    waiting = false;
    for (Dial* dial : order) {
      if (dial->over || dial->outbox.idle()) continue;
      look_again(*dial);
      settle(*dial, dial->outbox.flush(dial->dealer, {}));
    }
  }

  void drop_now(ConnId conn) {
    const auto found = dials.find(conn);
    if (found == dials.end() || std::exchange(found->second->dropped, true)) return;
    Dial& dial = *found->second;
    dial.dealer.set(zmq::sockopt::linger, linger_ms());
    dial.deadline = Clock::now() + options.linger;
    if (dial.outbox.idle()) end(dial, "");
  }
};

ZmqControlClient::ZmqControlClient(ZmqClientOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}
ZmqControlClient::~ZmqControlClient() = default;

void ZmqControlClient::start(ControlEvents& events) { impl_->loop.start(events); }

ConnId ZmqControlClient::connect(const std::string& server, const std::string& endpoint,
                                 const std::string& key) {
  check_key(key, "public key of " + server);
  if (!endpoint.starts_with("tcp://")) {
    throw Error(Code::kInvalid, "endpoint of " + server + ": expected tcp://<host>:<port>, found " +
                                    endpoint.substr(0, 200));
  }
  const ConnId conn = impl_->next_conn++;
  auto task = [impl = impl_.get(), conn, server, endpoint, key] {
    impl->connect_now(conn, server, endpoint, key);
  };
  if (impl_->loop.here()) {
    task();
  } else {
    impl_->loop.post(std::move(task));
  }
  return conn;
}

void ZmqControlClient::send(ConnId conn, Frames frames) {
  check_frames(frames);
  if (impl_->loop.here()) {
    impl_->send_now(conn, std::move(frames));
  } else {
    impl_->loop.post([impl = impl_.get(), conn, parts = std::move(frames)]() mutable {
      impl->send_now(conn, std::move(parts));
    });
  }
}

void ZmqControlClient::drop(ConnId conn) {
  if (impl_->loop.here()) {
    impl_->drop_now(conn);
  } else {
    impl_->loop.post([impl = impl_.get(), conn] { impl->drop_now(conn); });
  }
}

void ZmqControlClient::wake() { impl_->loop.wake(); }

}  // namespace curia
