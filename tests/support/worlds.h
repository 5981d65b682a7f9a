// One description of a cluster, run as a simulation in this process or as real worker processes, so
// that a test can be asked of both.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "driver/connection.h"
#include "driver/session.h"
#include "worker/simulation/simulation.h"

namespace curia {

// Drivers: "dora" and "mallory".
class World {
 public:
  virtual ~World() = default;
  virtual Session connect(const std::string& driver = "dora") = 0;
};

using Parties = std::map<std::string, SimulatedParty>;

std::unique_ptr<World> simulated_world(Parties parties);
// REQUIRES: datasets are tables.
std::unique_ptr<World> process_world(Parties parties);

}  // namespace curia
