// What principals have learnt of a source by releases with differential privacy, and what that has
// cost. It is kept in memory and rebuilt from the audit log, which is its only journal: no restart
// and no change of the policy gives anything back.
//
// Costs add up (basic composition, C. Dwork, K. Kenthapadi, F. McSherry, I. Mironov, M. Naor, "Our
// data, ourselves", EUROCRYPT 2006). One release costs a principal once, however often it learns it
// and whatever is made of it. Thread: any.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/audit_record.h"
#include "protocol/label.h"
#include "worker/policy.h"

namespace curia {

// One value of a source to all who learn it at once.
struct BudgetUse {
  std::string source;
  std::vector<std::string> to;
  Charges charges;

  // As fields of the record of the consent, and back. Errors: kInvalid for malformed ones.
  void note(AuditRecord& record) const;
  static std::optional<BudgetUse> read(const AuditRecord& record);
};

class PrivacyBudgets {
 public:
  using Pending =
      std::map<std::pair<std::string, std::string>, Charges>;  // by source and principal

  // rules: one for each of use.to. Returns "", or one sentence without an end for the first budget
  // that does not suffice: then nothing is charged.
  std::string reserve(const BudgetUse& use, const std::vector<Rule>& rules);
  // What reserve() would return if `pending` had been charged before. Where it is "", the use is
  // added to it.
  std::string foresee(const BudgetUse& use, const std::vector<Rule>& rules, Pending& pending) const;
  // Of a use that never got to the log, and was not answered with yes.
  void undo(const BudgetUse& use);
  // Of a use that the log holds.
  void replay(const BudgetUse& use);
  // All of one principal for one source.
  Charge spent(const std::string& source, const std::string& to) const;

 private:
  struct Given {
    Charge charge;
    std::int64_t times = 0;  // that it was given, or is about to be
  };
  using Releases = std::map<Digest, Given>;

  std::string shortfall(const BudgetUse& use, const Rule& rule, const Charges* pending) const;
  void add(const BudgetUse& use);

  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, Releases> spent_;  // by source and principal
};

}  // namespace curia
