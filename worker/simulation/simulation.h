// A whole cluster in one process: real workers, with the links in memory. A driver program runs on
// it unchanged; it only gets its Wiring from here instead of from a cluster file.
//
// Thread: the Simulation belongs to one thread; what it starts has its own.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "protocol/interval.h"
#include "protocol/link/wiring.h"
#include "protocol/value.h"
#include "worker/policy.h"

namespace curia {

class AuditDisk;
class Disk;
class Link;
class Node;
class MemoryNetwork;
class MemoryControlNetwork;
struct Parts;

struct SimulatedParty {
  std::map<std::string, Value> datasets;
  std::map<std::string, Ranges> ranges = {};  // of datasets, by name
  std::vector<Grant> grants;
  std::vector<Rule> rules = {};
  std::vector<Approval> approvals = {};  // taken as they are: no signature is asked for
  std::int64_t memory_quota_bytes = 0;   // 0: none
  std::int64_t hidden_quota_bytes = 0;
  std::int64_t session_quota_bytes = 0;
  std::string spill_dir = {};  // for what memory has no room for; "": none
  std::int64_t lease_ms = 30'000;
  // What the worker gets instead of its link, around it: a party that does not do as it should.
  std::function<std::shared_ptr<Link>(std::shared_ptr<Link>)> wrap_link;
  std::string fs_root;  // folder of fs:// objects, which outlive restarts; "": there are none
  std::int64_t fs_hidden_quota_bytes = 0;
  Disk* disk = nullptr;  // of these objects; null: the system's. Outlives the simulation
};

class Simulation {
 public:
  Simulation(std::map<std::string, SimulatedParty> parties, std::vector<std::string> drivers);
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  // For one Session of this driver.
  Wiring wiring(const std::string& driver) const;

  // The party's worker dies with all it holds in memory, as if killed.
  void kill(const std::string& party);
  // And starts again, in the next epoch.
  void restart(const std::string& party);
  // The control connections to the party's worker end, and are made anew.
  void cut(const std::string& party);
  // From here on the party has this approval, too, also after a restart. REQUIRES: not killed.
  void approve(const std::string& party, Approval approval);
  // The party's audit log. REQUIRES: killed, since its worker writes it.
  std::shared_ptr<AuditDisk> audit(const std::string& party);
  // A party's insides, for tests. REQUIRES: not killed.
  Parts& parts(const std::string& party);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace curia
