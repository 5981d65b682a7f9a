// The control plane beside bare ZeroMQ: the same echo, the same keys, over loopback.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <vector>

#include "bench/bare.h"
#include "bench/bare_zmq.h"
#include "bench/fork_peer.h"
#include "bench/report.h"
#include "protocol/link/zmq_control.h"

namespace curia::bench {
namespace {

constexpr int kRounds = 20000;
constexpr int kMessages = 100000;
constexpr int kUnderWay = 1000;

using SteadyClock = std::chrono::steady_clock;

// Sends every message back from within on_frames(); payloads of more than a page are swallowed.
class Echo : public ControlEvents {
 public:
  explicit Echo(ControlServer& server) : server_(server) {}
  void on_frames(ConnId conn, const std::string&, Frames frames) override {
    if (frames.payload.empty()) server_.send(conn, std::move(frames));
  }
  void on_gone(ConnId, const std::string&) override {}
  void on_tick() override {}

 private:
  ControlServer& server_;
};

// Calls `answered` on the client's thread for every message that comes back.
class Answers : public ControlEvents {
 public:
  std::function<void(ConnId)> answered;
  void on_frames(ConnId conn, const std::string&, Frames) override { answered(conn); }
  void on_gone(ConnId, const std::string& why) override {
    std::fprintf(stderr, "the connection ended: %s\n", why.c_str());
    std::exit(1);
  }
  void on_tick() override {}
};

// Counts what happens on another thread.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    ++open_;
    changed_.notify_one();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return open_ > 0; });
    --open_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int open_ = 0;
};

struct Session {
  KeyPair server_keys = generate_keys();
  KeyPair client_keys = generate_keys();
  ForkPeer peer{[this](const auto& say) {
    ZmqServerOptions options;
    options.keys = server_keys;
    options.principals[client_keys.public_key] = "alice";
    ZmqControlServer server(options);
    Echo echo(server);
    server.start(echo);
    say(server.endpoint());
    pause();
  }};
  Answers answers;
  ZmqControlClient client{{client_keys}};
  ConnId conn = 0;

  explicit Session(std::function<void(ConnId)> answered) {
    answers.answered = std::move(answered);
    client.start(answers);
    conn = client.connect("bob", peer.said(), server_keys.public_key);
  }
};

const Frames& small() {
  static const Frames frames{std::string(kSmallMessage, 'x'), {}};
  return frames;
}

double seconds_since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

// The next message leaves from within on_frames().
double inner_rtt_seconds() {
  std::vector<double> times;
  Gate done;
  SteadyClock::time_point start;
  Session* session = nullptr;
  Session own([&](ConnId conn) {
    times.push_back(seconds_since(start));
    if (times.size() == kRounds) return done.open();
    start = SteadyClock::now();
    session->client.send(conn, small());
  });
  session = &own;
  own.client.send(own.conn, small());
  done.pass();
  return median(std::move(times));
}

// Every message is sent, and its answer awaited, by a thread that is not the endpoint's.
double outer_rtt_seconds() {
  Gate gate;
  Session session([&](ConnId) { gate.open(); });
  std::vector<double> times;
  for (int i = 0; i < kRounds; ++i) {
    const auto start = SteadyClock::now();
    session.client.send(session.conn, small());
    gate.pass();
    times.push_back(seconds_since(start));
  }
  return median(std::move(times));
}

double echo_rate() {
  Gate done;
  int received = -1;  // the first is not counted: it connects
  int sent = 0;
  Session* session = nullptr;
  SteadyClock::time_point start;
  double rate = 0;
  Session own([&](ConnId conn) {
    if (++received == 0) start = SteadyClock::now();
    while (sent < kMessages && sent - received < kUnderWay) {
      session->client.send(conn, small());
      ++sent;
    }
    if (received < kMessages) return;
    rate = kMessages / seconds_since(start);
    done.open();
  });
  session = &own;
  own.client.send(own.conn, small());
  done.pass();
  return rate;
}

// All sent from another thread at once, as fast as it can.
double outer_rate() {
  Gate connected;
  Gate done;
  int received = -1;
  Session session([&](ConnId) {
    if (++received == 0) connected.open();
    if (received == kMessages) done.open();
  });
  session.client.send(session.conn, small());
  connected.pass();
  const auto start = SteadyClock::now();
  for (int i = 0; i < kMessages; ++i) session.client.send(session.conn, small());
  done.pass();
  return kMessages / seconds_since(start);
}

double chunk_rate_bytes(std::int64_t size) {
  Gate gate;
  Session session([&](ConnId) { gate.open(); });
  session.client.send(session.conn, small());
  gate.pass();
  const Slice chunk(BufferPtr(Buffer::allocate(size)));
  const std::int64_t count = (std::int64_t{512} << 20) / size;
  const std::int64_t burst = std::max<std::int64_t>((32 << 20) / size, 1);
  const auto start = SteadyClock::now();
  for (std::int64_t i = 0; i < count; ++i) {
    session.client.send(session.conn, {"chunk", {chunk}});
    if ((i + 1) % burst == 0 || i + 1 == count) {
      session.client.send(session.conn, small());
      // One burst may be under way while the next is queued.
      if (i + 1 > burst) gate.pass();
    }
  }
  gate.pass();
  return static_cast<double>(count * size) / seconds_since(start);
}

// A measurement repeated, alternating with its limit: medians, and what both ends cost in all.
struct Beside {
  double value = 0;
  double limit = 0;
  double value_cpu = 0;
  double limit_cpu = 0;
};

Beside measure(int runs, const std::function<double()>& ours, const std::function<double()>& bare) {
  std::vector<double> values, limits, value_cpu, limit_cpu;
  const auto once = [](const auto& run, std::vector<double>& times, std::vector<double>& cpu) {
    const double before = cpu_seconds();
    times.push_back(run());
    cpu.push_back(cpu_seconds() - before);
  };
  for (int i = 0; i < runs; ++i) {
    once(bare, limits, limit_cpu);
    once(ours, values, value_cpu);
  }
  return {median(values), median(limits), median(value_cpu), median(limit_cpu)};
}

void print(const char* what, double value, double limit, const char* unit) {
  std::printf("%-40s %10.1f %10.1f %-8s %5.2f\n", what, value, limit, unit, value / limit);
  std::fflush(stdout);
}

void run(int runs) {
  std::printf("%-40s %10s %10s %-8s %5s\n", "control plane, CURVE, loopback", "Curia", "bare", "",
              "ratio");
  const auto times = [&](const char* what, const std::function<double()>& ours) {
    const Beside result = measure(runs, ours, bare_echo_rtt_seconds);
    print(what, result.value * 1e6, result.limit * 1e6, "us");
    print("  CPU of both ends", result.value_cpu / kRounds * 1e6, result.limit_cpu / kRounds * 1e6,
          "us");
  };
  times("round trip, from on_frames()", inner_rtt_seconds);
  times("round trip, from another thread", outer_rtt_seconds);
  const auto rates = [&](const char* what, const std::function<double()>& ours) {
    const Beside result = measure(runs, ours, bare_echo_rate);
    print(what, result.value * 1e-3, result.limit * 1e-3, "k/s");
    print("  CPU of both ends", result.value_cpu / kMessages * 1e6,
          result.limit_cpu / kMessages * 1e6, "us");
  };
  rates("echo rate, from on_frames()", echo_rate);
  rates("echo rate, from another thread", outer_rate);
  for (const std::int64_t size : {64 << 10, 1 << 20}) {
    const Beside result = measure(
        runs, [&] { return chunk_rate_bytes(size); },
        [&] { return bare_curve_chunk_rate_bytes(size); });
    const std::string what = "one way, chunks of " + std::to_string(size >> 10) + " KiB";
    print(what.c_str(), result.value * 1e-6, result.limit * 1e-6, "MB/s");
  }
}

}  // namespace
}  // namespace curia::bench

int main(int argc, char** argv) {
  curia::bench::run(argc > 1 ? std::max(1, std::atoi(argv[1])) : 5);
  return 0;
}
