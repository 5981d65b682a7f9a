// The configuration of a worker: one JSON file. worker/README.md lists the fields.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/interval.h"
#include "protocol/type.h"
#include "worker/oss_config.h"
#include "worker/policy.h"

namespace curia {

struct PeerConfig {
  std::string control;  // "host:port"
  std::string key;      // CURVE public key, Z85
  bool operator==(const PeerConfig&) const = default;
};

enum class DatasetFormat { kCsv, kArrow, kNpy };

struct DatasetConfig {
  DatasetFormat format = DatasetFormat::kCsv;
  std::string file;                 // path, relative to the configuration file
  std::vector<ColumnType> columns;  // empty: found out from the file
  Ranges ranges;                    // that every cell is within
  bool operator==(const DatasetConfig&) const = default;
};

struct WorkerConfig {
  std::string party;
  std::string control;   // "host:port" to listen on; port 0: chosen by the system
  std::string data;      // likewise, for the data plane
  std::string key_file;  // of the worker's own key pair
  std::map<std::string, PeerConfig> parties;  // the other workers
  std::map<std::string, DatasetConfig> datasets;
  Policy policy;
  std::int64_t memory_quota_bytes = std::int64_t{8} << 30;
  std::int64_t hidden_quota_bytes = std::int64_t{4} << 30;  // for sizes that depend on the data
  std::int64_t session_quota_bytes = 0;  // of one session in memory_quota_bytes; 0: all of it
  std::int64_t spill_quota_bytes = 0;    // on disk, for what memory has no room for; 0: none
  std::string spill_dir;                 // folder for that
  std::int64_t lease_ms = 30'000;
  std::string state_dir;
  std::string fs_root;              // folder of fs:// objects; "": there are none
  std::int64_t fs_quota_bytes = 0;  // 0: as much as the disk takes
  std::int64_t fs_hidden_quota_bytes = 0;
  std::optional<OssConfig> oss;  // none: no oss://
  std::string log_level = "info";
  std::string ready_file;  // written once the worker listens, with its ports

  // Of all that is read at the start only.
  bool same_beside_policy(const WorkerConfig& other) const;
};

// Errors: kInvalid, naming file, field and what is expected.
WorkerConfig read_worker_config(const std::string& path);

// "host:port" -> both. Errors: kInvalid.
std::pair<std::string, std::uint16_t> split_host_port(const std::string& text);

}  // namespace curia
