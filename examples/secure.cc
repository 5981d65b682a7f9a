#include "examples/secure.h"

namespace curia {

std::map<std::string, SimulatedParty> secure_parties() {
  std::map<std::string, SimulatedParty> parties;
  for (const std::string& party : kSecureParties) parties[party];
  return parties;
}

void accept_device(SimulatedParty& owner, const std::string& dataset, const Digest& program) {
  owner.grants.push_back({.source = dataset,
                          .to = "",
                          .programs = {program},
                          .members = {kSecureParties.begin(), kSecureParties.end()},
                          .protocol = std::string(kReplicated3)});
}

Array standardised(const Array& x, const Array& by) {
  const Array middle = mean(by, {0});
  const Array away = by - middle;
  return (x - middle) / sqrt(mean(away * away, {0}));
}

}  // namespace curia
