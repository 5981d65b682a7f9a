#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>

#include "bench/bare_zmq.h"
#include "bench/benches.h"
#include "tests/support/process_cluster.h"

namespace curia::bench {
namespace {

constexpr int kSequentialRuns = 2000;
constexpr int kPipelinedRuns = 100'000;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// One op on a reference, its result dropped at once.
struct OneOp {
  explicit OneOp(Session& session)
      : input(session.put("alice", Tensor::of<double>({4}, std::vector<double>{1, 2, 3, 4}))) {
    Program program("one_op");
    program.output("y", program.input("x", input.type()) + 1.0);
    prepared = prepare(program);
  }
  Ref input;
  PreparedPtr prepared;
};

double run_rtt(Session& session, const OneOp& op) {
  std::vector<double> times;
  for (int i = 0; i < kSequentialRuns; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const Refs refs = session.run(op.prepared, {{"x", op.input}});
    session.wait();
    times.push_back(seconds_since(start));
  }
  return median(times);
}

double run_rate(Session& session, const OneOp& op) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kPipelinedRuns; ++i) session.run(op.prepared, {{"x", op.input}});
  session.wait();
  return kPipelinedRuns / seconds_since(start);
}

constexpr int kConsents = 300;

// Appending as many bytes as the record of a consent takes, and syncing them, in `folder`.
double append_and_sync(const std::string& folder) {
  const std::string path = folder + "/bench.sync";
  const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) throw Error(Code::kFailed, "cannot make " + path);
  std::array<char, 700> record{};
  std::vector<double> times;
  for (int i = 0; i < kConsents; ++i) {
    const auto start = std::chrono::steady_clock::now();
    if (::write(fd, record.data(), record.size()) < 0 || ::fdatasync(fd) != 0) break;
    times.push_back(seconds_since(start));
  }
  ::close(fd);
  ::unlink(path.c_str());
  if (times.empty()) throw Error(Code::kFailed, "cannot write " + path);
  return median(times);
}

// A small fetch to which the owner, at whose worker the value is, has to agree.
double consent_seconds(Session& session) {
  Program program("rows");
  program.output("rows", program.dataset(session.dataset("alice", "x")));
  const Ref ref = session.run(program)["rows"];
  session.fetch(ref);
  std::vector<double> times;
  for (int i = 0; i < kConsents; ++i) {
    const auto start = std::chrono::steady_clock::now();
    session.fetch(ref);
    times.push_back(seconds_since(start));
  }
  return median(times);
}

constexpr int kBatch = 50'000;
constexpr int kLive = 1'000'000;
constexpr double kReleaseRate = 500'000;

std::int64_t objects_at(Session& session, const std::string& party) {
  for (const StatsEntry& entry : session.stats(party)) {
    if (entry.name == "objects") return entry.value;
  }
  return -1;
}

}  // namespace

std::vector<Figure> bench_runs(int runs) {
  std::vector<double> rtt, rtt_limit, rate, rate_limit, consent, consent_limit;
  for (int i = 0; i < runs; ++i) {
    rtt_limit.push_back(bare_echo_rtt_seconds());
    rate_limit.push_back(bare_echo_rate());
    ProcessParty alice;
    alice.csv = {{"x", "v\n1\n2\n"}};
    alice.grants = R"([{"source": "x", "to": "dora"}])";
    ProcessCluster cluster(std::map<std::string, ProcessParty>{{"alice", alice}});
    Session session = cluster.connect();
    const OneOp op(session);
    session.wait();
    rtt.push_back(run_rtt(session, op));
    rate.push_back(run_rate(session, op));
    consent.push_back(consent_seconds(session));
    consent_limit.push_back(rtt_limit.back() + append_and_sync(cluster.folder()));
  }
  return {of_time("run_rtt", median(rtt), median(rtt_limit), 0.5),
          of_rate("run_pipelined", "1/s", median(rate), median(rate_limit), 0.3),
          of_time("consent", median(consent), median(consent_limit), 0.5)};
}

std::vector<Figure> bench_objects(int runs) {
  const auto put_and_release = [](Session& session) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kBatch; ++i) session.put("alice", Tensor::scalar<std::int64_t>(i));
    session.wait();
    return kBatch / seconds_since(start);
  };
  std::vector<double> few, many, released;
  for (int i = 0; i < runs; ++i) {
    ProcessCluster cluster(std::map<std::string, ProcessParty>{{"alice", {}}});
    Session session = cluster.connect();
    std::vector<Ref> live;
    const auto grow = [&](int size) {
      while (static_cast<int>(live.size()) < size) {
        live.push_back(session.put("alice", Tensor::scalar<std::int64_t>(7)));
      }
      session.wait();
    };
    grow(1'000);
    few.push_back(put_and_release(session));
    grow(kLive);
    many.push_back(put_and_release(session));
    const auto start = std::chrono::steady_clock::now();
    live.clear();
    session.wait();  // behind the releases
    released.push_back(kLive / seconds_since(start));
    if (objects_at(session, "alice") != 0) {
      throw Error(Code::kFailed, "released objects are still there");
    }
  }
  return {of_rate("objects", "1/s", median(many), median(few), 0.67),
          of_rate("release", "1/s", median(released), kReleaseRate, 1)};
}

}  // namespace curia::bench
