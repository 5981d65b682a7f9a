// Processes that die, stop, or come back while others depend on them.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/support/process_cluster.h"
#include "tests/system/helpers.h"

using namespace curia;

namespace {

constexpr Seconds kGuard{8};

std::map<std::string, ProcessParty> parties(std::map<std::string, std::string> extra = {}) {
  std::map<std::string, ProcessParty> three;
  for (const char* name : {"alice", "bob", "carol"}) three[name].extra = extra;
  return three;
}

// A value goes round among the three, far longer than any test lasts; each keeps a result.
Refs run_ring(Session& session) {
  Program program("ring");
  const Arrays last = for_loop(50'000'000, {numbers(program, "alice", {1})},
                               [](const Arrays& state, const Index&) -> Arrays {
                                 return {(state[0].to("bob") + 1).to("carol").to("alice")};
                               });
  program.output("alice", last[0]);
  program.output("bob", last[0].to("bob"));
  program.output("carol", last[0].to("carol"));
  const Refs refs = session.run(program);
  REQUIRE(eventually([&] { return stat(session, "alice", "data_bytes_to/bob") > 20'000; }));
  return refs;
}

}  // namespace

TEST_CASE("Crash: a worker killed in the middle of a run is noticed by all, and others go on") {
  ProcessCluster cluster(parties());
  Session session = cluster.connect();
  Session other = cluster.connect("mallory");
  check_works(other, "alice", "carol");
  const Refs refs = run_ring(session);
  const auto killed = std::chrono::steady_clock::now();
  cluster.kill("bob");
  for (const char* party : {"alice", "carol"}) {
    const Error error = error_of([&] { session.fetch(refs[party], kGuard); });
    INFO(error.what());
    CHECK(error.code() == Code::kPeerLost);
    CHECK(contains(error.what(), "bob"));
  }
  const Error lost = error_of([&] { session.fetch(refs["bob"], kGuard); });
  INFO(lost.what());
  CHECK(lost.code() == Code::kWorkerLost);
  CHECK(lost.party() == "bob");
  CHECK(std::chrono::steady_clock::now() - killed < kGuard);
  const Code first = error_of([&] { session.wait(kGuard); }).code();
  CHECK((first == Code::kPeerLost || first == Code::kWorkerLost));
  check_works(other, "alice", "carol");
  check_works(session, "carol", "alice");
}

TEST_CASE("Crash: what a killed driver left behind goes when its lease ends") {
  ProcessCluster cluster(parties({{"lease_seconds", "1"}}));
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    try {
      Session session = cluster.connect();
      const Ref kept =
          session.put("alice", Tensor::of<double>({1 << 17}, std::vector<double>(1 << 17)));
      session.wait();
      const Refs refs = run_ring(session);
      if (::write(ready[1], "x", 1) == 1) ::pause();
    } catch (const Error&) {
    }
    ::_exit(1);
  }
  char byte = 0;
  ::close(ready[1]);
  CHECK(::read(ready[0], &byte, 1) == 1);
  ::close(ready[0]);
  {
    Session tool = cluster.connect("mallory", {.tool = true});
    CHECK(stat(tool, "alice", "sessions") == 1);
    CHECK(stat(tool, "alice", "objects") == 1);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    for (const char* party : {"alice", "bob", "carol"}) {
      CHECK(eventually([&] {
        return stat(tool, party, "sessions") == 0 && stat(tool, party, "objects") == 0 &&
               stat(tool, party, "memory_bytes") == 0;
      }));
    }
  }
  Session session = cluster.connect();
  check_works(session, "alice", "bob");
}

TEST_CASE("Crash: after a restart the old session ends clearly, and never finds another object") {
  ProcessCluster cluster(parties());
  Session old = cluster.connect();
  const Ref before = old.put("alice", Tensor::of<std::int64_t>({1}, std::vector<std::int64_t>{41}));
  CHECK(old.fetch(before).tensor().as<std::int64_t>()[0] == 41);
  cluster.kill("alice");
  cluster.start("alice");
  const Error error = error_of([&] { old.fetch(before, kGuard); });
  INFO(error.what());
  CHECK((error.code() == Code::kStaleEpoch || error.code() == Code::kSessionOver ||
         error.code() == Code::kWorkerLost));
  CHECK(contains(error.what(), "alice"));
  Session fresh = cluster.connect();
  CHECK(error_of([&] { fresh.fetch(before, kGuard); }).code() == Code::kNotFound);
  check_works(fresh, "alice", "bob");
  check_works(fresh, "bob", "alice");
  check_works(old, "bob", "carol");
}

TEST_CASE("Crash: a worker that stops is named, and does no harm when it goes on") {
  ProcessCluster cluster(parties());
  Session session = cluster.connect();
  const Refs refs = run_ring(session);
  cluster.signal("bob", SIGSTOP);
  bool named = false;
  CHECK(eventually([&] {
    for (const StatusReply& status : session.status()) {
      for (const WaitInfo& wait : status.waits) {
        named = named || (wait.waits_for == "bob" && wait.op == "transfer" && wait.site.line > 0);
      }
    }
    return named;
  }));
  const Error error = error_of([&] { session.fetch(refs["carol"], Seconds(30)); });
  INFO(error.what());
  CHECK(error.code() == Code::kPeerLost);
  cluster.signal("bob", SIGCONT);
  CHECK(eventually([&] {
    Session fresh = cluster.connect();
    Program program("works");
    program.output("total", sum(numbers(program, "alice", {1, 2, 3}).to("bob")));
    const Refs total = fresh.run(program);
    try {
      return fresh.fetch(total["total"], Seconds(20)).tensor().as<std::int64_t>()[0] == 6;
    } catch (const Error&) {
      return false;  // alice and bob have not found each other again yet
    }
  }));
}

TEST_CASE("Crash: a put beyond the quota is refused, keeps what there is and disturbs nobody") {
  ProcessCluster cluster(parties({{"memory_quota_mib", "8"}}));
  Session session = cluster.connect();
  Session other = cluster.connect("mallory");
  const std::vector<double> six(6 << 17, 1.5);
  const Ref kept = session.put("alice", Tensor::of<double>({6 << 17}, six));
  session.wait(Seconds(60));
  const Ref refused = session.put("alice", Tensor::of<double>({6 << 17}, six));
  const Error error = error_of([&] { session.wait(Seconds(60)); });
  CHECK(error.code() == Code::kQuota);
  CHECK(error_of([&] { session.fetch(refused, kGuard); }).code() == Code::kQuota);
  check_works(other, "bob", "alice");
  const Value back = session.fetch(kept, Seconds(60));
  CHECK(back.tensor().as<double>().back() == 1.5);
  session.release(kept);
  REQUIRE(eventually([&] { return stat(session, "alice", "memory_bytes") < (2 << 20); }));
  const Ref again = session.put("alice", Tensor::of<double>({6 << 17}, six));
  session.wait(Seconds(60));
}

TEST_CASE("Crash: a session that ends while an owner is asked about its fetch leaves nothing") {
  std::map<std::string, ProcessParty> two{{"alice", {}}, {"bob", {}}};
  two["alice"].extra = {{"lease_seconds", "1"}};
  two["bob"].csv = {{"x", "v\n1\n2\n3\n"}};
  two["bob"].grants = R"([{"source": "x", "to": "alice"}, {"source": "x", "to": "dora"}])";
  ProcessCluster cluster(std::move(two));
  Session watcher = cluster.connect("mallory", {.tool = true});
  bool bob_answers = false;
  SUBCASE("the answer comes later") { bob_answers = true; }
  SUBCASE("the answer never comes"){} {
    Session session = cluster.connect();
    Program program("move");
    program.output("v", program.dataset(session.dataset("bob", "x")).column("v").to("alice"));
    const Refs refs = session.run(program);
    session.wait(Seconds(20));
    cluster.signal("bob", SIGSTOP);
    const Error error = error_of([&] { session.fetch(refs["v"], std::chrono::milliseconds(100)); });
    CHECK(error.code() == Code::kTimeout);
    // So that closing the session does not wait for bob.
    session.detach();
  }
  CHECK(eventually([&] { return stat(watcher, "alice", "sessions") == 0; }));
  if (bob_answers) cluster.signal("bob", SIGCONT);
  CHECK(cluster.stop("alice") == 0);
  CHECK(contains(cluster.log("alice"), "stops on signal"));
}
