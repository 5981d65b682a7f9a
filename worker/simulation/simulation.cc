#include "worker/simulation/simulation.h"

#include <filesystem>
#include <set>
#include <utility>

#include "protocol/link/memory_control.h"
#include "protocol/link/memory_link.h"
#include "worker/node.h"

namespace curia {

struct Simulation::State {
  std::map<std::string, SimulatedParty> parties;
  std::vector<std::string> drivers;
  MemoryControlNetwork control;
  MemoryNetwork links;
  std::map<std::string, std::unique_ptr<Node>> nodes;
  std::map<std::string, std::uint64_t> epochs;
  std::map<std::string, StoreKey> store_keys;
  // Outlive their workers, as files do.
  std::map<std::string, std::shared_ptr<AuditDisk>> audits;
  std::map<std::string, std::map<std::string, Digest>> snapshots;  // lineages of datasets
  std::map<std::string, SigningKey> signing_keys;

  Policy policy_of(const SimulatedParty& config) const {
    Policy policy;
    policy.grants = config.grants;
    policy.rules = config.rules;
    policy.approvals = config.approvals;
    policy.index();
    for (const std::string& driver : drivers) policy.drivers[driver] = "";
    return policy;
  }

  void start(const std::string& party) {
    const SimulatedParty& config = parties.at(party);
    NodeOptions options;
    options.party = party;
    options.epoch = ++epochs[party];
    for (const auto& [name, value] : config.datasets) {
      const auto ranges = config.ranges.find(name);
      Dataset dataset =
          make_dataset(party, value, ranges == config.ranges.end() ? Ranges{} : ranges->second);
      // The same snapshot at every start, as with a state_dir.
      dataset.lineage = snapshots[party].try_emplace(name, dataset.lineage).first->second;
      options.datasets.emplace(name, std::move(dataset));
    }
    options.policy = policy_of(config);
    auto& audit = audits[party];
    if (audit == nullptr) audit = memory_audit();
    options.audit = audit;
    options.signing_key = signing_keys.try_emplace(party, SigningKey::generate()).first->second;
    options.memory_quota_bytes = config.memory_quota_bytes;
    options.hidden_quota_bytes = config.hidden_quota_bytes;
    options.session_quota_bytes = config.session_quota_bytes;
    options.spill_dir = config.spill_dir;
    options.lease_ms = config.lease_ms;
    options.helpers = 0;
    if (!config.fs_root.empty()) {
      options.files = FileStoreOptions{.root = config.fs_root + "/objects",
                                       .state = config.fs_root,
                                       .key = store_keys.at(party),
                                       .hidden_quota = config.fs_hidden_quota_bytes};
      if (config.disk != nullptr) options.files->disk = config.disk;
      std::filesystem::create_directories(config.fs_root);
    }
    for (const auto& [peer, unused] : parties) {
      if (peer != party) options.peers[peer] = {"memory://" + peer, "", ""};
    }
    std::shared_ptr<Link> link = links.link(party);
    if (config.wrap_link) link = config.wrap_link(std::move(link));
    nodes[party] = std::make_unique<Node>(std::move(options), control.make_server(party),
                                          control.make_client(party), std::move(link), nullptr);
  }
};

Simulation::Simulation(std::map<std::string, SimulatedParty> parties,
                       std::vector<std::string> drivers)
    : state_(std::make_unique<State>()) {
  state_->parties = std::move(parties);
  state_->drivers = std::move(drivers);
  for (const auto& [party, unused] : state_->parties) {
    random_bytes(state_->store_keys[party]);
    state_->start(party);
  }
}

Simulation::~Simulation() = default;

Wiring Simulation::wiring(const std::string& driver) const {
  Wiring wiring;
  wiring.driver = driver;
  for (const auto& [party, unused] : state_->parties) {
    wiring.workers[party] = {"memory://" + party, "", ""};
  }
  wiring.control = state_->control.make_client(driver);
  wiring.make_link = [links = &state_->links](const std::string& self) {
    return SessionLink{links->link(self), nullptr};
  };
  return wiring;
}

void Simulation::kill(const std::string& party) {
  state_->nodes.erase(party);
  state_->links.lose(party, Error(Code::kPeerLost, party + " died"));
}

void Simulation::restart(const std::string& party) {
  state_->nodes.erase(party);
  state_->start(party);
}

void Simulation::cut(const std::string& party) { state_->control.cut(party); }

void Simulation::approve(const std::string& party, Approval approval) {
  SimulatedParty& config = state_->parties.at(party);
  config.approvals.push_back(std::move(approval));
  state_->nodes.at(party)->set_policy(state_->policy_of(config), "test");
}

std::shared_ptr<AuditDisk> Simulation::audit(const std::string& party) {
  return state_->audits.at(party);
}

Parts& Simulation::parts(const std::string& party) { return state_->nodes.at(party)->parts(); }

}  // namespace curia
