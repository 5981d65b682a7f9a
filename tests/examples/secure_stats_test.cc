#include "examples/secure_stats.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/examples/attacks.h"
#include "tests/support/worlds.h"

using namespace curia;

namespace {

void check_stats(World& world) {
  Session session = world.connect();
  const SecureStats stats = secure_stats(session);
  const std::vector<double> means = {5.8433, 3.0573, 3.7580, 1.1993};
  const std::vector<double> variances = {0.6811, 0.1887, 3.0955, 0.5771};
  REQUIRE(stats.means.size() == 4);
  REQUIRE(stats.variances.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(std::abs(stats.means[i] - means[i]) < 1e-4);
    CHECK(std::abs(stats.variances[i] - variances[i]) < 1.5e-4);
  }
}

}  // namespace

TEST_CASE("secure_stats: simulated parties give the known means and variances") {
  check_stats(*simulated_world(secure_stats_example().parties("dora")));
}

TEST_CASE("secure_stats: worker processes give the known figures") {
  check_stats(*process_world(secure_stats_example().parties("dora")));
}

TEST_CASE("secure_stats: the rows stay with their owners") {
  const auto world = simulated_world(secure_stats_example().parties("dora"));
  Session session = world->connect();
  for (const std::string party : {"alice", "bob", "carol"}) {
    const std::string other = party == "alice" ? "bob" : "alice";
    check_rows_stay(session, session.dataset(party, "iris"), "means", other);
  }
}

TEST_CASE("secure_stats: one owner who does not grant is enough, nobody learns the means") {
  for (const std::string silent : {"alice", "bob", "carol"}) {
    auto parties = secure_stats_example().parties("dora");
    parties[silent].grants.clear();
    const auto world = simulated_world(std::move(parties));
    Session session = world->connect();
    check_denied([&] { secure_stats(session); }, silent);
  }
}
