// Members of a secure device, as processes, that die or stop in the middle of a run.
#include <doctest/doctest.h>
#include <signal.h>

#include <cmath>

#include "tests/support/process_cluster.h"
#include "tests/system/helpers.h"

using namespace curia;

namespace {

const std::vector<std::string> kMembers = {"alice", "bob", "carol"};

ProcessCluster members() { return ProcessCluster({{"alice", {}}, {"bob", {}}, {"carol", {}}}); }

// Secrets of the driver's, multiplied again and again; each member gets a result.
struct Products {
  Refs refs;
  int line = 0;
};
Products run_products(Session& session, std::int64_t times, std::int64_t start,
                      const RunOptions& options = {}) {
  Program program("products");
  const Device abc = program.device("abc", kMembers);
  const Array factor = numbers(program, "alice", {1, -1}).to(abc);
  Products products;
  const Arrays last = for_loop(times, {numbers(program, "carol", {start, start + 1}).to(abc)},
                               [&](const Arrays& state, const Index&) -> Arrays {
                                 products.line = __LINE__ + 1;
                                 return {state[0] * factor};
                               });
  for (const std::string& member : kMembers) program.output(member, last[0].reveal(member));
  products.refs = session.run(program, {}, options);
  return products;
}

constexpr std::int64_t kForLong = 50'000'000;
// Waits are told of after a second; a sanitizer makes all of it slow.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::chrono::milliseconds kRunTimeout{20'000};
#else
constexpr std::chrono::milliseconds kRunTimeout{5000};
#endif

void check_right(Session& session, std::int64_t start) {
  const Products good = run_products(session, 11, start);
  for (const std::string& member : kMembers) {
    const Value value = session.fetch(good.refs[member], Seconds(60));
    CHECK(value.tensor().as<std::int64_t>()[0] == start);
    CHECK(value.tensor().as<std::int64_t>()[1] == -start - 1);
  }
}

void wait_until_busy(Session& session) {
  const std::int64_t before = stat(session, "alice", "data_bytes_to/carol");
  REQUIRE(
      eventually([&] { return stat(session, "alice", "data_bytes_to/carol") > before + 20'000; }));
}

// All members find each other again, and nothing of an old run is taken for a new one's.
void check_recovers(const ProcessCluster& cluster, std::int64_t start) {
  CHECK(eventually([&] {
    Session fresh = cluster.connect();
    try {
      check_right(fresh, start);
      return true;
    } catch (const Error&) {
      return false;
    }
  }));
}

// The error names the party and the product's line, wherever the result was to go.
void check_named(Session& session, const Products& products, const std::string& member,
                 const std::string& culprit) {
  const Error error = error_of([&] { session.fetch(products.refs[member], Seconds(60)); });
  INFO(member << ": " << std::string(error.what()));
  CHECK(contains(error.what(), culprit));
  if (error.code() == Code::kWorkerLost) return;  // the driver's own finding, about a party
  CHECK(contains(error.what(), "mul"));
  CHECK(error.site().line == products.line);
}

}  // namespace

TEST_CASE("Secure: a member killed in the middle of a run ends it at all, with op and line") {
  for (const std::string victim : {"alice", "carol"}) {
    CAPTURE(victim);
    ProcessCluster cluster = members();
    Session session = cluster.connect();
    check_right(session, 3);
    const Products products = run_products(session, kForLong, 5);
    wait_until_busy(session);
    cluster.kill(victim);
    for (const std::string& member : kMembers) check_named(session, products, member, victim);
    cluster.start(victim);
    check_recovers(cluster, 1000);
  }
}

TEST_CASE("Secure: a member that stops is named at the limit of time, and at once by status") {
  ProcessCluster cluster = members();
  Session session = cluster.connect();
  check_right(session, 3);
  const Products products = run_products(session, kForLong, 5, {.timeout = kRunTimeout});
  wait_until_busy(session);
  cluster.signal("bob", SIGSTOP);
  CHECK(eventually([&] {
    for (const StatusReply& status : session.status()) {
      for (const WaitInfo& wait : status.waits) {
        if (wait.waits_for == "bob" && wait.op == "mul" && wait.site.line == products.line) {
          return true;
        }
      }
    }
    return false;
  }));
  for (const std::string member : {"alice", "carol"}) {
    check_named(session, products, member, "bob");
  }
  cluster.signal("bob", SIGCONT);
  check_recovers(cluster, 77);
}

TEST_CASE("Secure: a cancelled run ends at all members, and the next one gives its own numbers") {
  const ProcessCluster cluster = members();
  Session session = cluster.connect();
  for (int i = 0; i < 3; ++i) {
    const Products products = run_products(session, kForLong, 5);
    wait_until_busy(session);
    session.cancel();
    for (const std::string& member : kMembers) {
      CHECK(error_of([&] { session.fetch(products.refs[member], Seconds(30)); }).code() ==
            Code::kCancelled);
    }
    CHECK_THROWS_AS(session.wait(Seconds(30)), Error);
    check_right(session, 100 + i);
  }
}

TEST_CASE("Secure: the owner's log, and no other, tells of cells that are out of range") {
  const ProcessCluster cluster = members();
  Session session = cluster.connect();
  Program program("wide");
  const Device abc = program.device("abc", kMembers);
  const std::vector<double> cells = {1234567e20, 2, 3, std::nan("")};
  const Ref put = session.put("alice", Tensor::of<double>({4}, cells));
  const Array plain = program.input(put);
  Arrays state = {plain.to(abc)};
  state =
      for_loop(3, state, [&](const Arrays&, const Index&) -> Arrays { return {plain.to(abc)}; });
  program.output("out", state[0]);
  session.fetch(session.run(program)["out"], Seconds(60));
  const std::string log = cluster.log("alice");
  CHECK(contains(log, "share for dora (secure_test.cc:"));
  CHECK(contains(log, "2 of 4 cells are not below 2^44 in magnitude"));
  CHECK_FALSE(contains(log, "1234567"));
  // Once for each place in the program, however often it runs.
  std::size_t lines = 0;
  for (std::size_t at = 0; (at = log.find("cells are not", at)) != std::string::npos; ++at) ++lines;
  CHECK(lines == 2);
  CHECK_FALSE(contains(cluster.log("bob"), "cells are not"));
  CHECK_FALSE(contains(cluster.log("carol"), "cells are not"));
}

TEST_CASE(
    "Secure: the log tells where cells are held at a range that a program takes for granted") {
  ProcessParty alice;
  alice.csv["x"] = "v\n1\n2\n7\n";
  const ProcessCluster cluster({{"alice", alice}, {"bob", {}}, {"carol", {}}});
  Session session = cluster.connect();
  Program source("source");
  source.output("v", source.dataset(session.dataset("alice", "x")).column("v"));
  const Ref kept = session.run(source)["v"];
  for (const double most : {7.0, 2.5}) {
    Program program("narrow");
    program.output("out", program.input("v", kept.type(), {{"", {0, most}}}) + 1);
    session.run(program, {{"v", kept}});
    session.wait(Seconds(60));
    const bool told = contains(cluster.log("alice"), "cells of \"v\" beyond [0, 2.5]");
    CHECK(told == (most < 7));
  }
}
