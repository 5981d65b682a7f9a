// Loops and branches: the same results as plain C++, and who must agree to what steers them.
#include <doctest/doctest.h>

#include <cmath>

#include "driver/connection.h"
#include "driver/session.h"
#include "worker/parts.h"
#include "worker/simulation/simulation.h"

using namespace curia;

namespace {

std::map<std::string, SimulatedParty> parties(std::vector<Grant> grants) {
  std::map<std::string, SimulatedParty> made;
  made["alice"].datasets.emplace("x", Tensor::of<double>({3}, std::vector<double>{1, 2, 3}));
  made["alice"].grants = std::move(grants);
  made["bob"] = {};
  return made;
}

struct World {
  explicit World(std::vector<Grant> grants = {{.source = "x", .to = "dora"}})
      : cluster(parties(std::move(grants)), {"dora"}), session(cluster.wiring("dora"), {}) {}
  std::vector<double> fetch(const Ref& ref) {
    const Value value = session.fetch(ref);
    const auto found = value.tensor().as<double>();
    return {found.begin(), found.end()};
  }
  std::vector<double> run(const Program& program) {
    const Refs refs = session.run(program);
    return fetch(refs["out"]);
  }
  Simulation cluster;
  Session session;
};

Array dataset_x(Program& program) { return program.dataset({"x", parse_type("f64[3] @alice")}); }

// alice tells bob and the driver which way to go.
PreparedPtr branch_at_both() {
  Program program("branch");
  const Array x = dataset_x(program);
  const Array y = program.input("y", parse_type("f64[3] @bob"));
  const Arrays out = cond(
      sum(x) > 5, [&] { return Arrays{y * 2}; }, [&] { return Arrays{y * 3}; });
  program.output("out", out[0]);
  return prepare(program);
}

PreparedPtr loop_at_both() {
  Program program("loop");
  const Array x = dataset_x(program);
  const Array y = program.input("y", parse_type("f64[3] @bob"));
  const Arrays out = while_loop(
      10, {x, y}, [](const Arrays& state) { return sum(state[0]) < 40; },
      [](const Arrays& state) {
        return Arrays{state[0] * 2, state[1] + 1};
      });
  program.output("out", out[1]);
  return prepare(program);
}

}  // namespace

TEST_CASE("Control: for, with its index, gives what plain C++ gives") {
  World world;
  Program program("p");
  const Array x = dataset_x(program);
  const Arrays out = for_loop(5, {x}, [&](const Arrays& state, const Index& index) {
    return Arrays{state[0] * 2 + index("alice").cast(DType::kF64) - x};
  });
  program.output("out", out[0]);
  std::vector<double> expected = {1, 2, 3};
  for (int i = 0; i < 5; ++i) {
    for (std::size_t k = 0; k < 3; ++k) {
      expected[k] = expected[k] * 2 + i - static_cast<double>(k + 1);
    }
  }
  CHECK(world.run(program) == expected);
}

TEST_CASE("Control: a for of no rounds gives what it was given") {
  World world;
  Program program("p");
  const Array x = dataset_x(program);
  program.output("out", for_loop(0, {x}, [](const Arrays& state, const Index&) {
                   return Arrays{state[0] * 2};
                 })[0]);
  CHECK(world.run(program) == std::vector<double>{1, 2, 3});
}

TEST_CASE("Control: while stops where plain C++ stops, and at its limit") {
  for (const std::int64_t limit : {100, 3}) {
    World world;
    Program program("p");
    const Array x = dataset_x(program);
    const Arrays out = while_loop(
        limit, {x, program.constant("alice", Tensor::scalar(0.0))},
        [](const Arrays& state) { return max(state[0]) < 1000; },
        [](const Arrays& state) {
          return Arrays{state[0] * state[0] + 1, state[1] + 1};
        });
    program.output("out", out[0]);
    program.output("rounds", out[1]);
    std::vector<double> expected = {1, 2, 3};
    double rounds = 0;
    while (rounds < static_cast<double>(limit) && expected[2] < 1000) {
      for (double& value : expected) value = value * value + 1;
      ++rounds;
    }
    const Refs refs = world.session.run(program);
    CHECK(world.fetch(refs["out"]) == expected);
    CHECK(world.fetch(refs["rounds"]) == std::vector<double>{rounds});
  }
}

TEST_CASE("Control: loops and branches in one another give what plain C++ gives") {
  World world;
  Program program("p");
  const Array x = dataset_x(program);
  const Array shift = exp(x);
  const Arrays out = for_loop(4, {x}, [&](const Arrays& outer, const Index& i) {
    const Array step = i("alice").cast(DType::kF64) + 1;
    return for_loop(3, {outer[0]}, [&](const Arrays& inner, const Index& k) {
      const Array turn = k("alice");
      return cond(
          turn % 2 == 0, [&] { return Arrays{inner[0] / 2 + shift}; },
          [&] {
            return while_loop(
                5, {inner[0]}, [&](const Arrays& s) { return sum(s[0]) > 10 * step; },
                [&](const Arrays& s) { return Arrays{s[0] - x * step}; });
          });
    });
  });
  program.output("out", out[0]);
  std::vector<double> expected = {1, 2, 3};
  for (int i = 0; i < 4; ++i) {
    for (int k = 0; k < 3; ++k) {
      if (k % 2 == 0) {
        for (std::size_t n = 0; n < 3; ++n) {
          expected[n] = expected[n] / 2 + std::exp(static_cast<double>(n + 1));
        }
      } else {
        for (int turn = 0; turn < 5 && expected[0] + expected[1] + expected[2] > 10 * (i + 1);
             ++turn) {
          for (std::size_t n = 0; n < 3; ++n) expected[n] -= static_cast<double>((n + 1) * (i + 1));
        }
      }
    }
  }
  const std::vector<double> found = world.run(program);
  for (std::size_t n = 0; n < 3; ++n) CHECK(found[n] == doctest::Approx(expected[n]));
}

TEST_CASE("Control: a loop may move its state between parties in each round") {
  World world({{.source = "x", .to = "bob"}, {.source = "x", .to = "dora"}});
  Program program("p");
  const Array x = dataset_x(program);
  const Arrays out = for_loop(20, {x}, [&](const Arrays& state, const Index& index) {
    const Array there = state[0].to("bob") + index("bob").cast(DType::kF64);
    return Arrays{there.to("alice") + index("alice").cast(DType::kF64)};
  });
  program.output("out", out[0]);
  CHECK(world.run(program) == std::vector<double>{381, 382, 383});
}

TEST_CASE("Control: which way it went is told to the others when the owner granted it") {
  World world({{.source = "x", .to = "bob"}, {.source = "x", .to = "dora"}});
  const Ref y = world.session.put("bob", Tensor::of<double>({3}, std::vector<double>{1, 1, 1}));
  const Refs branch = world.session.run(branch_at_both(), {{"y", y}});
  CHECK(world.fetch(branch["out"]) == std::vector<double>{2, 2, 2});
  const Refs loop = world.session.run(loop_at_both(), {{"y", y}});
  CHECK(world.fetch(loop["out"]) == std::vector<double>{4, 4, 4});  // 6, 12, 24, 48
}

TEST_CASE(
    "Control: a predicate that bob or the driver may not learn is refused before it is known") {
  const std::vector<std::pair<std::vector<Grant>, std::string>> cases = {
      {{}, "no grant of alice/x to bob"},
      {{{.source = "x", .to = "dora"}}, "no grant of alice/x to bob"},
      {{{.source = "x", .to = "bob"}}, "no grant of alice/x to dora"},
  };
  for (const auto& [grants, reason] : cases) {
    for (const PreparedPtr& program : {branch_at_both(), loop_at_both()}) {
      World world(grants);
      const Ref y = world.session.put("bob", Tensor::of<double>({3}, std::vector<double>{1, 1, 1}));
      const Refs refs = world.session.run(program, {{"y", y}});
      try {
        world.session.fetch(refs["out"]);
        FAIL("it ran");
      } catch (const Error& error) {
        INFO(error.what());
        CHECK(error.code() == Code::kDenied);
        CHECK(error.party() == "alice");
        CHECK(error.message().find(reason) != std::string::npos);
        CHECK((error.op() == "cond" || error.op() == "while"));
        CHECK(error.site().str().starts_with("control_test.cc:"));
      }
      CHECK_THROWS_WITH_AS(world.session.wait(), doctest::Contains(reason.c_str()), Error);
    }
  }
}

TEST_CASE(
    "Control: a predicate within one party is told to the driver, who needs a grant as well") {
  World world(std::vector<Grant>{});
  Program program("p");
  const Array x = dataset_x(program);
  cond(
      sum(x) > 5,
      [&] {
        program.save(x, Uri::parse("mem://000102030405060708090a0b0c0d0e0f"));
        return Arrays{x};
      },
      [&] { return Arrays{-x}; });
  world.session.run(program);
  CHECK_THROWS_WITH_AS(world.session.wait(), doctest::Contains("no grant of alice/x to dora"),
                       Error);
}

TEST_CASE("Control: what a branch computed carries the label of its predicate") {
  World world({{.source = "x", .to = "bob"},
               {.source = "x", .to = "dora", .releases = {"op1", "op2", "op3", "op4"}}});
  const Ref y = world.session.put("bob", Tensor::of<double>({3}, std::vector<double>{1, 1, 1}));
  const Refs refs = world.session.run(branch_at_both(), {{"y", y}});
  world.session.wait();
  CHECK(world.session.describe(refs["out"]).label == "{alice/x, dora}");
  CHECK_THROWS_WITH_AS(world.session.fetch(refs["out"]), doctest::Contains("but not as \"out\""),
                       Error);
}
