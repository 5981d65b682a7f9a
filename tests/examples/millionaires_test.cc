#include "examples/millionaires.h"

#include <doctest/doctest.h>

#include "tests/examples/attacks.h"
#include "tests/support/worlds.h"

using namespace curia;

namespace {

void check_answers(World& world, const std::vector<std::int64_t>& alice,
                   const std::vector<std::int64_t>& bob) {
  Session session = world.connect();
  const std::vector<bool> less = millionaires(session, std::ssize(alice));
  REQUIRE(less.size() == alice.size());
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < less.size(); ++i) wrong += less[i] != (alice[i] < bob[i]) ? 1 : 0;
  CHECK(wrong == 0);
}

struct Fortunes {
  std::vector<std::int64_t> alice;
  std::vector<std::int64_t> bob;
};

Fortunes every_pair_of(const std::vector<std::int64_t>& values) {
  Fortunes pairs;
  for (const std::int64_t a : values) {
    for (const std::int64_t b : values) {
      pairs.alice.push_back(a);
      pairs.bob.push_back(b);
    }
  }
  return pairs;
}

Fortunes edges() {
  constexpr std::int64_t kMost = (std::int64_t{1} << 62) - 1;
  return every_pair_of({-kMost, -kMost + 1, -(std::int64_t{1} << 32), -2, -1, 0, 1, 2, 255, 256,
                        std::int64_t{1} << 32, kMost - 1, kMost});
}

}  // namespace

TEST_CASE("millionaires: all pairs of numbers below 256") {
  std::vector<std::int64_t> values(256);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int64_t>(i);
  const auto [alice, bob] = every_pair_of(values);
  check_answers(*simulated_world(millionaires_parties(alice, bob, "dora")), alice, bob);
}

TEST_CASE("millionaires: signed numbers at their limits, over real processes") {
  const auto [alice, bob] = edges();
  check_answers(*process_world(millionaires_parties(alice, bob, "dora")), alice, bob);
}

TEST_CASE("millionaires: the fortunes stay") {
  const auto [alice, bob] = edges();
  const auto world = simulated_world(millionaires_parties(alice, bob, "dora"));
  Session session = world->connect();
  check_rows_stay(session, session.dataset("alice", "fortunes"), "less", "bob");
  check_rows_stay(session, session.dataset("bob", "fortunes"), "less", "alice");
}

TEST_CASE("millionaires: a fortune beyond the limits counts as the limit") {
  const std::vector<std::int64_t> alice = {std::int64_t{1} << 62, INT64_MIN}, bob = {1, 1};
  check_answers(*simulated_world(millionaires_parties(alice, bob, "dora")), {2, 0}, bob);
}
