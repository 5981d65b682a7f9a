// What a restarted worker lost is computed again, and what must not run twice is not.
#include <doctest/doctest.h>

#include <algorithm>
#include <thread>

#include "driver/connection.h"
#include "driver/recipes.h"
#include "driver/session.h"
#include "protocol/value.h"
#include "tests/driver/restarts.h"
#include "tests/driver/secret_world.h"
#include "tests/support/temporary_folder.h"

using namespace curia;

namespace {

// alice and bob each hold x = {1, 2}, which all may see.
Parties open_parties() {
  Parties parties;
  for (const char* name : {"alice", "bob"}) {
    SimulatedParty& party = parties[name];
    party.datasets.emplace("x", vector_of({1, 2}));
    for (const char* to : {"alice", "bob", "dora"}) party.grants.push_back({"x", to});
  }
  return parties;
}

Ref run_read(Session& session, const std::string& party = "alice") {
  Program program("read");
  program.output("rows", program.dataset(session.dataset(party, "x")) * 10);
  return session.run(program)["rows"];
}

Ref run_next(Session& session, const Ref& ref, Here here = Here::current()) {
  Program program("next");
  program.output("next", program.input(ref) + 1);
  return session.run(program, {}, {}, here)["next"];
}

std::int64_t runs_at(Simulation& cluster, const std::string& party) {
  return cluster.parts(party).counters.runs;
}

std::vector<double> numbers_of(const Value& value) {
  const auto span = value.tensor().as<double>();
  return {span.begin(), span.end()};
}

const std::vector<double> kTwice = {12, 22};  // read and next, twice

}  // namespace

TEST_CASE("Reconstruct: a lost value is computed again through several steps, released ones too") {
  Simulation cluster(open_parties(), {"dora"});
  Session session(cluster.wiring("dora"), {});
  const Ref last = run_next(session, run_next(session, run_read(session)));
  const Ref elsewhere = run_read(session, "bob");
  REQUIRE(numbers_of(session.fetch(last)) == kTwice);
  const std::string saved = last.json();
  restart(cluster, session, "alice");

  CHECK(code_of([&] { session.fetch(last); }) == Code::kStaleEpoch);
  const Digest lineage = session.describe(elsewhere).lineage;
  const Ref again = session.reconstruct(last);
  CHECK(runs_at(cluster, "alice") == 3);
  CHECK(again.uri() != last.uri());
  CHECK(again.facts().task > last.facts().task);
  for (const Ref& ref : {last, again, Ref::parse(saved), Ref::parse(again.json())}) {
    CHECK(numbers_of(session.fetch(ref)) == kTwice);
  }
  CHECK(session.describe(elsewhere).lineage == lineage);
  // The steps on the way are gone again.
  CHECK(eventually([&] { return session.list("alice").size() == 1; }));
  CHECK(numbers_of(session.fetch(run_next(session, last))) == std::vector<double>{13, 23});
  // What is there is not computed twice.
  CHECK(session.reconstruct(last).uri() == again.uri());
  CHECK(runs_at(cluster, "alice") == 4);
  session.wait();
}

TEST_CASE("Reconstruct: again after another restart, and gone with the last reference") {
  Simulation cluster(open_parties(), {"dora"});
  Session session(cluster.wiring("dora"), {});
  {
    const Ref last = run_next(session, run_read(session));
    session.wait();
    for (int i = 0; i < 3; ++i) {
      restart(cluster, session, "alice");
      CHECK(numbers_of(session.fetch(session.reconstruct(last))) == std::vector<double>{11, 21});
    }
  }
  CHECK(eventually([&] { return session.list("alice").empty(); }));
}

TEST_CASE("Reconstruct: on demand, in fetch() and in run(), and once for all who ask") {
  Simulation cluster(open_parties(), {"dora"});
  ConnectionOptions options;
  options.reconstruct = true;
  Session session(cluster.wiring("dora"), options);
  const Ref read = run_read(session);
  const Ref last = run_next(session, read);
  session.wait();
  restart(cluster, session, "alice");
  std::vector<std::thread> askers;
  std::atomic<int> right{0};
  for (int i = 0; i < 4; ++i) {
    askers.emplace_back([&] {
      if (numbers_of(session.fetch(last)) == std::vector<double>{11, 21}) ++right;
    });
  }
  for (std::thread& asker : askers) asker.join();
  CHECK(right == 4);
  CHECK(runs_at(cluster, "alice") == 2);
  restart(cluster, session, "alice");
  CHECK(numbers_of(session.fetch(run_next(session, last))) == kTwice);
  CHECK(numbers_of(session.fetch(read)) == std::vector<double>{10, 20});
  session.wait();
}

TEST_CASE("Reconstruct: what was put cannot be, and the error names the line of the put") {
  Simulation cluster(open_parties(), {"dora"});
  Session session(cluster.wiring("dora"), {});
  const Ref put = session.put("alice", vector_of({1}));
  const Ref last = run_next(session, put);
  session.wait();
  restart(cluster, session, "alice");
  for (const Ref& ref : {put, last}) {
    const Error error = error_of([&] { session.reconstruct(ref); });
    INFO(error.what());
    CHECK(error.code() == Code::kFailed);
    CHECK(says(error, "put it there again"));
    CHECK(error.site() == put.facts().site);
  }
  CHECK(runs_at(cluster, "alice") == 0);
}

TEST_CASE("Reconstruct: a put that is still there is no obstacle") {
  Simulation cluster(open_parties(), {"dora"});
  Session session(cluster.wiring("dora"), {});
  const Ref put = session.put("bob", vector_of({5}));
  Program program("both");
  program.output("here", program.dataset(session.dataset("alice", "x")) + 1);
  program.output("there", program.input(put) + 1);
  const Refs refs = session.run(program);
  session.wait();
  restart(cluster, session, "alice");
  session.reconstruct(refs["here"]);
  CHECK(numbers_of(session.fetch(refs["here"])) == std::vector<double>{2, 3});
  // The output that was still there is the one of before, not its copy.
  CHECK(eventually([&] { return session.list("bob").size() == 2; }));
  const auto entries = session.list("bob");
  CHECK(std::ranges::any_of(
      entries, [&](const ListEntry& entry) { return entry.name == refs["there"].uri().str(); }));
  CHECK(numbers_of(session.fetch(refs["there"])) == std::vector<double>{6});
}

TEST_CASE("Reconstruct: noise is never drawn twice") {
  auto parties = open_parties();
  parties["alice"].rules = {{.source = "rows", .to = "dora", .epsilon = 10}};
  parties["alice"].datasets.emplace("rows", column_v({1, 2, 3}));
  Simulation cluster(std::move(parties), {"dora"});
  Session session(cluster.wiring("dora"), {});
  Program program("noisy");
  const Array rows = program.dataset(session.dataset("alice", "rows")).column("v");
  program.output("sum", dp_sum(rows, 0, 5, {.epsilon = 1}));
  const Ref noisy = session.run(program)["sum"];
  const Ref last = run_next(session, noisy);
  session.wait();
  restart(cluster, session, "alice");
  const Error error =
      error_of([&] { session.reconstruct(last, {.releases = true, .saves = true}); });
  INFO(error.what());
  CHECK(error.code() == Code::kFailed);
  CHECK(error.op() == "dp_sum");
  CHECK(error.site().line > 0);
  CHECK(says(error, "draws randomness"));
  CHECK(says(error, "\"noisy\""));
  CHECK(runs_at(cluster, "alice") == 0);
}

TEST_CASE("Reconstruct: what moves plaintext runs again only if it may, and counts again") {
  auto parties = open_parties();
  parties["bob"].grants = {{.source = "x", .to = "alice", .releases = {"once"}, .times = 1},
                           {.source = "x", .to = "alice", .releases = {"often"}},
                           {.source = "x", .to = "dora"}};
  Simulation cluster(std::move(parties), {"dora"});
  Session session(cluster.wiring("dora"), {});
  const auto run_moved = [&](const std::string& label) {
    Program program("moves");
    program.output("out", program.dataset(session.dataset("bob", "x")).to("alice", label) + 1);
    return session.run(program)["out"];
  };
  const Ref often = run_moved("often");
  const Ref once = run_moved("once");
  session.wait();
  restart(cluster, session, "alice");
  for (const Ref& ref : {often, once}) {
    const Error error = error_of([&] { session.reconstruct(ref); });
    INFO(error.what());
    CHECK(error.code() == Code::kFailed);
    CHECK(error.op() == "transfer");
    CHECK(says(error, "moves plaintext to alice"));
  }
  CHECK(runs_at(cluster, "bob") == 2);
  session.reconstruct(often, {.releases = true});
  CHECK(numbers_of(session.fetch(often)) == std::vector<double>{2, 3});
  // The owner allowed it once, and to lose the value does not give it back.
  CHECK(code_of([&] { session.reconstruct(once, {.releases = true}); }) == Code::kDenied);
  CHECK(code_of([&] { session.fetch(once); }) == Code::kStaleEpoch);
  CHECK(eventually([&] { return session.list("alice").size() == 1; }));
}

TEST_CASE("Reconstruct: what saves runs again only if it may") {
  const TemporaryFolder folder;
  auto parties = open_parties();
  parties["alice"].fs_root = folder.path();
  Simulation cluster(std::move(parties), {"dora"});
  Session session(cluster.wiring("dora"), {});
  Program program("keeps");
  const Array rows = program.dataset(session.dataset("alice", "x")) + 1;
  const Uri uri = Uri::parse("fs:///kept");
  program.save(rows, uri);
  program.output("rows", rows);
  const Ref ref = session.run(program)["rows"];
  session.wait();
  restart(cluster, session, "alice");
  CHECK(numbers_of(session.fetch(session.stored("alice", uri))) == std::vector<double>{2, 3});
  const Error error = error_of([&] { session.reconstruct(ref); });
  INFO(error.what());
  CHECK(error.op() == "save");
  CHECK(says(error, "\"saves\""));
  CHECK(numbers_of(session.fetch(session.reconstruct(ref, {.saves = true}))) ==
        std::vector<double>{2, 3});
}

TEST_CASE("Reconstruct: all holders of a secret get new shares when one has lost its own") {
  Simulation cluster(four_parties({"alice", "dora"}), {"dora"});
  Session session(cluster.wiring("dora"), {});
  const auto device = [](Program& program) { return program.device("abc", kMembers); };
  Refs shared;
  {
    Program program("shares");
    const Device abc = device(program);
    const Array a = secret_of(program, abc, "alice");
    const Array b = secret_of(program, abc, "bob");
    program.output("product", a * b);
    program.output("sum", a + b);
    shared = session.run(program);
  }
  session.wait();
  restart(cluster, session, "bob");
  CHECK(code_of([&] { session.fetch(shared["product"]); }) == Code::kStaleEpoch);
  session.reconstruct(shared["product"]);
  check_near(session.fetch(shared["product"]), {3, -8, -1.5, 2});
  // The other output of the same run was lost with it and is back too.
  check_near(session.fetch(shared["sum"]), {3.5, 2, 2.5, 8.25});
  for (const std::string& member : kMembers) {
    CHECK(eventually([&] { return session.list(member).size() == 2; }));
  }
  Program program("reveals");
  const Array both = program.input(shared["product"]) + program.input(shared["sum"]);
  program.output("total", both.reveal("alice"));
  check_near(session.fetch(session.run(program)["total"]), {6.5, -6, 1, 10.25}, 4);
  session.wait();
}

TEST_CASE("Reconstruct: a run that had not ended is not run on other data without a word") {
  Simulation cluster(open_parties(), {"dora"});
  Session session(cluster.wiring("dora"), {});
  Program program("long");
  const Array rows = program.dataset(session.dataset("alice", "x"));
  program.output("out", for_loop(400'000'000, {rows}, [](const Arrays& state, const Index&) {
                   return Arrays{state[0] + 1};
                 })[0]);
  const Ref ref = session.run(program)["out"];
  restart(cluster, session, "alice");
  const Error error = error_of([&] { session.reconstruct(ref); });
  INFO(error.what());
  CHECK(says(error, "had not ended"));
  CHECK(error.op() == "dataset");
  CHECK(code_of([&] { session.wait(); }) == Code::kStaleEpoch);
}

TEST_CASE("Reconstruct: what a session does not know or has forgotten is an error that says so") {
  Simulation cluster(open_parties(), {"dora"});
  ConnectionOptions options;
  options.max_recipes = 4;
  Session session(cluster.wiring("dora"), options);
  Ref last = run_read(session);
  for (int i = 0; i < 8; ++i) last = run_next(session, last);
  const Ref recent = run_next(session, run_read(session));
  Session other(cluster.wiring("dora"), {});
  const Ref others = run_read(other);
  session.wait();
  other.wait();
  restart(cluster, session, "alice");
  CHECK(numbers_of(session.fetch(session.reconstruct(recent))) == std::vector<double>{11, 21});
  CHECK(says(error_of([&] { session.reconstruct(last); }), "has forgotten"));
  CHECK(says(error_of([&] { session.reconstruct(others); }), "does not know"));
}

TEST_CASE("Reconstruct: a chain of a million runs is remembered up to the limit, and let go") {
  const auto recipes = std::make_shared<Recipes>(1 << 18);
  const auto program = prepare(Graph());
  std::shared_ptr<Recipe> last;
  for (std::uint64_t task = 1; task <= 1'000'000; ++task) {
    auto next = std::make_shared<Recipe>(recipes);
    next->program = program;
    next->task = next->last_task = task;
    if (last != nullptr) next->inputs.push_back({last, 0, {}});
    recipes->add(next);
    last = std::move(next);
  }
  std::int64_t length = 0;
  for (const Recipe* at = last.get(); !at->inputs.empty(); at = at->inputs[0].maker.get()) ++length;
  CHECK(length == 1 << 18);
  last.reset();
}
