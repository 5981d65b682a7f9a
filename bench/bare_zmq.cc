#include "bench/bare_zmq.h"

#include <zmq.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "bench/fork_peer.h"

namespace curia::bench {
namespace {

constexpr int kRounds = 20000;
constexpr int kMessages = 100000;
constexpr int kUnderWay = 1000;  // messages sent and not yet echoed

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Keys {
  std::array<char, 41> open{};
  std::array<char, 41> secret{};
  Keys() { zmq_curve_keypair(open.data(), secret.data()); }
};

void check(bool ok) {
  if (!ok) throw std::runtime_error(std::string("ZeroMQ: ") + zmq_strerror(zmq_errno()));
}

// A context with one socket.
struct Socket {
  void* context = zmq_ctx_new();
  void* socket;
  explicit Socket(int type) : socket(zmq_socket(context, type)) {
    const int zero = 0;
    zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero);
    const int queue = 4 * kUnderWay;  // a ROUTER drops what does not fit
    zmq_setsockopt(socket, ZMQ_SNDHWM, &queue, sizeof queue);
    zmq_setsockopt(socket, ZMQ_RCVHWM, &queue, sizeof queue);
  }
  ~Socket() {
    zmq_close(socket);
    zmq_ctx_term(context);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
};

// Echoes every message, or swallows all but those of one byte.
[[noreturn]] void serve(const Keys& keys, bool swallow,
                        const std::function<void(std::string)>& say) {
  Socket router(ZMQ_ROUTER);
  const int one = 1;
  zmq_setsockopt(router.socket, ZMQ_CURVE_SERVER, &one, sizeof one);
  zmq_setsockopt(router.socket, ZMQ_CURVE_SECRETKEY, keys.secret.data(), 41);
  zmq_bind(router.socket, "tcp://127.0.0.1:*");
  std::array<char, 128> endpoint{};
  std::size_t size = endpoint.size();
  zmq_getsockopt(router.socket, ZMQ_LAST_ENDPOINT, endpoint.data(), &size);
  say(endpoint.data());
  zmq_msg_t id;
  zmq_msg_t body;
  zmq_msg_init(&id);
  zmq_msg_init(&body);
  while (true) {
    zmq_msg_recv(&id, router.socket, 0);
    zmq_msg_recv(&body, router.socket, 0);
    if (swallow && zmq_msg_size(&body) != 1) continue;
    zmq_msg_send(&id, router.socket, ZMQ_SNDMORE);
    zmq_msg_send(&body, router.socket, 0);
  }
}

void connect(const Socket& dealer, const Keys& server, const std::string& endpoint) {
  const Keys own;
  check(zmq_setsockopt(dealer.socket, ZMQ_CURVE_SERVERKEY, server.open.data(), 41) == 0);
  check(zmq_setsockopt(dealer.socket, ZMQ_CURVE_PUBLICKEY, own.open.data(), 41) == 0);
  check(zmq_setsockopt(dealer.socket, ZMQ_CURVE_SECRETKEY, own.secret.data(), 41) == 0);
  check(zmq_connect(dealer.socket, endpoint.c_str()) == 0);
}

void send(const Socket& dealer, const std::vector<char>& bytes) {
  check(zmq_send(dealer.socket, bytes.data(), bytes.size(), 0) >= 0);
}

void receive(const Socket& dealer) {
  zmq_msg_t body;
  zmq_msg_init(&body);
  check(zmq_msg_recv(&body, dealer.socket, 0) >= 0);
  zmq_msg_close(&body);
}

}  // namespace

double bare_echo_rtt_seconds() {
  const Keys keys;
  const ForkPeer peer([&](const auto& say) { serve(keys, false, say); });
  const Socket dealer(ZMQ_DEALER);
  connect(dealer, keys, peer.said());
  const std::vector<char> small(kSmallMessage);
  std::vector<double> times;
  for (int i = 0; i < kRounds; ++i) {
    const auto start = Clock::now();
    send(dealer, small);
    receive(dealer);
    times.push_back(seconds_since(start));
  }
  std::nth_element(times.begin(), times.begin() + kRounds / 2, times.end());
  return times[kRounds / 2];
}

double bare_echo_rate() {
  const Keys keys;
  const ForkPeer peer([&](const auto& say) { serve(keys, false, say); });
  const Socket dealer(ZMQ_DEALER);
  connect(dealer, keys, peer.said());
  const std::vector<char> small(kSmallMessage);
  send(dealer, small);
  receive(dealer);  // connected
  const auto start = Clock::now();
  int sent = 0;
  for (int received = 0; received < kMessages; ++received) {
    while (sent < kMessages && sent - received < kUnderWay) {
      send(dealer, small);
      ++sent;
    }
    receive(dealer);
  }
  return kMessages / seconds_since(start);
}

double bare_curve_chunk_rate_bytes(std::int64_t size) {
  const Keys keys;
  const ForkPeer peer([&](const auto& say) { serve(keys, true, say); });
  const Socket dealer(ZMQ_DEALER);
  const int queue = static_cast<int>(std::clamp<std::int64_t>((64 << 20) / size, 2, 1000));
  check(zmq_setsockopt(dealer.socket, ZMQ_SNDHWM, &queue, sizeof queue) == 0);
  connect(dealer, keys, peer.said());
  const std::vector<char> chunk(static_cast<std::size_t>(size));
  const std::vector<char> ask(1);
  send(dealer, ask);
  receive(dealer);  // connected
  const std::int64_t count = std::max<std::int64_t>((std::int64_t{512} << 20) / size, 1);
  const auto start = Clock::now();
  for (std::int64_t i = 0; i < count; ++i) send(dealer, chunk);
  send(dealer, ask);
  receive(dealer);
  return static_cast<double>(count * size) / seconds_since(start);
}

}  // namespace curia::bench
