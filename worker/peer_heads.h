// The heads of other parties' audit logs that this worker was told, and whether a new one fits.
//
// Heads come in on several lanes, so an older one may come late. That is no contradiction, unless
// it is older than one that this worker knew when it started: what is told now was read since.
// Owned by Audit. Thread: one at a time.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "protocol/audit_record.h"

namespace curia {

inline constexpr std::size_t kMaxPeerHeads = 64;  // kept of a party, the latest

class PeerHeads {
 public:
  // One that the log holds at start.
  void replay(const std::string& party, const AuditHead& head);
  // Takes it and returns "", or says what it contradicts.
  std::string judge(const std::string& party, const AuditHead& head);

 private:
  struct Known {
    Digest key;
    std::uint64_t at_start = 0;              // the latest that was replayed
    std::map<std::uint64_t, Digest> hashes;  // by sequence
  };
  static void keep(Known& known, const AuditHead& head);

  std::map<std::string, Known> known_;
};

}  // namespace curia
