// Rules of an owner: what a driver gets with differential privacy and without anybody's asking, and
// what it does not.
#include <doctest/doctest.h>

#include <cmath>

#include "driver/connection.h"
#include "tests/driver/session_world.h"
#include "worker/parts.h"
#include "worker/simulation/simulation.h"

using namespace curia;

namespace {

const DatasetInfo kAges{"ages", parse_type("table[400]{age:f64} @alice")};

// dora and bob have a budget for alice's ages; carol has none.
std::map<std::string, SimulatedParty> parties(double epsilon = 1, double delta = 1e-6) {
  std::vector<double> ages;
  for (int i = 0; i < 400; ++i) ages.push_back(i % 100);
  std::map<std::string, SimulatedParty> all;
  all["alice"].datasets.emplace("ages", Table{{{"age", Tensor::of<double>({400}, ages)}}, 400});
  all["alice"].rules = {{"ages", "dora", epsilon, delta}, {"ages", "bob", epsilon, delta}};
  all["bob"];
  all["carol"];
  return all;
}

struct Rig {
  explicit Rig(std::map<std::string, SimulatedParty> all = parties())
      : simulation(std::move(all), {"dora"}), session(simulation.wiring("dora"), {}) {}

  double spent(const std::string& to) {
    return simulation.parts("alice").budgets.spent("ages", to).epsilon;
  }
  double fetch(const Ref& ref) { return session.fetch(ref).tensor().as<double>()[0]; }
  // Of a program that `write` writes.
  template <class F>
  Ref run(const F& write) {
    Program program("ages");
    program.output("out", write(program));
    return session.run(program)["out"];
  }
  template <class F>
  std::string refusal(const F& write) {
    return error_of([&] { fetch(run(write)); }).message();
  }

  Simulation simulation;
  Session session;
};

Array ages(Program& program) { return program.dataset(kAges).column("age"); }
Array total(Program& program, double epsilon) {
  return dp_sum(ages(program), 0, 100, {epsilon, 0});
}

bool says(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("Rules: a release is fetched, twice for one cost, and what is made of it for none") {
  Rig rig;
  const Ref sum = rig.run([](Program& p) { return total(p, 0.5); });
  const double first = rig.fetch(sum);
  CHECK(std::abs(first - 400 * 49.5) < 100 * 2 * 30);
  CHECK(rig.fetch(sum) == first);
  CHECK(rig.spent("dora") == 0.5);
  const Ref half = rig.run([&](Program& p) { return p.input(sum) / 2; });
  CHECK(rig.fetch(half) == first / 2);
  CHECK(rig.spent("dora") == 0.5);
  const Uri uri = Uri::parse("mem://0123456789abcdef0123456789abcdef");
  Program keep("keep");
  keep.save(keep.input(sum), uri);
  keep.output("done", keep.iota("alice", 1));
  rig.session.run(keep);
  const Ref loaded = rig.run([&](Program& p) { return p.load(uri, sum.type()) + 0; });
  CHECK(rig.fetch(loaded) == first);
  CHECK(rig.spent("dora") == 0.5);
}

TEST_CASE("Rules: the same program again is another release, until the budget is used up") {
  Rig rig;
  const auto program = [](Program& p) { return total(p, 0.5); };
  const Ref first = rig.run(program);
  const Ref second = rig.run(program);
  const Ref third = rig.run(program);
  CHECK(rig.fetch(first) != rig.fetch(second));
  CHECK(rig.spent("dora") == 1);
  const std::string refused = error_of([&] { rig.fetch(third); }).message();
  CHECK(says(refused, "alice has epsilon 0 left of its budget for dora to learn of \"ages\""));
  CHECK(says(refused, "and this costs epsilon 0.5"));
  CHECK(rig.fetch(first) != 0);  // what was paid for stays
}

TEST_CASE("Rules: all rows, and all but one, are two releases") {
  Rig rig;
  const auto count = [&](double from) {
    Program program("count");
    const Array table = program.dataset(kAges);
    program.output("out", dp_count(table.filter(table.column("age") >= from), {0.5, 0}));
    return rig.session.run(program)["out"];
  };
  rig.session.fetch(count(0));
  rig.session.fetch(count(1));
  CHECK(rig.spent("dora") == 1);
  const Ref again = count(0);
  CHECK(error_of([&] { rig.session.fetch(again); }).code() == Code::kDenied);
}

TEST_CASE("Rules: a restart of the owner's worker gives nothing back") {
  Rig rig;
  rig.fetch(rig.run([](Program& p) { return total(p, 0.75); }));
  rig.simulation.restart("alice");
  CHECK(rig.spent("dora") == 0.75);
  Session session(rig.simulation.wiring("dora"), {});
  Program program("again");
  program.output("out", total(program, 0.5));
  const Ref ref = session.run(program)["out"];
  CHECK(says(error_of([&] { session.fetch(ref); }).message(), "has epsilon 0.25 left"));
  const std::vector<GrantInfo> rules = session.grants("alice");
  REQUIRE(rules.size() == 1);  // bob's is not dora's to know
  CHECK(rules[0].to == "dora");
  CHECK(rules[0].source == "ages");
  CHECK(rules[0].epsilon == 1);
  CHECK(rules[0].spent_epsilon == 0.75);
  CHECK(rules[0].delta == 1e-6);
  CHECK(rules[0].spent_delta == 0);
}

TEST_CASE("Rules: rows that come back in are refused, and so are rows alone") {
  Rig rig;
  CHECK(says(rig.refusal([](Program& p) { return sum(ages(p)); }),
             "lets out alice/ages to dora with differential privacy only"));
  CHECK(says(rig.refusal([](Program& p) {
    const Array x = ages(p);
    return sum(x) + dp_sum(x, 0, 100, {0.5, 0});
  }),
             "depends on rows without a dp_ op between"));
  const Ref sum_of_noise = rig.run([](Program& p) { return total(p, 0.5); });
  CHECK(says(rig.refusal([&](Program& p) { return max(ages(p) * p.input(sum_of_noise)); }),
             "depends on rows without a dp_ op between"));
  CHECK(says(rig.refusal([](Program& p) {  // chosen by a row
    const Array noise = total(p, 0.5);
    return select(max(ages(p)) > 50, noise, noise + 1);
  }),
             "depends on rows without a dp_ op between"));
  CHECK(rig.spent("dora") == 0);
}

TEST_CASE("Rules: each principal has its own budget, also one who is told by another") {
  Rig rig;
  // bob gets it, and works on: that is his budget. What he made costs dora hers.
  const Ref at_bob = rig.run([](Program& p) { return total(p, 0.75).to("bob") * 2; });
  rig.session.wait();
  CHECK(rig.spent("bob") == 0.75);
  CHECK(rig.spent("dora") == 0);
  const double twice = rig.fetch(at_bob);
  CHECK(rig.spent("dora") == 0.75);
  const Ref more = rig.run([&](Program& p) { return p.input(at_bob) * 2; });
  CHECK(rig.fetch(more) == twice * 2);
  CHECK(rig.spent("dora") == 0.75);
  // carol has no budget, whoever sends.
  const std::string refused = error_of([&] {
                                rig.run([&](Program& p) { return p.input(at_bob).to("carol"); });
                                rig.session.wait();
                              }).message();
  CHECK(says(refused, "alice has no grant of alice/ages to carol"));
  // bob's is used up by now, dora's not.
  const std::string again = error_of([&] {
                              rig.run([](Program& p) { return total(p, 0.5).to("bob"); });
                              rig.session.wait();
                            }).message();
  CHECK(says(again, "has epsilon 0.25 left of its budget for bob"));
  CHECK(rig.spent("bob") == 0.75);
}

TEST_CASE("Rules: releases are shared and revealed on secure devices, at each member's cost") {
  auto all = parties(2);
  all["alice"].rules.push_back({"ages", "carol", 2, 0});
  Rig rig(std::move(all));
  Program program("secure");
  const Device abc = program.device("abc", {"alice", "bob", "carol"});
  const Array noisy = dp_mean(ages(program), 0, 100, {1, 0}).to(abc);
  program.output("out", (noisy + noisy).reveal("carol"));
  program.output("shares", noisy);
  const Refs refs = rig.session.run(program);
  rig.session.wait();
  CHECK(rig.spent("bob") == 1);
  CHECK(rig.spent("carol") == 1);
  CHECK(rig.spent("dora") == 0);
  CHECK(rig.fetch(refs["shares"]) == doctest::Approx(49.5).epsilon(0.2));
  CHECK(rig.spent("dora") == 1);
  // Rows may not go there: the rule covers no shares of them.
  const std::string refused = error_of([&] {
                                Program raw("raw");
                                const Device device = raw.device("abc", {"alice", "bob", "carol"});
                                raw.output("out", sum(ages(raw).to(device)));
                                rig.session.run(raw);
                                rig.session.wait();
                              }).message();
  CHECK(says(refused, "with differential privacy only"));
}

TEST_CASE("Rules: a branch that hangs on a release is taken, at the cost of who sees it") {
  Rig rig;
  const Ref out = rig.run([](Program& p) {
    const Array noisy = total(p, 0.5);
    return cond(
        noisy > 10, [&] { return Arrays{noisy}; }, [&] { return Arrays{noisy * 0}; })[0];
  });
  rig.session.wait();
  CHECK(rig.spent("dora") == 0.5);
  CHECK(rig.fetch(out) > 10);
  CHECK(rig.spent("dora") == 0.5);
}

TEST_CASE("Rules: a check says beforehand what would be refused, and costs nothing") {
  Rig rig;
  Program program("check");
  program.output("a", total(program, 0.6));
  program.output("b", total(program, 0.6));
  const PreparedPtr prepared = prepare(program);
  CHECK(rig.session.refusals(prepared, {"a"}).empty());
  CHECK(rig.session.refusals(prepared, {"b"}).empty());
  const std::vector<Error> both = rig.session.refusals(prepared, {"a", "b"});
  REQUIRE(both.size() == 1);
  CHECK(says(both[0].message(), "has epsilon 0.4 left of its budget for dora"));
  CHECK(rig.spent("dora") == 0);
}

TEST_CASE("Rules: Gaussian noise takes delta, which a rule may not have") {
  Rig laplace_only(parties(1, 0));
  const auto gaussian = [](Program& p) { return dp_sum(ages(p), 0, 100, {0.5, 1e-7}); };
  CHECK(says(laplace_only.refusal(gaussian),
             "has epsilon 1 and delta 0 left of its budget for dora to learn of \"ages\", and this "
             "costs epsilon 0.5 and delta 1e-07"));
  Rig rig;
  rig.fetch(rig.run(gaussian));
  CHECK(rig.simulation.parts("alice").budgets.spent("ages", "dora").delta == 1e-7);
}
