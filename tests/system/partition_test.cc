// Networks between two workers that fall silent, lose one way, or dawdle. The driver reaches all.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support/process_cluster.h"
#include "tests/support/tcp_proxy.h"
#include "tests/system/helpers.h"

using namespace curia;

namespace {

using Way = TcpProxy::Way;

// What alice and bob tell each other goes through proxies: those who look for them do it at another
// address of this machine.
struct Net {
  ProcessCluster cluster{[] {
    std::map<std::string, ProcessParty> three{{"alice", {}}, {"bob", {}}, {"carol", {}}};
    three["alice"].peer_host = three["bob"].peer_host = "127.0.0.2";
    return three;
  }()};
  TcpProxy to_alice{cluster.control_port("alice"), "127.0.0.2", cluster.control_port("alice")};
  TcpProxy to_bob{cluster.control_port("bob"), "127.0.0.2", cluster.control_port("bob")};
  // alice dials.
  TcpProxy data{cluster.data_port("bob"), "127.0.0.2", cluster.data_port("bob")};

  void silent(bool on) {
    for (TcpProxy* proxy : {&to_alice, &to_bob, &data}) {
      proxy->freeze(Way::kForth, on);
      proxy->freeze(Way::kBack, on);
      proxy->hold_new(on);
    }
  }
};

// How long a party has been waiting for the other one.
std::uint64_t waited_ms(Session& session, const std::string& who, const std::string& whom) {
  std::uint64_t most = 0;
  for (const StatusReply& status : session.status()) {
    for (const WaitInfo& wait : status.waits) {
      if (wait.party == who && wait.waits_for == whom) most = std::max(most, wait.waited_ms);
    }
  }
  return most;
}

Ref count_to(Session& session, std::int64_t rounds) {
  Program program("count");
  const Arrays last =
      for_loop(rounds, {numbers(program, "alice", {0})}, [](const Arrays& state, const Index&) {
        return Arrays{(state[0].to("bob") + 1).to("alice")};
      });
  program.output("count", last[0]);
  return session.run(program)["count"];
}

Ref move(Session& session, std::int64_t mebibytes, const std::string& to) {
  const std::int64_t size = mebibytes << 17;
  const Ref here = session.put(
      "alice",
      Tensor::of<double>({size}, std::vector<double>(static_cast<std::size_t>(size), 0.5)));
  Program program("move");
  program.output("moved", program.input("x", here.type()).to(to));
  return session.run(program, {{"x", here}})["moved"];
}

}  // namespace

TEST_CASE(
    "Partition: after five seconds of silence a run goes on where it was, and nothing twice") {
  constexpr std::int64_t kRounds = 8000;
  Net net;
  Session session = net.cluster.connect();
  Session bulk = net.cluster.connect("mallory");
  const Ref count = count_to(session, kRounds);
  REQUIRE(eventually([&] { return stat(session, "alice", "data_bytes_to/bob") > 20'000; }));
  const Ref moved = move(bulk, 64, "bob");
  REQUIRE(eventually([&] { return net.data.forwarded(Way::kForth) > (8 << 20); }));
  net.silent(true);
  REQUIRE(eventually([&] {
    return std::max(waited_ms(session, "alice", "bob"), waited_ms(session, "bob", "alice")) >= 5000;
  }));
  net.silent(false);
  CHECK(session.fetch(count, Seconds(60)).tensor().as<std::int64_t>()[0] == kRounds);
  const Value back = bulk.fetch(moved, Seconds(60));
  const auto found = back.tensor().as<double>();
  CHECK(std::count(found.begin(), found.end(), 0.5) == (64 << 17));
  for (const char* party : {"alice", "bob"}) {
    CHECK(stat(session, party, "runs") == 2);
    CHECK(stat(session, party, "failed_runs") == 0);
  }
}

TEST_CASE("Partition: when one way is lost for good, all parties and the driver learn of it") {
  Net net;
  Session session = net.cluster.connect();
  Program program("ring");
  const Arrays last = for_loop(50'000'000, {numbers(program, "carol", {1})},
                               [](const Arrays& state, const Index&) -> Arrays {
                                 return {(state[0].to("alice") + 1).to("bob").to("carol")};
                               });
  for (const char* party : {"alice", "bob", "carol"}) program.output(party, last[0].to(party));
  const Refs refs = session.run(program);
  REQUIRE(eventually([&] { return stat(session, "alice", "data_bytes_to/bob") > 20'000; }));
  Way way = Way::kForth;
  SUBCASE("from alice to bob") { way = Way::kForth; }
  SUBCASE("from bob to alice") { way = Way::kBack; }
  net.data.drop(way, true);
  net.to_bob.drop(way, true);
  net.to_alice.drop(way == Way::kForth ? Way::kBack : Way::kForth, true);
  const auto begin = std::chrono::steady_clock::now();
  for (const char* party : {"alice", "bob", "carol"}) {
    const Error error = error_of([&] { session.fetch(refs[party], Seconds(30)); });
    INFO(party << ": " << error.what());
    CHECK(error.code() == Code::kPeerLost);
    CHECK((contains(error.what(), "bob") || contains(error.what(), "alice")));
  }
  CHECK(error_of([&] { session.wait(Seconds(30)); }).code() == Code::kPeerLost);
  // Silence and grace, 9 s together, and room for a busy machine.
  CHECK(std::chrono::steady_clock::now() - begin < Seconds(15));
  check_works(session, "bob", "carol");
  check_works(session, "carol", "alice");
}

TEST_CASE("Partition: a peer behind 1 KB/s slows what goes to it, and nothing else") {
  Net net;
  Session slow = net.cluster.connect();
  Session fast = net.cluster.connect("mallory");
  check_works(slow, "alice", "bob");
  net.data.slow(Way::kForth, 1 << 10);
  const std::int64_t before = net.data.forwarded(Way::kForth);
  const Ref crawls = move(slow, 8, "bob");
  const Ref runs = move(fast, 64, "carol");
  const Value back = fast.fetch(runs, Seconds(60));
  CHECK(back.tensor().as<double>().back() == 0.5);
  CHECK(net.data.forwarded(Way::kForth) - before < (64 << 10));
#ifndef __SANITIZE_ADDRESS__  // which keeps what was freed
  CHECK(peak_memory(net.cluster.pid("alice")) < (std::int64_t{256} << 20));
#endif
  // Alive for longer than a silent one would be.
  CHECK(eventually([&] { return net.data.forwarded(Way::kForth) - before > (8 << 10); }));
  CHECK(waited_ms(slow, "bob", "alice") > 5000);
  net.data.slow(Way::kForth, 0);
  CHECK(slow.fetch(crawls, Seconds(60)).tensor().as<double>().back() == 0.5);
}
