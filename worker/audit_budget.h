// How much each principal may write into the audit log with what needs no consent: so many bytes at
// once, and so many a second. Beyond it records are counted instead of written.
//
// Owned by Audit, under its mutex.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "protocol/audit_record.h"

namespace curia {

inline constexpr std::int64_t kAuditBurst = 512 << 10;         // bytes
inline constexpr std::int64_t kAuditBytesPerSecond = 8 << 10;  // that come back

class AuditBudget {
 public:
  using Clock = std::chrono::steady_clock;
  // Of whom a record counts; "" for the worker itself, which has no limit. The driver in a consent
  // is named by the party that asks, so that party pays unless it is this one.
  static std::string payer(const AuditRecord& record, const std::string& party);
  // False when it does not fit any more.
  bool take(const std::string& payer, std::int64_t bytes, Clock::time_point now);

 private:
  struct Account {
    std::int64_t left = kAuditBurst;
    Clock::time_point since;
  };
  std::map<std::string, Account> accounts_;
};

}  // namespace curia
