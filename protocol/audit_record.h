// The records of an audit log: what a worker did and agreed to, never a value, share or key.
// AUDIT.md has the bytes.
//
// A log is a chain: each record's hash covers the record before it, so that one that is edited,
// removed or moved shows. Heads sign the chain up to a record.
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/digest.h"
#include "protocol/signature.h"

namespace curia {

// The numbers are part of the file format.
enum class AuditKind : std::uint8_t {
  kStart = 1,          // the worker began
  kStop = 2,           // and ended in order
  kPolicy = 3,         // the policy that holds from here on
  kPolicyRefused = 4,  // one that could not be read; the old one holds
  kSessionOpened = 5,
  kSessionClosed = 6,
  kPrepared = 7,  // a program
  kRun = 8,       // that ended well
  kRunFailed = 9,
  kConsent = 10,            // asked of this party: given or denied
  kFetch = 11,              // by a driver: allowed or denied
  kRefused = 12,            // any other request
  kDifferentPrograms = 13,  // the driver gave another party another program
  kPeerHead = 14,           // another party's signed head, as it told it
  kPeerHeadWrong = 15,      // one that contradicts an earlier one
  kMended = 16,             // the end of the log was cut by a crash
  kLost = 17,               // records that could not be written in time
  kHead = 18,               // the worker's signature of all before
};
std::string_view audit_kind_name(AuditKind kind);
std::optional<AuditKind> find_audit_kind(std::string_view name);

struct AuditField {
  std::string name;
  std::string value;
  bool operator==(const AuditField&) const = default;
};

struct AuditRecord {
  std::uint64_t sequence = 0;  // from 1, without gaps
  std::int64_t time_ms = 0;    // since 1970, UTC; set by the worker's clock, so it may jump
  AuditKind kind = AuditKind::kRefused;
  std::string principal;    // whose request or head it was; "" for what the worker did by itself
  std::string session;      // hex
  std::uint64_t task = 0;   // 0: none
  std::uint64_t times = 1;  // equal events in a row; runs: of the tasks `task` and the next ones
  std::vector<AuditField> fields;

  // The value of a field; "" where there is none.
  std::string_view field(std::string_view name) const;
};

inline constexpr std::int64_t kMaxAuditRecord = 1 << 20;
inline constexpr std::int64_t kMaxAuditText = 4 << 10;  // of a text in a record that is written
inline constexpr std::string_view kAuditMagic = "curia audit 1\n";

// The unique bytes of a record.
std::string encode_audit(const AuditRecord& record);
bool is_given_consent(const AuditRecord& record);
// Bytes that a record takes in a file.
std::int64_t audit_size(const AuditRecord& record);
// Cuts texts of more than kMaxAuditText bytes, and says so in them; drops fields behind the first
// half a kMaxAuditRecord, and counts them in a field `cut`. What is left fits into a record.
void fit_audit(AuditRecord& record);
// Errors: kInvalid for bytes that encode_audit() would not have written.
AuditRecord decode_audit(std::string_view bytes);
// Of a record in its chain; `previous` is all zero for the first.
Digest audit_hash(const Digest& previous, std::string_view bytes);
// As it stands in the file.
void append_audit_frame(std::string& file, std::string_view bytes, const Digest& hash);

// The chain of a party up to a record, signed.
struct AuditHead {
  std::uint64_t sequence = 0;  // 0: none
  Digest hash;
  Digest key;  // public, of the party's worker
  Signature signature{};

  bool operator==(const AuditHead&) const = default;
  // Does the signature belong to the rest?
  bool good(const std::string& party) const;
};
AuditHead sign_head(const SigningKey& key, const std::string& party, std::uint64_t sequence,
                    const Digest& hash);

// A log may hold anything once somebody has edited it: what is printed of one goes through this.
// The bytes of control characters (C0, DEL, C1), and those that are no UTF-8, become \xNN.
std::string audit_shown(std::string_view text);
// "2027-01-31T00:00:00.000Z"
std::string audit_time(std::int64_t time_ms);
// One line: what happened, for people.
std::string audit_line(const AuditRecord& record);

// Reads a log one record after the other, without trusting it.
class AuditReader {
 public:
  struct Frame {
    std::int64_t end = 0;  // offset behind it
    std::string bytes;     // of the record
    Digest hash;           // as it stands there
  };
  // REQUIRES: `in` outlives the reader. Errors: kCorrupt when it does not begin like a log. An
  // empty one is a log, too.
  explicit AuditReader(std::istream& in);

  // Nothing at the end, and where what follows is no whole record.
  std::optional<Frame> next();
  // Behind the last whole record.
  std::int64_t end() const { return end_; }
  // Bytes that follow it: a record that was cut, or other things.
  std::int64_t left();

 private:
  std::istream& in_;
  std::int64_t end_ = 0;
};

}  // namespace curia
