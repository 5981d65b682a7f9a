#include "bench/mpc_world.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include "bench/bare.h"
#include "bench/report.h"
#include "protocol/error.h"
#include "protocol/link/data_link.h"

namespace curia::bench {
namespace {

constexpr int kMembers = 3;
const char* const kNames[kMembers] = {"alice", "bob", "carol"};

SteadyTime never() { return std::chrono::steady_clock::now() + std::chrono::minutes(10); }

// Messages of one run, numbered in each direction.
class LaneNet final : public MpcNet {
 public:
  LaneNet(int rank, std::array<std::shared_ptr<Lane>, kMembers> lanes)
      : rank_(rank), lanes_(std::move(lanes)) {}

  void start(std::uint32_t op) {
    op_ = op;
    sent_ = received_ = {};
  }
  int rank() const override { return rank_; }
  void send(int to, Slice message) override {
    lane(to).send({1, op_, sent_[static_cast<std::size_t>(to)]++}, {}, {std::move(message)});
  }
  Slice recv(int from, std::int64_t bytes) override {
    const Tag tag{1, op_, received_[static_cast<std::size_t>(from)]++};
    Slice body = lane(from).recv(tag, bytes, never()).body;
    if (body.size != bytes) throw Error(Code::kCorrupt, "a message has the wrong size");
    return body;
  }

 private:
  Lane& lane(int peer) { return *lanes_[static_cast<std::size_t>(peer)]; }

  const int rank_;
  std::array<std::shared_ptr<Lane>, kMembers> lanes_;
  std::uint32_t op_ = 0;
  std::array<std::uint32_t, kMembers> sent_{}, received_{};
};

double peak_mib() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    if (word != "VmHWM:") continue;
    double kib = 0;
    status >> kib;
    return kib / 1024;
  }
  return 0;
}

// Key of the members j and j - 1, the same in every run: only the speed matters here.
std::array<std::uint8_t, 32> key(int j) { return {static_cast<std::uint8_t>(j % kMembers + 1)}; }

void member(int rank, int runs, const MpcWork& setup,
            const std::array<std::array<const Pipe*, kMembers>, kMembers>& pair,
            const Pipe::End& parent) {
  DataLinkOptions options;
  options.self = kNames[rank];
  DataLink link(options);
  for (int low = 0; low < kMembers; ++low) {
    for (int high = low + 1; high < kMembers; ++high) {
      if (rank == low) {
        const auto end =
            pair[static_cast<std::size_t>(low)][static_cast<std::size_t>(high)]->parent();
        const int port = end.get<int>();
        const DialRequest request = DataLink::make_dial(kNames[high]);
        end.put(request);
        link.dial(kNames[high], "127.0.0.1", port, request, end.get<DialAnswer>());
      } else if (rank == high) {
        const auto end =
            pair[static_cast<std::size_t>(low)][static_cast<std::size_t>(high)]->child();
        end.put(link.port());
        end.put(link.answer(kNames[low], end.get<DialRequest>()));
      }
    }
  }
  const SessionId session{1};
  std::array<std::shared_ptr<Lane>, kMembers> lanes;
  for (int peer = 0; peer < kMembers; ++peer) {
    if (peer != rank) lanes[static_cast<std::size_t>(peer)] = link.lane(session, kNames[peer]);
  }
  LaneNet net(rank, lanes);
  const MpcSeeds seeds{key(rank + 1), key(rank)};
  const auto protocol = make_replicated(net, seeds);
  std::uint32_t op = 0;
  double used = 0;
  const std::function<void()> work = setup(*protocol);
  for (int i = 0; i <= runs; ++i) {  // the first one warms up
    net.start(++op);
    protocol->begin(op, 0, nullptr);
    parent.put('r');
    parent.get<char>();
    const Clock clock;
    work();
    parent.put(clock.seconds());
    link.flush(never());
    if (i == 0) used = cpu_seconds();
  }
  parent.put((cpu_seconds() - used) / runs);
  parent.put(peak_mib());
  parent.get<char>();
}

}  // namespace

MpcRun run_members(int runs, const MpcWork& setup) {
  const Pipe pipes[3];
  const std::array<std::array<const Pipe*, kMembers>, kMembers> pair = {
      {{nullptr, &pipes[0], &pipes[1]}, {nullptr, nullptr, &pipes[2]}, {}}};
  const Pipe control[kMembers];
  std::array<pid_t, kMembers> pids{};
  for (int rank = 0; rank < kMembers; ++rank) {
    pids[static_cast<std::size_t>(rank)] = fork();
    if (pids[static_cast<std::size_t>(rank)] != 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
      member(rank, runs, setup, pair, control[rank].child());
    } catch (const Error& error) {
      std::fprintf(stderr, "member %s: %s\n", kNames[rank], error.what());
      _exit(1);
    }
    _exit(0);
  }
  std::vector<double> seconds;
  for (int i = 0; i <= runs; ++i) {
    for (const Pipe& pipe : control) pipe.parent().get<char>();
    for (const Pipe& pipe : control) pipe.parent().put('g');
    double slowest = 0;
    for (const Pipe& pipe : control) slowest = std::max(slowest, pipe.parent().get<double>());
    if (i > 0) seconds.push_back(slowest);
  }
  MpcRun result{median(seconds)};
  for (const Pipe& pipe : control) {
    result.cpu += pipe.parent().get<double>();
    result.peak_mib = std::max(result.peak_mib, pipe.parent().get<double>());
  }
  for (const Pipe& pipe : control) pipe.parent().put('x');
  for (const pid_t pid : pids) waitpid(pid, nullptr, 0);
  return result;
}

}  // namespace curia::bench
