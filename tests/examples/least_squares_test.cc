#include "examples/least_squares.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/examples/attacks.h"
#include "tests/support/worlds.h"

using namespace curia;

namespace {

constexpr double kR2 = 0.5177;  // ordinary least squares in the clear

void check_fit(World& world) {
  Session session = world.connect();
  CHECK(std::abs(least_squares(session) - kR2) < 0.002);
}

}  // namespace

TEST_CASE("least_squares: simulated parties reach the fit of the clear") {
  check_fit(*simulated_world(least_squares_example().parties("dora")));
}

TEST_CASE("least_squares: worker processes reach the fit, and keep the patients") {
  const auto world = process_world(least_squares_example().parties("dora"));
  check_fit(*world);
  Session session = world->connect();
  check_rows_stay(session, session.dataset("carol", "patients"), "r2", "bob");
}
