// A secure device of three real workers on this machine, its links sealed. The operands lie at the
// workers as secrets; a figure is the time from the driver's run() until every worker has said that
// it is done, so it is the slowest worker's and a round of the control link. Its limit is the
// floor: the bytes that a member has to send, at the rate of the bare sealed socket, and the
// arithmetic on its shares, at the rate of the bare loop.
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "bench/bare.h"
#include "bench/benches.h"
#include "bench/mpc_works.h"
#include "tests/support/process_cluster.h"

namespace curia::bench {
namespace {

const std::vector<std::string> kMembers = {"alice", "bob", "carol"};
constexpr std::int64_t kRecordBytes = 256 << 10;
constexpr std::int64_t kProbe = 64 << 20;  // bytes that tell the sealed rate
constexpr std::int64_t kLogregSteps = 500;
constexpr double kMiB = 1 << 20;

// The machine's side, measured between the works.
struct Machine {
  void measure() {
    warm_free_memory(2 * kProbe);
    rates.push_back(static_cast<double>(kProbe) /
                    bare_sealed_transfer(kProbe, kRecordBytes).seconds);
    pings.push_back(bare_ping(64, 5000));
  }
  std::vector<double> rates;  // bytes a second of the sealed socket
  std::vector<double> pings;  // seconds of a round trip
};

struct Found {
  double seconds = 0;
  std::map<std::string, double> rounds, bytes;  // by member, of one run
  double peak_mib = 0;                          // of the worker that used most
};

// From here on the peak of a process is what it uses from here on.
void forget_peak(pid_t pid) { std::ofstream("/proc/" + std::to_string(pid) + "/clear_refs") << 5; }

Refs share(Session& session, const MpcWork& work) {
  Program program("share");
  const Device abc = program.device("abc", kMembers);
  for (std::size_t i = 0; i < work.operands.size(); ++i) {
    const Ref plain = session.put("alice", work.operands[i]);
    program.output("x" + std::to_string(i), program.input(plain).to(abc));
  }
  Refs secrets = session.run(program);
  session.wait();
  return secrets;
}

PreparedPtr program_of(const MpcWork& work, const Refs& secrets) {
  Program program(work.name);
  Arrays operands;
  for (const auto& [name, ref] : secrets) operands.push_back(program.input(ref));
  program.output("y", work.body(operands));
  return prepare(program);
}

Found measure(const MpcWork& work, int runs, Machine& machine) {
  const ProcessCluster cluster({{"alice", {}}, {"bob", {}}, {"carol", {}}});
  Session session = cluster.connect();
  const Refs secrets = share(session, work);
  const PreparedPtr program = program_of(work, secrets);
  Found found;
  std::vector<double> seconds;
  for (int i = 0; i <= runs; ++i) {  // the first one makes connections and touches memory
    if (i == 1) {
      for (const std::string& party : kMembers) forget_peak(cluster.pid(party));
    }
    const Clock clock;
    const Refs refs = session.run(program);
    session.wait();
    if (i > 0) seconds.push_back(clock.seconds());
    if (i < runs) continue;
    for (const auto& [party, ops] : session.measured(refs["y"].facts().task)) {
      for (const MpcUse& use : ops) {
        found.rounds[party] += static_cast<double>(use.rounds);
        found.bytes[party] += static_cast<double>(use.bytes);
      }
    }
    machine.measure();
  }
  for (const std::string& party : kMembers) {
    found.peak_mib =
        std::max(found.peak_mib, static_cast<double>(peak_memory(cluster.pid(party))) / kMiB);
  }
  found.seconds = median(seconds);
  return found;
}

void add_figures(const MpcWork& work, const Found& found, const Machine& machine,
                 std::vector<Figure>& figures) {
  double most = 0;
  double rounds = 0;
  for (const auto& [party, bytes] : found.bytes) most = std::max(most, bytes);
  for (const auto& [party, count] : found.rounds) rounds = std::max(rounds, count);
  // One dependent round is at least half a ping-pong.
  const double waiting = rounds * median(machine.pings) / 2;
  const double sending = most / median(machine.rates);
  const double limit = (std::max(waiting, sending) + work.arithmetic()) / work.repeats;
  Figure figure = of_time(work.name, found.seconds / work.repeats, limit,
                          work.goal > 0 ? limit / work.goal : 0);
  if (work.goal > 0) figure.details.emplace_back("goal_s", work.goal);
  figure.details.emplace_back("rounds", rounds / work.repeats);
  for (const auto& [party, bytes] : found.bytes) {
    figure.details.emplace_back("bytes_per_element_" + party, bytes / work.repeats / work.elements);
  }
  figure.details.emplace_back("peak_mib", found.peak_mib);
  figures.push_back(std::move(figure));
  if (work.goal_mib > 0) {
    figures.push_back(of_memory(work.name + "_memory", found.peak_mib, work.goal_mib));
  }
}

}  // namespace

std::vector<Figure> bench_mpc(int runs, const MpcSizes& sizes) {
  std::vector<Figure> figures;
  Machine machine;
  const std::int64_t steps = one_size(sizes, "logreg_step", kLogregSteps);
  for (const auto& make : mpc_works(sizes)) {
    const MpcWork work = make();
    add_figures(work, measure(work, runs, machine), machine, figures);
  }
  figures.push_back(bench_logreg_step(runs, steps));
  return figures;
}

}  // namespace curia::bench
