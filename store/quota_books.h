// What the objects of a backend count against the quotas of its two accounts.
//
// Owned by the backend and by all charges: somebody may hold an object for longer than the backend
// lives. Thread: any (a mutex of its own).
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "store/backend.h"

namespace curia {

// What an object counts in its account. A failure that only some may know of counts like the value
// in whose place it stands.
std::int64_t counted_bytes(const Value& value, const ObjectMeta& meta);
Account account_for(const ObjectMeta& meta);

class QuotaBooks {
 public:
  // Quotas of the two accounts, 0: none. The names are those of the configuration, for messages:
  // what is counted ("memory"), and the fields that raise the quotas.
  struct Names {
    std::string counted;
    std::string open;
    std::string hidden;
  };
  QuotaBooks(std::int64_t open_quota, std::int64_t hidden_quota, Names names);

  // Errors: kQuota. The messages say nothing of what others hold here.
  void reserve(Account account, std::int64_t bytes);
  void unreserve(Account account, std::int64_t bytes);
  // Reserved until the result is gone. Errors: kQuota.
  static std::shared_ptr<const void> hold(const std::shared_ptr<QuotaBooks>& books, Account account,
                                          std::int64_t bytes);
  AccountStats stats(Account account) const;

  // What one object counts. Owned by the object and its copies.
  class Charge {
   public:
    // freed: what goes when this comes. overhead: what the object counts beyond its bytes. Errors:
    // kQuota, but where it is `owed`: an object that is there already.
    Charge(std::shared_ptr<QuotaBooks> books, Account account, std::int64_t bytes,
           const Charge* freed, std::int64_t overhead = kObjectOverhead, bool owed = false);
    ~Charge();
    Charge(const Charge&) = delete;
    Charge& operator=(const Charge&) = delete;

   private:
    const std::shared_ptr<QuotaBooks> books_;
    const Account account_;
    const std::int64_t bytes_;
    const std::int64_t overhead_;
  };

 private:
  AccountStats& held(Account which) { return which == Account::kOpen ? open_ : hidden_; }
  // REQUIRES: mutex_ held.
  void check(Account which, std::int64_t more);

  const Names names_;
  mutable std::mutex mutex_;
  AccountStats open_;
  AccountStats hidden_;
};

}  // namespace curia
