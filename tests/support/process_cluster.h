// Real worker processes for system tests and benches: keys, configurations and folders in a
// temporary place, ports drawn at random, everything gone at the end. The workers die with this
// process, also when it is killed.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "driver/cluster.h"
#include "driver/session.h"

namespace curia {

// One party's part of the cluster; texts are JSON fragments of its configuration.
struct ProcessParty {
  std::map<std::string, std::string> csv;          // dataset name -> CSV text
  std::map<std::string, std::string> ranges = {};  // of datasets, by name
  std::string grants = "[]";
  std::string rules = "[]";
  // Where the other parties look for it; a proxy may listen there at the same ports.
  std::string peer_host = "127.0.0.1";
  int max_files = 0;  // descriptors the worker may have open; 0: as many as this process
  std::int64_t max_file_bytes = 0;  // that it may write into one file; 0: as many as this process
  std::map<std::string, std::string> extra;  // further fields: name -> JSON
};

class ProcessCluster {
 public:
  // Starts a worker for each party and waits until it listens. Drivers: "dora" and "mallory".
  // Errors: kFailed with what the worker printed.
  explicit ProcessCluster(std::map<std::string, ProcessParty> parties);
  ~ProcessCluster();
  ProcessCluster(const ProcessCluster&) = delete;
  ProcessCluster& operator=(const ProcessCluster&) = delete;

  std::string cluster_file(const std::string& driver = "dora") const;
  Session connect(const std::string& driver = "dora", const ConnectionOptions& options = {}) const;

  const std::string& folder() const { return folder_; }
  std::string config_file(const std::string& party) const;
  std::string control_endpoint(const std::string& party) const;
  int control_port(const std::string& party) const { return ports_.at(party).control; }
  int data_port(const std::string& party) const { return ports_.at(party).data; }
  std::string public_key(const std::string& party) const;
  pid_t pid(const std::string& party) const { return pids_.at(party); }

  // Returns from SIGSTOP when all threads of the worker have stopped.
  void signal(const std::string& party, int number) const;
  void kill(const std::string& party);  // SIGKILL, and waits for it
  int stop(const std::string& party);  // SIGTERM, and waits; how it exited; below 0: by that signal
  void start(const std::string& party);  // again, with the same configuration
  // Of a party that is not running.
  void set_max_file_bytes(const std::string& party, std::int64_t bytes);
  // Replaces the grants of a party that is not running.
  void set_grants(const std::string& party, const std::string& grants);
  std::string log(const std::string& party) const;  // all it printed so far

 private:
  class Forker;
  void write_config(const std::string& party) const;

  std::string folder_;
  std::map<std::string, ProcessParty> parties_;
  std::map<std::string, pid_t> pids_;
  struct Ports {
    int control = 0;
    int data = 0;
  };
  std::map<std::string, Ports> ports_;
  std::map<std::string, std::string> keys_;
  std::unique_ptr<Forker> forker_;
};

// Peak resident memory of a process (VmHWM), bytes.
std::int64_t peak_memory(pid_t pid);

}  // namespace curia
