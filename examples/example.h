// What the examples share: their command line, and the data and grants that they bring along.
//
//   iris_means --simulate            a whole cluster in this process, with the example's own data
//   iris_means --cluster dora.json   real workers
//   iris_means --digest              the digests that the owners' grants are narrowed to
//   iris_means --write DIR           DIR/<party>/<dataset>.csv and DIR/<party>/grants.json, for the
//                                    configurations of real workers
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "driver/session.h"
#include "store/csv.h"
#include "worker/simulation/simulation.h"

namespace curia {

struct Example {
  std::string name;
  // Everything the driver does; returns the text to print.
  std::function<std::string(Session&)> run;
  std::function<std::vector<PreparedPtr>()> programs;
  // Each party's datasets (tables) and grants, those to the driver with this name.
  std::function<std::map<std::string, SimulatedParty>(const std::string& driver)> parties;
};

// Exit code: 0; 1 when the run failed; 2 for a wrong command line or configuration.
int example_main(const Example& example, int argc, char** argv);

// examples/data/<name>.csv
Table example_data(const std::string& name);

}  // namespace curia
