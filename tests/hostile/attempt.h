// One thing that a hostile driver tries, and what came of it.
//
// An attempt asks a cluster of real workers (world.h) for something that their owners did not
// release. It passes when it is refused with a clear code, no byte of what it was after came to the
// attacker, and an honest party's audit log names it. Attempts on side channels are observations:
// of two datasets that differ only in their cells the attacker has to see the same.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "driver/session.h"
#include "protocol/audit_record.h"
#include "protocol/error.h"
#include "tests/hostile/world.h"
#include "tests/support/raw_driver.h"

namespace curia {

// What an attacker worked out, and what it was after.
struct Learnt {
  std::vector<std::int64_t> found;
  std::vector<std::int64_t> truth;
};

// What a record in an audit log has to look like.
struct Evidence {
  std::string party;
  AuditKind kind = AuditKind::kRefused;
  std::string principal;
  std::string session;  // hex; "" for any
  std::string field;    // "" for any
  std::string value;
};

// The attacker's means, and what it was given so far. Thread: one.
class Trial {
 public:
  explicit Trial(World& world);
  ~Trial();
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  World& world() { return world_; }
  // A new session with all parties, every byte of which is kept. It lives as long as the trial.
  Session& session(const std::string& driver = "dora");
  // A client that speaks the wire format by hand, with a new session or the given one.
  RawDriver& raw(const std::string& party, const std::string& principal = "mallory",
                 std::optional<SessionId> id = {});
  // Sends one request. Errors: what came back as an error.
  std::string call(RawDriver& raw, Kind kind, const std::string& metadata);
  std::string call(RawDriver& raw, const Header& header, const std::string& metadata);
  // What the attacker was given outside of its sessions.
  void saw(const std::string& bytes) { seen_ += bytes + "\n"; }

  // What the attempt has to fail with. Errors: kFailed unless it does.
  Error refused(const std::function<void()>& attempt);
  // Something honest that the attempt builds on. Errors: kFailed unless it is so.
  static void must(bool is_so, const std::string& what);

  // Records that have to be in the logs, besides the one of the refusal.
  void expect(Evidence evidence) { evidence_.push_back(std::move(evidence)); }
  // The refusal itself is found by these instead of the sessions of the trial.
  void found_by(Evidence evidence) { instead_.push_back(std::move(evidence)); }

  const std::vector<Evidence>& evidence() const { return evidence_; }
  const std::vector<Evidence>& instead() const { return instead_; }
  std::set<std::string> sessions() const;
  std::string seen() const;  // all bytes
  void end_sessions();

 private:
  World& world_;
  struct Recorded;
  std::vector<std::unique_ptr<Recorded>> recorded_;
  std::vector<std::unique_ptr<RawDriver>> raws_;
  std::set<std::string> raw_sessions_;
  std::string seen_;
  std::vector<Evidence> evidence_;
  std::vector<Evidence> instead_;
};

struct Attempt {
  std::string name;
  // With a policy that grants everything it gets what it is after.
  bool steals = false;
  // Returns what it learnt, or throws the refusal.
  std::function<Learnt(Trial&)> run;
  // Of a side channel: all that can be seen of one dataset, as lines. `run` is empty.
  std::function<std::vector<std::string>(Trial&, const DatasetInfo&)> observe;
  // Why no record can be expected; "" where one is.
  std::string unaudited;
};

using Attempts = std::vector<Attempt>;

// The table. One file a family; a new attempt is one line there, a new family one line in main.cc.
Attempts disguises();
Attempts predicates();
Attempts moves();
Attempts stored();
Attempts sessions();
Attempts forgeries();
Attempts shares();
Attempts members();
Attempts channels();
Attempts counts();
Attempts budgets();
Attempts approvals();
Attempts approval_files();

}  // namespace curia
