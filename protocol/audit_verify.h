// Finds what was done to an audit log: records edited, removed, moved; signatures that do not
// belong; heads that other parties saw and that it does not have (a cut, or a second history).
#pragma once

#include <cstdint>
#include <istream>
#include <map>
#include <string>
#include <vector>

#include "protocol/audit_record.h"

namespace curia {

// A head that `seen_by` wrote into its own log, or gave away in a list.
struct SeenHead {
  std::string seen_by;
  std::string party;  // whose head it is
  std::int64_t time_ms = 0;
  AuditHead head;
};

// Those that a party's log holds, of all other parties; its records are not verified. Errors:
// kCorrupt when it is no log.
std::vector<SeenHead> seen_heads(std::istream& log);
// Of records of kind kPeerHead. Errors: kInvalid for one that is none.
AuditRecord peer_head_record(const std::string& party, const AuditHead& head);
AuditHead peer_head_of(const AuditRecord& record);
// A list of heads as JSON, to be given away without the rest of a log.
std::string heads_json(const std::vector<SeenHead>& heads);
// Errors: kInvalid, naming what is wrong.
std::vector<SeenHead> parse_heads(const std::string& json);

struct AuditProblem {
  std::uint64_t record = 0;
  std::string text;  // a sentence that names the record
};

// What is checked. A test leaves one out to show that nothing else finds what it finds.
struct AuditChecks {
  bool hashes = true;
  bool order = true;
  bool signatures = true;
  bool heads = true;
  bool tail = true;        // what stands behind the last signature
  bool last_head = false;  // its signature, also where the others are not checked
};

// A worker signs at the end of every write: more records than this have no reason to be unsigned.
inline constexpr std::uint64_t kMaxAuditTail = 20'000;

inline constexpr std::int64_t kMaxAuditProblems = 20;

struct AuditReport {
  std::string party;
  Digest key;  // of its signatures
  std::uint64_t records = 0;
  std::uint64_t last = 0;              // number of the last one
  std::uint64_t signed_to = 0;         // up to which the worker signed
  std::uint64_t unsigned_records = 0;  // whole ones behind the last signature: not vouched for
  std::uint64_t unsigned_consents = 0;
  std::uint64_t seen_to = 0;           // the last one that another party is known to have seen
  bool last_head_bad = false;          // with AuditChecks::last_head
  std::int64_t cut_bytes = 0;          // of a record at the end that is not whole
  std::vector<AuditProblem> problems;  // at most kMaxAuditProblems
};

// `seen`: of any party. `key`: the one its owner published; all zero: the log's own. Errors:
// kCorrupt when it is no log.
AuditReport verify_audit(std::istream& log, const std::vector<SeenHead>& seen = {},
                         const Digest& key = {}, const AuditChecks& checks = {});

}  // namespace curia
