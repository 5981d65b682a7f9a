// A session goes on when one of its workers was restarted.
#include <doctest/doctest.h>

#include "driver/connection.h"
#include "driver/session.h"
#include "protocol/value.h"
#include "tests/driver/restarts.h"

using namespace curia;

namespace {

Simulation two_parties() {
  std::map<std::string, SimulatedParty> parties;
  for (const char* name : {"alice", "bob"}) {
    SimulatedParty& party = parties[name];
    party.datasets.emplace("x", Tensor::of<double>({2}, std::vector<double>{1, 2}));
    for (const char* to : {"alice", "bob", "dora"}) party.grants.push_back({"x", to});
  }
  return Simulation(std::move(parties), {"dora"});
}

Refs run_total(Session& session, const std::string& party) {
  Program program("total");
  program.output("total", sum(program.dataset(session.dataset(party, "x"))));
  return session.run(program);
}

// From one party to the other.
double moved(Session& session, const std::string& from, const std::string& to) {
  Program program("moved");
  program.output("total", sum(program.dataset(session.dataset(from, "x")).to(to)));
  return session.fetch(session.run(program)["total"]).tensor().as<double>()[0];
}

double number(const Value& value) { return value.tensor().as<double>()[0]; }

}  // namespace

TEST_CASE("Restart: what was lost is named, what is elsewhere lives on, and runs go on") {
  Simulation cluster = two_parties();
  Session session(cluster.wiring("dora"), {});
  const Refs lost = run_total(session, "alice");
  const Refs kept = run_total(session, "bob");
  const Ref put = session.put("alice", Tensor::of<double>({1}, std::vector<double>{7}));
  CHECK(moved(session, "alice", "bob") == 3);
  CHECK(moved(session, "bob", "alice") == 3);
  session.wait();
  const int line = lost["total"].facts().site.line;
  restart(cluster, session, "alice");

  const Error error = error_of([&] { session.fetch(lost["total"]); });
  INFO(error.what());
  CHECK(error.code() == Code::kStaleEpoch);
  CHECK(error.party() == "alice");
  CHECK(contains(error.what(), "alice was restarted"));
  CHECK(contains(error.what(), "output total of task 1"));
  CHECK(contains(error.what(), "restart_test.cc:" + std::to_string(line)));
  CHECK(contains(error.what(), "reconstruct"));
  const Error of_put = error_of([&] { session.fetch(put); });
  CHECK(of_put.code() == Code::kStaleEpoch);
  CHECK(contains(of_put.what(), "put it again"));
  CHECK(code_of([&] { session.describe(lost["total"]); }) == Code::kStaleEpoch);
  Program uses("uses");
  uses.output("out", uses.input(lost["total"]) + 1);
  CHECK(code_of([&] { session.run(uses); }) == Code::kStaleEpoch);

  CHECK(number(session.fetch(kept["total"])) == 3);
  CHECK(number(session.fetch(run_total(session, "alice")["total"])) == 3);
  CHECK(moved(session, "alice", "bob") == 3);
  CHECK(moved(session, "bob", "alice") == 3);
  const std::vector<double> many(1 << 16, 0.5);
  const Ref bulk = session.put("alice", Tensor::of<double>({1 << 16}, many));
  CHECK(session.fetch(bulk).tensor().as<double>().back() == 0.5);
  session.wait();
}

TEST_CASE("Restart: every worker, one after the other and again") {
  Simulation cluster = two_parties();
  Session session(cluster.wiring("dora"), {});
  for (int i = 0; i < 2; ++i) {
    for (const char* party : {"alice", "bob"}) {
      CHECK(moved(session, "alice", "bob") == 3);
      restart(cluster, session, party);
      CHECK(moved(session, "bob", "alice") == 3);
    }
  }
  session.wait();
}

TEST_CASE("Restart: a worker that was given up is found when it comes back") {
  Simulation cluster = two_parties();
  ConnectionOptions options;
  options.refused = std::chrono::milliseconds(300);
  options.patience = std::chrono::milliseconds(300);
  Session session(cluster.wiring("dora"), options);
  const Refs lost = run_total(session, "alice");
  session.wait();
  cluster.kill("alice");
  REQUIRE(
      eventually([&] { return code_of([&] { session.stats("alice"); }) == Code::kWorkerLost; }));
  CHECK(code_of([&] { session.fetch(lost["total"]); }) == Code::kWorkerLost);
  cluster.restart("alice");
  CHECK(eventually(
      [&] { return code_of([&] { session.fetch(lost["total"]); }) == Code::kStaleEpoch; }));
  CHECK(moved(session, "alice", "bob") == 3);
}

TEST_CASE("Restart: the saved session is that of now, and another process goes on with it") {
  Simulation cluster = two_parties();
  Session first(cluster.wiring("dora"), {});
  const SavedSession before = first.saved();
  restart(cluster, first, "alice");
  const Refs refs = run_total(first, "alice");
  ConnectionOptions options;
  options.resume = first.detach();
  CHECK(options.resume->workers.at("alice").epoch == before.workers.at("alice").epoch + 1);
  Session second(cluster.wiring("dora"), options);
  CHECK(number(second.fetch(Ref::parse(refs["total"].json()))) == 3);
}
