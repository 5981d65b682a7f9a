// Runs against the memory quota: what fits runs, and what does not is refused before it is there.
#include <doctest/doctest.h>

#include <chrono>
#include <thread>

#include "driver/connection.h"
#include "driver/session.h"
#include "worker/parts.h"
#include "worker/simulation/simulation.h"

using namespace curia;

namespace {

constexpr std::int64_t kMiB = 1 << 20;
constexpr std::int64_t kHidden = 8 * 64 * kMiB;

// alice and bob may hold 64 MiB each, and on top as much of what depends on the data of one label
// while it is the only one; alice has a table of 1000 rows with the same key.
struct World {
  explicit World(std::int64_t hidden_at_bob = kHidden) {
    std::map<std::string, SimulatedParty> parties;
    for (const char* party : {"alice", "bob"}) {
      parties[party].memory_quota_bytes = 64 * kMiB;
    }
    parties["alice"].hidden_quota_bytes = kHidden;
    parties["bob"].hidden_quota_bytes = hidden_at_bob;
    Table rows;
    rows.rows = kRows;
    std::vector<std::int64_t> numbers(kRows);
    for (std::int64_t i = 0; i < kRows; ++i) numbers[static_cast<std::size_t>(i)] = i;
    rows.columns.push_back(
        {"key", Tensor::of<std::int64_t>({kRows}, std::vector<std::int64_t>(kRows, 1))});
    rows.columns.push_back({"n", Tensor::of<std::int64_t>({kRows}, numbers)});
    rows.columns.push_back(
        {"t", StringColumn::of(std::vector<std::string>(kRows, "sixteen letters!"))});
    parties["alice"].datasets.emplace("rows", rows);
    parties["alice"].grants = {{.source = "rows", .to = "bob"}, {.source = "rows", .to = "dora"}};
    cluster = std::make_unique<Simulation>(std::move(parties), std::vector<std::string>{"dora"});
    session = std::make_unique<Session>(cluster->wiring("dora"), ConnectionOptions{});
  }
  static constexpr std::int64_t kRows = 1000;

  // How the run ended: "done", or the error. Nothing of it stays, nor is set aside.
  std::string run(const Program& program) {
    {
      const Refs refs = session->run(program);
      try {
        session->wait(std::chrono::seconds(60));
        // What depends on the data ends as a value: only who may see it learns that it failed.
        for (const auto& [name, ref] : refs) session->fetch(ref);
        last = "done";
      } catch (const Error& error) {
        last = error.what();
      }
      for (const auto& [name, ref] : refs) session->release(ref);
    }
    for (const char* party : {"alice", "bob"}) {
      const Backend& memory = cluster->parts(party).store->backend("mem");
      CHECK(memory.stats().open.reserved_bytes == 0);
      CHECK(memory.stats().hidden.reserved_bytes == 0);
      const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
      const auto bytes = [&] { return memory.stats().open.bytes + memory.stats().hidden.bytes; };
      while (bytes() > held && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
      CHECK(bytes() <= held);
    }
    return last;
  }

  // The table with itself, row by row: a million rows of 24 bytes and what `more` adds.
  Array square(Program& program, int more = 0) {
    const Array rows = program.dataset(session->dataset("alice", "rows"));
    Array right = rows.select({"key"}).with_column("m", rows.column("n"));
    for (int i = 0; i < more; ++i) {
      right = right.with_column("m" + std::to_string(i), rows.column("n"));
    }
    return join(rows.select({"key", "n"}), right, {"key"});
  }

  std::unique_ptr<Simulation> cluster;
  std::unique_ptr<Session> session;
  std::string last;
  std::int64_t held = 0;  // what the test keeps at a party
};

Array zeros(Program& program, const std::string& party, std::int64_t mebibytes) {
  return program.constant(party, Tensor::scalar(0.0)).broadcast({mebibytes << 17});
}

bool refused(const std::string& how) { return how.rfind("QUOTA", 0) == 0; }

}  // namespace

TEST_CASE("Memory: a long chain of values that die was refused although it fits") {
  World world;
  Program program("chain");
  Array x = zeros(program, "alice", 8);
  for (int i = 0; i < 40; ++i) x = x + 1;
  program.output("total", sum(x));
  CHECK(world.run(program) == "done");
}

TEST_CASE("Memory: a loop with a long body was refused although it fits") {
  World world;
  Program program("loop");
  const auto body = [](const Arrays& state, const Index&) {
    Array x = state[0];
    for (int i = 0; i < 20; ++i) x = x + 1;
    return Arrays{x};
  };
  program.output("total", sum(for_loop(20, {zeros(program, "alice", 8)}, body)[0]));
  CHECK(world.run(program) == "done");
}

TEST_CASE("Memory: what is needed at the same time has to fit at the same time") {
  World world;
  Program all("all");
  Arrays kept{zeros(all, "alice", 8)};
  for (int i = 0; i < 8; ++i) kept.push_back(kept.back() + 1);
  Array total = kept[0];
  for (std::size_t i = 1; i < kept.size(); ++i) total = total + kept[i];
  all.output("total", sum(total));
  CHECK(refused(world.run(all)));
  // A state, what the body makes of it, and the state before the loop.
  Program loop("loop");
  const auto body = [](const Arrays& state, const Index&) {
    return Arrays{state[0] + (state[0] * 2)};
  };
  loop.output("total", sum(for_loop(3, {zeros(loop, "alice", 20)}, body)[0]));
  CHECK(refused(world.run(loop)));
}

TEST_CASE("Memory: rows that nobody knows beforehand are set aside before they are there") {
  World world;
  Program fits("fits");
  fits.output("total", sum(world.square(fits).column("m")));
  CHECK(world.run(fits) == "done");
  Program large("large");
  large.output("total", sum(world.square(large, 4).column("m")));
  CHECK(refused(world.run(large)));
  CHECK(world.last.find("join") != std::string::npos);
}

TEST_CASE("Memory: rows that nobody knows are given back when their last user is done") {
  World world;
  Program program("chain");
  Array rows = world.square(program);
  for (int i = 0; i < 6; ++i) rows = rows.filter(rows.column("m") >= 0);
  program.output("total", sum(rows.column("m")));
  CHECK(world.run(program) == "done");
}

TEST_CASE("Memory: a part of rows that nobody knows keeps its own columns, not the others") {
  World world;
  Program program("parts");
  std::vector<Array> parts;
  for (int i = 0; i < 4; ++i) parts.push_back(world.square(program).select({"n"}));
  Array total = sum(parts[0].column("n"));
  for (std::size_t i = 1; i < parts.size(); ++i) total = total + sum(parts[i].column("n"));
  program.output("total", total);
  // While the fourth is made (40 MB), three of 8 MB wait.
  CHECK(world.run(program) == "done");
  Program whole("whole");
  std::vector<Array> wholes;
  for (int i = 0; i < 3; ++i) wholes.push_back(world.square(whole));
  Array all = sum(wholes[0].column("n"));
  for (std::size_t i = 1; i < wholes.size(); ++i) all = all + sum(wholes[i].column("n"));
  whole.output("total", all);
  CHECK(refused(world.run(whole)));
}

TEST_CASE("Memory: rows that come from another party find room, or are refused") {
  for (const std::int64_t room : {kHidden, kHidden / 4}) {
    World world(room);
    Program program("move");
    program.output("total", sum(world.square(program).to("bob").column("m")));
    world.run(program);
    CHECK(refused(world.last) == (room != kHidden));
    if (room != kHidden) CHECK(world.last.find("bob") != std::string::npos);
  }
}

TEST_CASE("Memory: a session that has its share gets no more, and another one does not notice") {
  std::map<std::string, SimulatedParty> parties;
  parties["alice"].memory_quota_bytes = 64 * kMiB;
  parties["alice"].session_quota_bytes = 8 * kMiB;
  Simulation cluster(std::move(parties), {"dora"});
  Session greedy(cluster.wiring("dora"), ConnectionOptions{});
  Session modest(cluster.wiring("dora"), ConnectionOptions{});
  const auto make = [](Session& session, std::int64_t mebibytes) {
    Program program("make");
    program.output("zeros", zeros(program, "alice", mebibytes));
    return session.run(program)["zeros"];
  };
  const auto put = [](Session& session, std::int64_t mebibytes) {
    const Ref ref = session.put(
        "alice", Tensor::of<double>({mebibytes << 17}, std::vector<double>(mebibytes << 17)));
    session.wait();
    return ref;
  };
  const Ref first = make(greedy, 5);
  greedy.wait();
  for (const bool run : {true, false}) {
    std::string told;
    try {
      const Ref more = run ? make(greedy, 5) : put(greedy, 5);
      greedy.wait();
    } catch (const Error& error) {
      told = error.what();
    }
    CHECK(refused(told));
    CHECK(told.find("that are one session's share") != std::string::npos);
    CHECK(told.find("raise session_quota_mib") != std::string::npos);
    const Ref other = run ? make(modest, 5) : put(modest, 5);
    CHECK_NOTHROW(modest.wait());
    CHECK(modest.fetch(other).tensor().shape == std::vector<std::int64_t>{5 << 17});
  }
  CHECK(greedy.fetch(first).tensor().shape == std::vector<std::int64_t>{5 << 17});
}
