// What system tests look at in the audit logs of workers.
#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "protocol/audit_verify.h"
#include "tests/support/process_cluster.h"

namespace curia {

inline std::string audit_file(const ProcessCluster& cluster, const std::string& party) {
  return cluster.folder() + "/state-" + party + "/audit.log";
}

inline std::vector<AuditRecord> audit_of(const ProcessCluster& cluster, const std::string& party) {
  std::vector<AuditRecord> records;
  std::ifstream in(audit_file(cluster, party), std::ios::binary);
  AuditReader reader(in);
  for (;;) {
    const auto frame = reader.next();
    if (!frame) return records;
    records.push_back(decode_audit(frame->bytes));
  }
}

inline AuditReport verify_log(const ProcessCluster& cluster, const std::string& party,
                              const std::vector<std::string>& peers = {}) {
  std::vector<SeenHead> seen;
  for (const std::string& peer : peers) {
    std::ifstream log(audit_file(cluster, peer), std::ios::binary);
    const std::vector<SeenHead> more = seen_heads(log);
    seen.insert(seen.end(), more.begin(), more.end());
  }
  std::ifstream in(audit_file(cluster, party), std::ios::binary);
  return verify_audit(in, seen);
}

}  // namespace curia
