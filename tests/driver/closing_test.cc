// Sessions that end while others wait for their results.
#include <doctest/doctest.h>

#include <thread>

#include "driver/connection.h"
#include "driver/session.h"
#include "worker/parts.h"
#include "worker/simulation/simulation.h"

using namespace curia;

namespace {

std::int64_t stat(Session& session, const std::string& party, const std::string& name) {
  for (const StatsEntry& entry : session.stats(party)) {
    if (entry.name == name) return entry.value;
  }
  return -1;
}

Ref run_ring(Session& session) {
  Program program("ring");
  const Array start = program.constant("alice", Tensor::scalar<std::int64_t>(0));
  const auto body = [](const Arrays& state, const Index&) {
    return Arrays{(state[0].to("bob") + 1).to("alice")};
  };
  program.output("last", for_loop(50'000'000, {start}, body)[0]);
  return session.run(program)["last"];
}

}  // namespace

TEST_CASE("Closing: a session ends in the middle of a run that several threads wait for") {
  // A lease longer than the test may take: nothing ends by itself.
  std::map<std::string, SimulatedParty> parties{{"alice", {}}, {"bob", {}}};
  for (auto& [name, party] : parties) party.lease_ms = 3'600'000;
  Simulation cluster(std::move(parties), {"dora", "eve"});
  Session watcher(cluster.wiring("eve"), {.tool = true});
  for (int round = 0; round < 20; ++round) {
    Session session(cluster.wiring("dora"), {});
    const Ref last = run_ring(session);
    std::vector<std::jthread> waiting;
    for (int i = 0; i < 3; ++i) {
      waiting.emplace_back([&] { CHECK_THROWS_AS(session.fetch(last), Error); });
      waiting.emplace_back([&] {
        std::string state = "failed";
        try {
          state = session.describe(last).state;
        } catch (const Error&) {
          // The session was over first.
        }
        CHECK(state == "failed");
      });
    }
    while (stat(watcher, "alice", "fetches") < 3 * (round + 1)) std::this_thread::yield();
    session.close();
  }
  for (const char* party : {"alice", "bob"}) {
    while (stat(watcher, party, "sessions") != 0) std::this_thread::yield();
    while (stat(watcher, party, "objects") != 0) std::this_thread::yield();
  }
}

TEST_CASE("Closing: a session that ended at one party was taken for over at another") {
  std::map<std::string, SimulatedParty> parties{{"alice", {}}, {"bob", {}}};
  parties["bob"].lease_ms = 3'600'000;
  Simulation cluster(std::move(parties), {"dora"});
  Session session(cluster.wiring("dora"), {});
  const Ref kept = session.put("bob", Tensor::scalar<std::int64_t>(7));
  Program program("both");
  const Array x = program.constant("bob", Tensor::scalar<std::int64_t>(1));
  const auto body = [](const Arrays& state, const Index&) {
    return Arrays{(state[0].to("alice") + 1).to("bob")};
  };
  program.output("last", for_loop(50'000'000, {x}, body)[0]);
  const Ref last = session.run(program)["last"];
  while (stat(session, "alice", "data_bytes_from/bob") < 1000) std::this_thread::yield();
  cluster.parts("alice").link->close(lane_session("dora", session.saved().id, LaneUse::kTasks));
  try {
    session.fetch(last);
    FAIL("fetched");
  } catch (const Error& error) {
    INFO(error.what());
    CHECK(error.code() == Code::kPeerLost);
    CHECK(std::string(error.what()).find("alice") != std::string::npos);
  }
  CHECK(session.fetch(kept).tensor().as<std::int64_t>()[0] == 7);
}
