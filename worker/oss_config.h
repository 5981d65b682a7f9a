// The part of a worker's configuration that is about oss://. worker/README.md lists the fields.
//
// Invariant: no error message holds what is in a credentials or key file. Thread: any.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "protocol/fields.h"
#include "store/s3_backend.h"

namespace curia {

struct OssConfig {
  std::string endpoint;
  std::string region;
  bool virtual_host = false;
  std::string credentials_file;
  std::string encryption_key_file;  // "": objects are not encrypted
  std::string ca_file;              // "": the system's
  std::map<std::string, S3Bucket> buckets;
  std::int64_t quota_bytes = 0;  // 0: as much as the server takes
  std::int64_t hidden_quota_bytes = 0;
  bool operator==(const OssConfig&) const = default;
};

// path: of the configuration; party: whose it is. Errors: kInvalid, naming file, field and what is
// expected.
OssConfig read_oss_config(Fields fields, const std::string& path, const std::string& party);

// Reads the files that it names. Errors: kInvalid and kNotFound, naming the file.
S3StoreOptions oss_options(const OssConfig& config, const std::string& state_dir,
                           const StoreKey& key);

}  // namespace curia
