// A session goes on in another process of the same driver.
#include <doctest/doctest.h>

#include "driver/connection.h"
#include "driver/session.h"
#include "protocol/value.h"
#include "tests/support/errors.h"
#include "worker/simulation/simulation.h"

using namespace curia;

namespace {

Simulation one_party() {
  std::map<std::string, SimulatedParty> parties;
  parties["alice"].datasets.emplace("x", Tensor::of<double>({2}, std::vector<double>{1, 2}));
  parties["alice"].grants = {{.source = "x", .to = "dora"}, {.source = "x", .to = "eve"}};
  return Simulation(std::move(parties), {"dora", "eve"});
}

Session resumed(const Simulation& cluster, const SavedSession& saved,
                const std::string& driver = "dora") {
  ConnectionOptions options;
  options.resume = saved;
  return Session(cluster.wiring(driver), options);
}

Refs run_total(Session& session) {
  Program program("total");
  program.output("total", sum(program.dataset(session.dataset("alice", "x"))));
  return session.run(program);
}

double number(const Value& value) { return value.tensor().as<double>()[0]; }

}  // namespace

TEST_CASE("Resume: objects outlive the process that made them, and runs go on behind it") {
  const Simulation cluster = one_party();
  Session first(cluster.wiring("dora"), {});
  const Refs before = run_total(first);
  const std::string saved = first.detach().json();

  Session second = resumed(cluster, SavedSession::parse(saved, "saved"));
  CHECK(second.id() == before["total"].facts().session);
  CHECK(number(second.fetch(Ref::parse(before["total"].json()))) == 3);
  const Refs after = run_total(second);
  CHECK(number(second.fetch(after["total"])) == 3);
  CHECK(after["total"].facts().task > before["total"].facts().task);
  CHECK(second.list("alice").size() == 2);
}

TEST_CASE("Resume: puts of both processes are there") {
  const Simulation cluster = one_party();
  Session first(cluster.wiring("dora"), {});
  const std::vector<double> numbers(1 << 16, 0.5);
  const Ref one = first.put("alice", Tensor::of<double>({1 << 16}, numbers));
  Session second = resumed(cluster, first.detach());
  const Ref two = second.put("alice", Tensor::of<double>({1 << 16}, numbers));
  for (const Ref& ref : {one, two}) {
    CHECK(second.fetch(ref).tensor().as<double>().back() == 0.5);
  }
}

TEST_CASE("Resume: the older process is told that its session is over") {
  const Simulation cluster = one_party();
  Session first(cluster.wiring("dora"), {});
  const Refs refs = run_total(first);
  first.wait();
  Session second = resumed(cluster, first.saved());
  CHECK(code_of([&] { first.list("alice"); }) == Code::kSessionOver);
  CHECK(number(second.fetch(Ref::parse(refs["total"].json()))) == 3);
}

TEST_CASE("Resume: a saved session is good once, and never for another principal") {
  const Simulation cluster = one_party();
  Session first(cluster.wiring("dora"), {});
  const SavedSession saved = first.detach();
  CHECK(code_of([&] { resumed(cluster, saved, "eve"); }) == Code::kSessionOver);
  Session second = resumed(cluster, saved);
  CHECK(code_of([&] { resumed(cluster, saved); }) == Code::kSessionOver);
  CHECK(second.list("alice").empty());
}

TEST_CASE("Resume: after a restart of the worker the objects are gone, and that is said") {
  Simulation cluster = one_party();
  Session first(cluster.wiring("dora"), {});
  const SavedSession saved = first.detach();
  cluster.kill("alice");
  cluster.restart("alice");
  CHECK(code_of([&] { resumed(cluster, saved); }) == Code::kStaleEpoch);
}

TEST_CASE("Resume: who detached has no session any more") {
  const Simulation cluster = one_party();
  Session first(cluster.wiring("dora"), {});
  first.detach();
  CHECK(code_of([&] { first.list("alice"); }) == Code::kSessionOver);
}

TEST_CASE("SavedSession: parse() gives what json() wrote, and names the field of what it did not") {
  SavedSession saved;
  saved.id[0] = 0xa5;
  saved.driver = "dora";
  saved.workers["alice"] = {3, 7};
  const std::string json = saved.json();
  CHECK(SavedSession::parse(json, "file") == saved);
  std::string bad = json;
  bad.replace(bad.find("a5"), 2, "A5");
  CHECK_THROWS_WITH_AS(SavedSession::parse(bad, "file"),
                       doctest::Contains("file: session: expected 32 lower-case hex digits"),
                       Error);
  CHECK_THROWS_AS(SavedSession::parse("[", "file"), Error);
}
