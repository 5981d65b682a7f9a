// Workers whose memory is too small for what is asked of them.
#include <doctest/doctest.h>

#include <filesystem>

#include "tests/support/process_cluster.h"
#include "tests/system/helpers.h"

using namespace curia;

namespace {

constexpr std::int64_t kQuotaMib = 64;
// What was freed stays with sanitizers for a while.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::int64_t kMostBesideMib = 1024;
#else
constexpr std::int64_t kMostBesideMib = 64;
#endif
constexpr std::int64_t kElements = 1 << 20;  // 8 MiB
constexpr int kObjects = 80;                 // ten times the quota

ProcessCluster small_memory() {
  std::map<std::string, ProcessParty> one;
  one["alice"].extra = {{"memory_quota_mib", std::to_string(kQuotaMib)},
                        {"spill_quota_mib", "1024"}};
  return ProcessCluster(std::move(one));
}

// All its elements hang on `seed`.
Ref make(Session& session, std::int64_t seed) {
  Program program("make");
  program.output("out", program.iota("alice", kElements) * seed);
  return session.run(program)["out"];
}

std::int64_t files(const ProcessCluster& cluster) {
  const std::string folder = cluster.folder() + "/state-alice/spill";
  return std::distance(std::filesystem::directory_iterator(folder), {});
}

}  // namespace

TEST_CASE("Spill: ten times the memory quota is computed, used and fetched, each value intact") {
  ProcessCluster cluster = small_memory();
  Session session = cluster.connect();
  const std::int64_t before = peak_memory(cluster.pid("alice"));
  std::vector<Ref> refs;
  for (int i = 0; i < kObjects; ++i) refs.push_back(make(session, i + 1));
  session.wait();
  CHECK(stat(session, "alice", "spilled_objects") > kObjects * 8 / 10);
  CHECK(stat(session, "alice", "memory_bytes") <= (kQuotaMib << 20));
  CHECK(files(cluster) == stat(session, "alice", "spilled_objects"));
  for (int i = 0; i < kObjects; ++i) {
    Program program("sum");
    const Array x = program.input(refs[static_cast<std::size_t>(i)]);
    program.output("sum", sum(x));
    const Refs sums = session.run(program);
    CHECK(session.fetch(sums["sum"], Seconds(60)).tensor().as<std::int64_t>()[0] ==
          (i + 1) * (kElements * (kElements - 1) / 2));
  }
  CHECK(((peak_memory(cluster.pid("alice")) - before) >> 20) < kQuotaMib + kMostBesideMib);
  const Value whole = session.fetch(refs[3], Seconds(60));
  CHECK(whole.tensor().as<std::int64_t>()[kElements - 1] == 4 * (kElements - 1));
  refs.clear();
  CHECK(eventually([&] { return stat(session, "alice", "spilled_objects") == 0; }));
  CHECK(files(cluster) == 0);
}

TEST_CASE("Spill: what a killed worker left on the disk is gone when it starts again") {
  ProcessCluster cluster = small_memory();
  {
    Session session = cluster.connect();
    std::vector<Ref> refs;
    for (int i = 0; i < 12; ++i) refs.push_back(make(session, i));
    session.wait();
    CHECK(files(cluster) > 0);
    cluster.kill("alice");
  }
  cluster.start("alice");
  CHECK(files(cluster) == 0);
  Session session = cluster.connect();
  make(session, 7);
  CHECK_NOTHROW(session.wait());
}
