// Networks that cut, stall and lose bytes between a driver and its workers.
#include <doctest/doctest.h>

#include <algorithm>
#include <thread>

#include "tests/system/detour.h"

using namespace curia;

namespace {

// Each run adds one to what the run before it left, so a lost, doubled or reordered one shows.
constexpr int kRuns = 2000;

struct Chain {
  explicit Chain(Session& opened) : session(opened) {
    last = session.put("alice", Tensor::of<std::int64_t>({1}, std::vector<std::int64_t>{0}));
    Program program("next");
    program.output("next", program.input("before", last.type()) + 1);
    step = prepare(program);
  }
  void run(int count) {
    for (int i = 0; i < count; ++i) last = session.run(step, {{"before", last}})["next"];
  }
  void check() {
    session.wait(Seconds(60));
    CHECK(session.fetch(last, Seconds(30)).tensor().as<std::int64_t>()[0] == kRuns);
    CHECK(stat(session, "alice", "runs") == kRuns);
    CHECK(stat(session, "alice", "failed_runs") == 0);
  }

  Session& session;
  Ref last;
  PreparedPtr step;
};

}  // namespace

TEST_CASE("Network: runs on a control connection that is cut again and again happen once each") {
  Detour world;
  Session session = world.connect();
  Chain chain(session);
  for (int cut = 0; cut < 4; ++cut) {
    chain.run(kRuns / 4);
    world.control.cut();
  }
  chain.check();
}

TEST_CASE(
    "Network: after so long without a network that all was given up, every run has happened once") {
  Detour world;
  Session session = world.connect();
  Chain chain(session);
  chain.run(kRuns / 2);
  world.control.freeze(Way::kForth, true);
  world.control.freeze(Way::kBack, true);
  world.control.hold_new(true);
  chain.run(kRuns / 2);
  // The driver gives the silent connection up and asks for a new one, which gets no answer either.
  CHECK(eventually([&] { return world.control.holds_one(); }));
  world.control.freeze(Way::kForth, false);
  world.control.freeze(Way::kBack, false);
  world.control.hold_new(false);
  chain.check();
}

TEST_CASE("Network: replies that were lost are sent again, and nothing is executed twice") {
  Detour world;
  Session session = world.connect();
  Session watcher = world.cluster.connect("mallory", {.tool = true});
  Chain chain(session);
  world.control.drop(Way::kBack, true);
  chain.run(kRuns);
  CHECK(eventually([&] { return stat(watcher, "alice", "runs") > kRuns / 2; }));
  world.control.cut();
  world.control.drop(Way::kBack, false);
  chain.check();
}

TEST_CASE("Network: a worker that is heard no more is lost within the stated time") {
  Detour world;
  Session session = world.connect({.refused = Seconds(1), .patience = Seconds(2)});
  const Ref ref = session.put("alice", Tensor::of<std::int64_t>({1}, std::vector<std::int64_t>{1}));
  session.wait(Seconds(20));
  Way way = Way::kForth;
  SUBCASE("what the driver sends vanishes") { way = Way::kForth; }
  SUBCASE("what the worker sends vanishes") { way = Way::kBack; }
  world.control.drop(way, true);
  const auto start = std::chrono::steady_clock::now();
  const Error error = error_of([&] { session.fetch(ref, Seconds(60)); });
  INFO(error.what());
  CHECK(error.code() == Code::kWorkerLost);
  CHECK(contains(error.what(), "alice"));
  CHECK(std::chrono::steady_clock::now() - start < Seconds(20));
}

TEST_CASE("Network: 64 MiB arrive whole over a data connection that is cut three times") {
  Detour world;
  Session session = world.connect();
  const std::vector<double> values = big_values();
  const auto size = static_cast<std::int64_t>(values.size());
  const auto cut_thrice = [&](Way way) {
    const std::int64_t before = world.data.forwarded(way);
    for (int i = 1; i <= 3; ++i) {
      CHECK(eventually([&] { return world.data.forwarded(way) - before > i * (12 << 20); }));
      world.data.cut();
    }
  };
  const Ref ref = session.put("alice", Tensor::of<double>({size}, values));
  cut_thrice(Way::kForth);
  session.wait(Seconds(60));
  std::jthread cutter([&] { cut_thrice(Way::kBack); });
  const Value back = session.fetch(ref, Seconds(60));
  cutter.join();
  CHECK(same(back, values));
}

TEST_CASE("Network: a data connection cut long after it was made comes back") {
  Detour world;
  Session session = world.connect();
  const std::vector<double> values = big_values();
  const auto size = static_cast<std::int64_t>(values.size());
  Session watcher = world.cluster.connect("mallory", {.tool = true});
  const auto uptime_ms = [&] {
    const auto all = watcher.status();
    return std::ranges::find(all, "alice", &StatusReply::party)->uptime_ms;
  };
  const Ref ref = session.put("alice", Tensor::of<double>({size}, values));
  session.wait(Seconds(60));
  const std::uint64_t dialled = uptime_ms();
  const std::int64_t before = world.data.forwarded(Way::kBack);
  world.data.freeze(Way::kBack, true);
  std::jthread cutter([&] {
    // A dial that is given up after two seconds is not the one that is under way any more.
    CHECK(eventually([&] { return uptime_ms() > dialled + 2500; }));
    world.data.freeze(Way::kBack, false);
    CHECK(eventually([&] { return world.data.forwarded(Way::kBack) - before > (8 << 20); }));
    world.data.cut();
  });
  const Value back = session.fetch(ref, Seconds(60));
  cutter.join();
  CHECK(same(back, values));
}

TEST_CASE("Network: a fetch that had to be asked for twice does not block the next one") {
  Detour world;
  Session session = world.connect();
  Session watcher = world.cluster.connect("mallory", {.tool = true});
  const std::vector<double> values = big_values();
  const auto size = static_cast<std::int64_t>(values.size());
  const Ref ref = session.put("alice", Tensor::of<double>({size}, values));
  session.wait(Seconds(60));
  world.control.drop(Way::kBack, true);
  std::jthread cutter([&] {
    CHECK(eventually([&] { return stat(watcher, "alice", "data_bytes_to_driver") > 0; }));
    world.control.cut();
    world.control.drop(Way::kBack, false);
  });
  const Value first = session.fetch(ref, Seconds(60));
  cutter.join();
  CHECK(same(first, values));
  CHECK(same(session.fetch(ref, Seconds(60)), values));
}

TEST_CASE("Network: a fetch that timed out does not block the next one") {
  Detour world;
  Session session = world.connect();
  const std::vector<double> values = big_values();
  const auto size = static_cast<std::int64_t>(values.size());
  const Ref ref = session.put("alice", Tensor::of<double>({size}, values));
  session.wait(Seconds(60));
  world.data.freeze(Way::kBack, true);
  CHECK(error_of([&] { session.fetch(ref, std::chrono::milliseconds(300)); }).code() ==
        Code::kTimeout);
  world.data.freeze(Way::kBack, false);
  CHECK(same(session.fetch(ref, Seconds(60)), values));
}

TEST_CASE("Network: a session whose first connection is reset anywhere works all the same") {
  Detour world;
  Way way = Way::kForth;
  SUBCASE("what the driver sends is cut") {}
  SUBCASE("what the worker sends is cut") { way = Way::kBack; }
  // Through the handshake, hello and open, to the first replies.
  for (std::int64_t at = 0; at < 3200; at += 127) {
    INFO("behind " << at << " bytes");
    world.control.cut_next(way, at);
    Session session = world.connect();
    const Ref ref =
        session.put("alice", Tensor::of<std::int64_t>({2}, std::vector<std::int64_t>{3, 4}));
    Program program("sum");
    program.output("sum", sum(program.input("x", ref.type())));
    const Ref total = session.run(program, {{"x", ref}})["sum"];
    CHECK(session.fetch(total, Seconds(30)).tensor().as<std::int64_t>()[0] == 7);
    CHECK_NOTHROW(session.wait(Seconds(30)));
  }
}
