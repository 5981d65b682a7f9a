// A second-price auction among three bidders: the winner pays what the second offered. The driver
// learns who won and the price, not the bids.
#pragma once

#include "examples/example.h"

namespace curia {

PreparedPtr auction_program();

struct AuctionResult {
  std::int64_t winner = 0;  // 0 alice, 1 bob, 2 carol; the first of equals
  std::int64_t price = 0;
};
AuctionResult auction(Session& session);

// One bid each, of alice, bob and carol.
std::map<std::string, SimulatedParty> auction_parties(const std::vector<std::int64_t>& bids,
                                                      const std::string& driver);

Example auction_example();

}  // namespace curia
