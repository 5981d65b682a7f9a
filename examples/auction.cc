#include "examples/auction.h"

#include "examples/secure.h"

namespace curia {

PreparedPtr auction_program() {
  Program program("auction");
  const Device abc = program.device("abc", kSecureParties);
  Arrays bids;
  for (const std::string& party : kSecureParties) {
    const DatasetInfo bid = {"bid", parse_type("table[1]{cents:i64} @" + party)};
    bids.push_back(program.dataset(bid).column("cents").to(abc));
  }
  const Array all = concat(bids, 0);
  program.output("winner", argmax(all, 0));
  program.output("price", sort(all, 0, true).slice({1}, {2}).reshape({}));
  return prepare(program);
}

AuctionResult auction(Session& session) {
  const Refs refs = session.run(auction_program());
  const auto number = [&](const char* name) {
    return session.fetch(refs[name]).tensor().as<std::int64_t>()[0];
  };
  return {number("winner"), number("price")};
}

std::map<std::string, SimulatedParty> auction_parties(const std::vector<std::int64_t>& bids,
                                                      const std::string& driver) {
  const Digest program = auction_program()->digest;
  std::map<std::string, SimulatedParty> parties = secure_parties();
  for (std::size_t i = 0; i < kSecureParties.size(); ++i) {
    SimulatedParty& config = parties[kSecureParties[i]];
    config.datasets.emplace("bid", Table{{{"cents", Tensor::of<std::int64_t>({1}, {bids[i]})}}, 1});
    config.grants = {{"bid", driver, {program}, {"winner", "price"}, {}}};
    accept_device(config, "bid", program);
  }
  return parties;
}

Example auction_example() {
  Example example;
  example.name = "auction";
  example.programs = [] { return std::vector<PreparedPtr>{auction_program()}; };
  example.parties = [](const std::string& driver) {
    return auction_parties({12'500, 14'000, 13'250}, driver);
  };
  example.run = [](Session& session) {
    const AuctionResult result = auction(session);
    return kSecureParties[static_cast<std::size_t>(result.winner)] + " wins and pays " +
           std::to_string(result.price / 100) + "." +
           std::to_string(result.price % 100 + 100).substr(1) + "\n";
  };
  return example;
}

}  // namespace curia
