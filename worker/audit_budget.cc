#include "worker/audit_budget.h"

#include <algorithm>

namespace curia {

std::string AuditBudget::payer(const AuditRecord& record, const std::string& party) {
  if (record.kind != AuditKind::kConsent) return record.principal;
  const std::string_view asker = record.field("asked_by");
  return asker.empty() || asker == party ? record.principal : std::string(asker);
}

bool AuditBudget::take(const std::string& payer, std::int64_t bytes, Clock::time_point now) {
  if (payer.empty()) return true;
  Account& account = accounts_.try_emplace(payer, Account{kAuditBurst, now}).first->second;
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now - account.since);
  const std::int64_t back =
      std::min<std::int64_t>(ms.count(), 1000 * kAuditBurst / kAuditBytesPerSecond) *
      kAuditBytesPerSecond / 1000;
  if (back > 0) {
    account.left = std::min(kAuditBurst, account.left + back);
    account.since = now;
  }
  if (bytes > account.left) return false;
  account.left -= bytes;
  return true;
}

}  // namespace curia
