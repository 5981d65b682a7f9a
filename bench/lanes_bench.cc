// A lane of the data link against what it is made of: a ping-pong of 64 bytes against bare TCP, and
// 256 MiB against bare TCP whose records are sealed by AES-256-GCM. Loopback, two processes.
//
// Every figure is the median of several runs, lane and bare in turn, so that both meet the same
// machine. The ratio is bare time / lane time: 1 is a lane that costs nothing.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "bench/bare.h"
#include "bench/benches.h"
#include "protocol/link/data_link.h"

namespace curia::bench {
namespace {

constexpr std::int64_t kPingBytes = 64;
constexpr int kPingRounds = 20000;
constexpr std::int64_t kTransferBytes = 256 << 20;
constexpr std::int64_t kRecordBytes = 256 << 10;
constexpr double kPingTarget = 0.7;
constexpr double kTransferTarget = 0.7;

SteadyTime never() { return std::chrono::steady_clock::now() + std::chrono::minutes(10); }

Tag step(std::uint32_t number) { return {1, 0, number}; }

// Both ends of a connected lane in two processes: `child` runs in a fork, `parent` here.
double with_lanes(const std::function<void(Lane&)>& child,
                  const std::function<double(Lane&)>& parent) {
  const Pipe pipe;
  const SessionId session{1};
  const pid_t pid = fork();
  if (pid == 0) {
    DataLinkOptions options;
    options.self = "bob";
    DataLink link(options);
    pipe.child().put(link.port());
    pipe.child().put(link.answer("alice", pipe.child().get<DialRequest>()));
    const auto lane = link.lane(session, "alice");
    child(*lane);
    link.flush(never());
    pipe.child().get<char>();
    _exit(0);
  }
  DataLinkOptions options;
  options.self = "alice";
  options.port = -1;
  DataLink link(options);
  const int port = pipe.parent().get<int>();
  const DialRequest request = DataLink::make_dial("bob");
  pipe.parent().put(request);
  link.dial("bob", "127.0.0.1", port, request, pipe.parent().get<DialAnswer>());
  const double seconds = parent(*link.lane(session, "bob"));
  link.flush(never());
  pipe.parent().put('x');
  waitpid(pid, nullptr, 0);
  return seconds;
}

double lane_ping() {
  const Slice ball = Slice::copy_of(std::string(kPingBytes, 'p'));
  const std::uint32_t rounds = kPingRounds + 1000;
  const auto child = [&](Lane& lane) {
    for (std::uint32_t i = 0; i < rounds; ++i) {
      lane.send(step(i), {}, {lane.recv(step(i), kPingBytes, never()).body});
    }
  };
  const auto parent = [&](Lane& lane) {
    Clock clock;
    for (std::uint32_t i = 0; i < rounds; ++i) {
      if (i == 1000) clock = Clock();
      lane.send(step(i), {}, {ball});
      lane.recv(step(i), kPingBytes, never());
    }
    return clock.seconds() / kPingRounds;
  };
  return with_lanes(child, parent);
}

double lane_transfer() {
  const auto child = [](Lane& lane) {
    for (std::uint32_t i = 0; i < 2; ++i) {
      const Message got = lane.recv(step(i), kTransferBytes, never());
      lane.send(step(i), {}, {});
    }
  };
  const auto parent = [](Lane& lane) {
    const auto source = filled(kTransferBytes);
    lane.send(step(0), {}, {Slice(source).part(0, 8 << 20)});  // warms up
    lane.recv(step(0), 0, never());
    const Clock clock;
    lane.send(step(1), {}, {Slice(source)});
    lane.recv(step(1), 0, never());
    return clock.seconds();
  };
  return with_lanes(child, parent);
}

}  // namespace

std::vector<Figure> bench_lanes(int runs) {
  std::vector<double> ping, bare_ping_times, transfer, bare_transfer_times;
  for (int i = 0; i < runs; ++i) {
    bare_ping_times.push_back(bare_ping(kPingBytes, kPingRounds));
    ping.push_back(lane_ping());
    warm_free_memory(2 * kTransferBytes);
    bare_transfer_times.push_back(bare_sealed_transfer(kTransferBytes, kRecordBytes).seconds);
    warm_free_memory(2 * kTransferBytes);
    transfer.push_back(lane_transfer());
  }
  return {of_time("lane_round", median(ping), median(bare_ping_times), kPingTarget),
          of_time("lane_transfer", median(transfer), median(bare_transfer_times), kTransferTarget)};
}

}  // namespace curia::bench
