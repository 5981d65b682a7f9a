// Steps of logistic regression by stochastic gradient descent on a secure device of three real
// workers: many small dependent ops, so rounds count and not bytes.
#include <algorithm>
#include <chrono>
#include <map>

#include "bench/bare.h"
#include "bench/benches.h"
#include "tests/support/process_cluster.h"

namespace curia::bench {
namespace {

constexpr std::int64_t kBatch = 128;
constexpr std::int64_t kFeatures = 100;
constexpr double kGoal = 1.0 / 600;  // seconds a step

PreparedPtr steps_program(const Ref& x, const Ref& y, std::int64_t steps) {
  Program program("logreg_steps");
  const Device abc = program.device("abc", {"alice", "bob", "carol"});
  const Array rows = program.input(x).to(abc);
  const Array truth = program.input(y).to(abc);
  const Array start = program.constant("alice", Tensor::scalar(0.0)).broadcast({kFeatures}).to(abc);
  const auto step = [&](const Arrays& state, const Index&) {
    const Array z = matmul(rows, state[0]);
    const Array guess = program.op("sigmoid", "abc", {z}, {{"pieces", std::int64_t{3}}})[0];
    const Array slope = matmul(rows.transpose(), guess - truth);
    return Arrays{state[0] - slope * (0.1 / static_cast<double>(kBatch))};
  };
  program.output("weights", for_loop(steps, {start}, step)[0]);
  return prepare(program);
}

double seconds_of(Session& session, const PreparedPtr& program, std::uint64_t& task) {
  const auto start = std::chrono::steady_clock::now();
  const Refs refs = session.run(program);
  session.wait();
  const auto end = std::chrono::steady_clock::now();
  task = refs["weights"].facts().task;
  return std::chrono::duration<double>(end - start).count();
}

}  // namespace

Figure bench_logreg_step(int runs, std::int64_t steps) {
  std::vector<double> seconds, pings;
  double rounds = 0;
  std::map<std::string, double> bytes;
  for (int i = 0; i < runs; ++i) {
    pings.push_back(bare_ping(64, 5000));
    ProcessCluster cluster({{"alice", {}}, {"bob", {}}, {"carol", {}}});
    Session session = cluster.connect();
    std::vector<double> x(static_cast<std::size_t>(kBatch * kFeatures));
    std::vector<double> y(static_cast<std::size_t>(kBatch));
    for (std::size_t k = 0; k < x.size(); ++k) x[k] = static_cast<double>(k * 37 % 200) / 100 - 1;
    for (std::size_t k = 0; k < y.size(); ++k) y[k] = static_cast<double>(k % 2);
    const Ref rows = session.put("alice", Tensor::of<double>({kBatch, kFeatures}, x));
    const Ref truth = session.put("bob", Tensor::of<double>({kBatch}, y));
    std::uint64_t task = 0;
    seconds_of(session, steps_program(rows, truth, 1), task);  // connections, first touches
    seconds.push_back(seconds_of(session, steps_program(rows, truth, steps), task) /
                      static_cast<double>(steps));
    rounds = 0;
    bytes.clear();
    for (const auto& [party, uses] : session.measured(task)) {
      double chain = 0;
      for (const MpcUse& use : uses) {
        if (use.runs < steps) continue;  // not of the loop's body
        chain += static_cast<double>(use.rounds) / static_cast<double>(steps);
        bytes[party] += static_cast<double>(use.bytes) / static_cast<double>(steps);
      }
      rounds = std::max(rounds, chain);
    }
  }
  const double limit = rounds * median(pings) / 2;
  Figure figure = of_time("logreg_step", median(seconds), limit, limit / kGoal);
  figure.details = {
      {"steps_per_second", 1 / median(seconds)}, {"goal_s", kGoal}, {"rounds", rounds}};
  for (const auto& [party, sent] : bytes) figure.details.emplace_back("bytes_" + party, sent);
  return figure;
}

}  // namespace curia::bench
