#include "worker/simulation/simulation.h"

#include <doctest/doctest.h>

#include "driver/connection.h"
#include "driver/session.h"
#include "protocol/value.h"
#include "worker/parts.h"

using namespace curia;

namespace {

std::map<std::string, SimulatedParty> two_parties() {
  std::map<std::string, SimulatedParty> parties;
  parties["alice"].datasets.emplace("x", Tensor::of<double>({3}, std::vector<double>{1, 2, 3}));
  parties["alice"].grants = {{.source = "x", .to = "bob"}};
  parties["bob"].datasets.emplace("y", Tensor::of<double>({3}, std::vector<double>{10, 20, 30}));
  parties["bob"].grants = {{.source = "y", .to = "dora"}};
  return parties;
}

}  // namespace

TEST_CASE("Simulation: a driver adds values of two parties and fetches what both agreed to") {
  auto parties = two_parties();
  parties["alice"].grants.push_back({.source = "x", .to = "dora"});
  Simulation cluster(std::move(parties), {"dora"});
  Session session(cluster.wiring("dora"), {});
  Program program("total");
  const Array x = program.dataset(session.dataset("alice", "x"));
  const Array y = program.dataset(session.dataset("bob", "y"));
  program.output("total", sum(x.to("bob") + y));
  const Refs refs = session.run(program);
  const Value total = session.fetch(refs["total"]);
  CHECK(total.tensor().as<double>()[0] == 66);
}

TEST_CASE("Simulation: without a grant of every owner nothing is fetched, and the reason is said") {
  Simulation cluster(two_parties(), {"dora"});
  Session session(cluster.wiring("dora"), {});
  Program program("total");
  const Array x = program.dataset(session.dataset("alice", "x"));
  const Array y = program.dataset(session.dataset("bob", "y"));
  program.output("total", sum(x.to("bob") + y));
  const Refs refs = session.run(program);
  try {
    session.fetch(refs["total"]);
    FAIL("fetched");
  } catch (const Error& error) {
    CHECK(error.code() == Code::kDenied);
    CHECK(error.message().find("no grant of alice/x to dora") != std::string::npos);
  }
}

TEST_CASE("Simulation: a transfer that the owner did not grant is refused before anything runs") {
  auto parties = two_parties();
  parties["alice"].grants.clear();
  Simulation cluster(std::move(parties), {"dora"});
  Session session(cluster.wiring("dora"), {});
  Program program("total");
  const Array x = program.dataset(session.dataset("alice", "x"));
  program.output("moved", x.to("bob"));
  const Refs refs = session.run(program);
  CHECK_THROWS_WITH_AS(session.wait(), doctest::Contains("no grant of alice/x to bob"), Error);
  CHECK(cluster.parts("bob").counters.runs == 0);
}

TEST_CASE("Simulation: put, run on the reference, fetch the driver's own value back") {
  Simulation cluster(two_parties(), {"dora"});
  Session session(cluster.wiring("dora"), {});
  const Ref ref =
      session.put("alice", Tensor::of<std::int64_t>({2}, std::vector<std::int64_t>{5, 7}));
  Program program("twice");
  program.output("twice", program.input(ref) * 2);
  const Refs refs = session.run(program);
  const Value twice = session.fetch(refs["twice"]);
  CHECK(twice.tensor().as<std::int64_t>()[1] == 14);
}

TEST_CASE("Simulation: two values under one label, from two senders, were one use of a grant") {
  std::map<std::string, SimulatedParty> parties;
  parties["alice"].datasets.emplace("x", Tensor::of<double>({2}, std::vector<double>{1, 2}));
  parties["alice"].grants = {{.source = "x", .to = "carol", .releases = {"r"}, .times = 1},
                             {.source = "x", .to = "bob"}};
  parties["bob"];
  parties["carol"];
  Simulation cluster(std::move(parties), {"dora"});
  Session session(cluster.wiring("dora"), {});
  const auto run = [&](bool twice) {
    Program program("p");
    const Array x = program.dataset(session.dataset("alice", "x"));
    const Array at_bob = x.to("bob", "b");
    program.output("a", x.to("carol", "r"));
    if (twice) program.output("b", (at_bob * at_bob).to("carol", "r"));
    session.run(program);
    session.wait();
  };
  CHECK_THROWS_WITH_AS(run(true), doctest::Contains("and all are used"), Error);
}
