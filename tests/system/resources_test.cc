// What a worker does when memory or descriptors run out, and with what is taken away under a
// reader.
#include <doctest/doctest.h>
#include <signal.h>

#include <filesystem>
#include <thread>

#include "protocol/link/socket.h"
#include "protocol/value_bytes.h"
#include "tests/system/detour.h"
#include "tests/system/hostile.h"

using namespace curia;

namespace {

ProcessCluster small_alice() {
  std::map<std::string, ProcessParty> two{{"alice", {}}, {"bob", {}}};
  two["alice"].extra = {{"memory_quota_mib", "64"}};
  return ProcessCluster(std::move(two));
}

std::int64_t open_files(pid_t pid) {
  const std::filesystem::directory_iterator all("/proc/" + std::to_string(pid) + "/fd");
  return std::distance(begin(all), end(all));
}

}  // namespace

TEST_CASE("Resources: what would pass the quota is refused before it takes any memory") {
  const ProcessCluster cluster = small_alice();
  Session session = cluster.connect();
  check_works(session, "alice", "bob");
  const std::int64_t before = peak_memory(cluster.pid("alice"));
  const std::int64_t size = 128 << 17;
  Ref ref;
  SUBCASE("a put") {
    ref = session.put("alice", Tensor::of<double>({size}, std::vector<double>(128 << 17)));
  }
  SUBCASE("a run") {
    Program program("large");
    program.output("total", sum(numbers(program, "alice", {1}).broadcast({size})));
    ref = session.run(program)["total"];
  }
  SUBCASE("a value on its way from another party") {
    Program program("large");
    program.output("total", sum(numbers(program, "bob", {1}).broadcast({size}).to("alice")));
    ref = session.run(program)["total"];
  }
  const Error error = error_of([&] { session.fetch(ref, Seconds(60)); });
  INFO(error.what());
  CHECK(error.code() == Code::kQuota);
  CHECK(contains(error.what(), "64"));
  CHECK(peak_memory(cluster.pid("alice")) - before < (32 << 20));
  check_works(session, "alice", "bob");
}

TEST_CASE("Resources: of two puts under one name the first stays, whoever sends the second") {
  const Hostile world;
  RawDriver dora = world.open("dora");
  PutRequest put;
  put.uri = Uri::fresh().str();
  put.type = parse_type("i64[1] @alice");
  const auto filled = [&](std::int64_t value) {
    const ValueBytes bytes = value_bytes(Tensor::of<std::int64_t>({1}, std::vector{value}));
    put.head = bytes.head;
    put.body.assign(reinterpret_cast<const char*>(bytes.body[0].data), 8);
    put.body.resize(static_cast<std::size_t>(bytes.bytes));
    put.bytes = static_cast<std::uint64_t>(bytes.bytes);
    return encode(put);
  };
  CHECK_FALSE(dora.call(Kind::kPut, filled(1)).failed());
  CHECK(dora.call(Kind::kPut, filled(2)).error().code() == Code::kImmutable);
  RawDriver mallory = world.open("mallory");
  CHECK(mallory.call(Kind::kPut, filled(3)).error().code() == Code::kImmutable);
  const RawReply reply = dora.call(Kind::kFetch, encode(FetchRequest{put.uri, 0}));
  REQUIRE_FALSE(reply.failed());
  CHECK(decode<FetchReply>(reply.metadata).body[0] == 1);
}

TEST_CASE("Resources: a value that is released while it is fetched arrives whole") {
  Detour world;
  Session session = world.connect();
  Session watcher = world.cluster.connect("mallory", {.tool = true});
  const std::vector<double> values = big_values();
  const auto size = static_cast<std::int64_t>(values.size());
  const Ref ref = session.put("alice", Tensor::of<double>({size}, values));
  session.wait(Seconds(60));
  world.data.freeze(Way::kBack, true);
  std::jthread releaser([&] {
    CHECK(eventually([&] { return stat(watcher, "alice", "data_bytes_to_driver") > 0; }));
    session.release(ref);
    CHECK(eventually([&] { return stat(watcher, "alice", "objects") == 0; }));
    // What is on its way is in memory.
    CHECK(stat(watcher, "alice", "memory_bytes") == size * 8);
    world.data.freeze(Way::kBack, false);
  });
  const Value back = session.fetch(ref, Seconds(60));
  releaser.join();
  CHECK(same(back, values));
  CHECK(eventually([&] { return stat(watcher, "alice", "memory_bytes") == 0; }));
  CHECK(error_of([&] { session.fetch(ref, Seconds(60)); }).code() == Code::kNotFound);
}

TEST_CASE("Resources: a fetch behind requests that were refused as too many was NOT_FOUND") {
  ProcessCluster cluster({{"alice", {}}, {"bob", {}}});
  Session session = cluster.connect();
  Session watcher = cluster.connect("mallory", {.tool = true});
  check_works(session, "bob", "alice");
  cluster.signal("bob", SIGSTOP);
  Program waits("waits");
  waits.output("total", sum(numbers(waits, "bob", {1}).to("alice")));
  const Refs waiting = session.run(waits);
  // More than the session may have waiting at alice (32 MiB).
  std::vector<Ref> puts;
  for (std::int64_t i = 0; i < 1200; ++i) {
    puts.push_back(
        session.put("alice", Tensor::of<std::int64_t>({4000}, std::vector<std::int64_t>(4000, i))));
  }
  Program last("last");
  last.output("sum", sum(last.input("x", puts.back().type())));
  const Ref ref = session.run(last, {{"x", puts.back()}})["sum"];
  std::jthread goes_on([&] {
    // Those that fit have come, so the others were refused, and the fetch is behind them.
    CHECK(eventually([&] {
      for (const StatusReply& status : watcher.status()) {
        if (status.party == "alice") return status.queued > 1000;
      }
      return false;
    }));
    CHECK(eventually([&] { return stat(watcher, "alice", "fetches") >= 2; }));
    cluster.signal("bob", SIGCONT);
  });
  CHECK(session.fetch(ref, Seconds(60)).tensor().as<std::int64_t>()[0] == 1199 * 4000);
  session.wait(Seconds(60));
  CHECK(stat(session, "alice", "puts") == 1200);
}

TEST_CASE("Resources: each session that moved bulk left a descriptor behind") {
  const ProcessCluster cluster({{"alice", {}}, {"bob", {}}});
  const pid_t pid = cluster.pid("alice");
  const auto move_bulk = [&] {
    Session session = cluster.connect();
    const Ref ref = session.put("alice", Tensor::of<double>({10000}, std::vector<double>(10000)));
    session.fetch(ref, Seconds(60));
  };
  Session watcher = cluster.connect("mallory", {.tool = true});
  {  // What the workers open to each other stays.
    Session session = cluster.connect();
    check_works(session, "alice", "bob");
    check_works(session, "bob", "alice");
  }
  move_bulk();
  CHECK(eventually([&] { return stat(watcher, "alice", "sessions") == 0; }));
  const std::int64_t before = open_files(pid);
  for (int i = 0; i < 10; ++i) move_bulk();
  CHECK(eventually([&] { return open_files(pid) <= before; }));
}

TEST_CASE("Resources: a worker out of descriptors serves those it has, and recovers") {
  constexpr int kFiles = 96;
  std::map<std::string, ProcessParty> two{{"alice", {}}, {"bob", {}}};
  two["alice"].max_files = kFiles;
  const ProcessCluster cluster(std::move(two));
  const pid_t pid = cluster.pid("alice");
  Session session = cluster.connect();
  check_works(session, "alice", "bob");
  {
    std::vector<Socket> idle;
    for (int i = 0; i < 200; ++i) {
      idle.push_back(connect_to("127.0.0.1", cluster.control_port("alice")));
      idle.push_back(connect_to("127.0.0.1", cluster.data_port("alice")));
    }
    // One or two are free for a moment when the worker turns a connection away.
    CHECK(eventually([&] { return open_files(pid) >= kFiles - 2; }));
    check_works(session, "alice", "bob");
    check_works(session, "bob", "alice");
  }
  Session fresh = cluster.connect("mallory");
  check_works(fresh, "bob", "alice");
  CHECK(eventually([&] { return open_files(pid) < kFiles / 2; }));
}
