// The driver's view of a real cluster: a JSON file with the workers' addresses and public keys.
//
//   { "driver": "dora", "key_file": "dora.key", "local_store": "fetched",
//     "parties": { "alice": { "control": "127.0.0.1:7001", "key": "..." }, ... } }
#pragma once

#include <map>
#include <string>

#include "driver/connection.h"
#include "driver/session.h"

namespace curia {

struct ClusterConfig {
  std::string driver;
  std::string key_file;
  std::string local_store;  // "" where there is none
  struct Party {
    std::string control;  // "host:port"
    std::string key;      // CURVE public key, Z85
  };
  std::map<std::string, Party> parties;
};

// Errors: kInvalid, naming file, field and what is expected.
ClusterConfig read_cluster_config(const std::string& path);

// For one Session.
Wiring wire(const ClusterConfig& config);

// Opens a session with every party of the cluster file. Waits. With the environment's
// CURIA_PLAN_RELEASES, a file's name, the session only plans (ConnectionOptions::plan_file): so
// `curia plan --release` learns what a driver program would do. Errors: kInvalid; kWorkerLost with
// the party and the reason.
Session connect(const std::string& cluster_file, const ConnectionOptions& options = {});

}  // namespace curia
