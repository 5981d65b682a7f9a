#include "examples/auction.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/examples/attacks.h"
#include "tests/support/worlds.h"

using namespace curia;

namespace {

void check_auction(World& world, const std::vector<std::int64_t>& bids) {
  Session session = world.connect();
  const AuctionResult result = auction(session);
  CAPTURE(bids[0]);
  CAPTURE(bids[1]);
  CAPTURE(bids[2]);
  std::vector<std::int64_t> sorted = bids;
  std::sort(sorted.begin(), sorted.end());
  CHECK(result.winner == std::max_element(bids.begin(), bids.end()) - bids.begin());
  CHECK(result.price == sorted[1]);
}

}  // namespace

TEST_CASE("auction: every order of bids, and equal ones") {
  for (const std::vector<std::int64_t>& bids :
       std::vector<std::vector<std::int64_t>>{{1, 2, 3},
                                              {1, 3, 2},
                                              {2, 1, 3},
                                              {2, 3, 1},
                                              {3, 1, 2},
                                              {3, 2, 1},
                                              {7, 7, 1},
                                              {1, 7, 7},
                                              {7, 1, 7},
                                              {5, 5, 5},
                                              {0, 0, 1},
                                              {1'000'000'000'000, 999'999'999'999, 0}}) {
    check_auction(*simulated_world(auction_parties(bids, "dora")), bids);
  }
}

TEST_CASE("auction: worker processes agree on winner and price") {
  const std::vector<std::int64_t> bids = {12'500, 14'000, 13'250};
  check_auction(*process_world(auction_parties(bids, "dora")), bids);
}

TEST_CASE("auction: the bids stay with the bidders") {
  const auto world = simulated_world(auction_parties({1, 2, 3}, "dora"));
  Session session = world->connect();
  check_rows_stay(session, session.dataset("alice", "bid"), "price", "bob");
}
