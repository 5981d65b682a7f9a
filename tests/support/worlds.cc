#include "tests/support/worlds.h"

#include <utility>

#include "store/csv.h"
#include "tests/support/process_cluster.h"
#include "worker/policy_json.h"

namespace curia {
namespace {

class SimulatedWorld : public World {
 public:
  explicit SimulatedWorld(Parties parties) : cluster_(std::move(parties), {"dora", "mallory"}) {}
  Session connect(const std::string& driver) override {
    return Session(cluster_.wiring(driver), {});
  }

 private:
  Simulation cluster_;
};

class ProcessWorld : public World {
 public:
  explicit ProcessWorld(std::map<std::string, ProcessParty> parties)
      : cluster_(std::move(parties)) {}
  Session connect(const std::string& driver) override { return cluster_.connect(driver); }

 private:
  ProcessCluster cluster_;
};

}  // namespace

std::unique_ptr<World> simulated_world(Parties parties) {
  return std::make_unique<SimulatedWorld>(std::move(parties));
}

std::unique_ptr<World> process_world(Parties parties) {
  std::map<std::string, ProcessParty> processes;
  for (const auto& [name, party] : parties) {
    ProcessParty& process = processes[name];
    process.grants = grants_json(party.grants);
    process.rules = rules_json(party.rules);
    for (const auto& [dataset, ranges] : party.ranges) {
      std::string& json = process.ranges[dataset];
      for (const auto& [column, range] : ranges) {
        json += (json.empty() ? "{\"" : ", \"") + column + "\": " + range.str();
      }
      json += "}";
    }
    for (const auto& [dataset, value] : party.datasets) {
      process.csv[dataset] = write_csv(value.table());
    }
  }
  return std::make_unique<ProcessWorld>(std::move(processes));
}

}  // namespace curia
