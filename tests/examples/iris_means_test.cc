#include "examples/iris_means.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/examples/attacks.h"
#include "tests/support/worlds.h"

using namespace curia;

namespace {

void check_means(World& world) {
  Session session = world.connect();
  const std::vector<double> means = iris_means(session);
  const std::vector<double> expected = {5.8433, 3.0573, 3.7580, 1.1993};
  REQUIRE(means.size() == expected.size());
  for (std::size_t i = 0; i < means.size(); ++i) {
    CHECK(std::abs(means[i] - expected[i]) < 5e-5);
  }
}

void check_attacks(World& world) {
  Session session = world.connect();
  for (const std::string party : {"alice", "bob", "carol"}) {
    const std::string other = party == "alice" ? "bob" : "alice";
    check_rows_stay(session, session.dataset(party, "iris"), "means", other);
  }
}

}  // namespace

TEST_CASE("iris_means: simulated parties give the known means") {
  check_means(*simulated_world(iris_means_example().parties("dora")));
}

TEST_CASE("iris_means: worker processes give the known means, and keep the rows") {
  const auto world = process_world(iris_means_example().parties("dora"));
  check_means(*world);
  check_attacks(*world);
}

TEST_CASE("iris_means: simulated parties keep the rows") {
  check_attacks(*simulated_world(iris_means_example().parties("dora")));
}

TEST_CASE("iris_means: another driver does not get the means") {
  const auto world = simulated_world(iris_means_example().parties("dora"));
  Session session = world->connect("mallory");
  try {
    iris_means(session);
    FAIL("mallory got the means");
  } catch (const Error& error) {
    CHECK(error.code() == Code::kDenied);
    CHECK(error.message().find("no grant of alice/iris to mallory") != std::string::npos);
  }
}

TEST_CASE("iris_means: the same sums under another program's digest are refused") {
  const auto world = simulated_world(iris_means_example().parties("dora"));
  Session session = world->connect();
  Program program("iris_means");
  const Array rows = program.dataset(session.dataset("alice", "iris"));
  const Array first = sum(rows.column("petal_width_cm").slice({0}, {1}));
  program.output("means", first.to("carol", "sums"));
  const Refs refs = session.run(program);
  CHECK_THROWS_WITH_AS(session.fetch(refs["means"]), doctest::Contains("not through program"),
                       Error);
}
