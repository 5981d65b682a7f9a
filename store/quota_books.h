// What the objects of a backend count against its quotas: that of the open account, and that which
// hidden accounts share.
//
// A hidden account gets its part of the quota when the first comes that counts in it, and keeps it
// until the last is gone: an eighth of what others have not been given, times the fraction of the
// quota that this is. So the n-th of n accounts gets about 8 / (7 + n)^2 of the quota. How much
// that is hangs on which labels and uses there are, in which order they came, and on nothing in the
// data.
//
// Owned by the backend and by all charges: somebody may hold an object for longer than the backend
// lives. Thread: any (a mutex of its own).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "store/backend.h"

namespace curia {

// What an object counts in its account. A failure that only some may know of counts like the value
// in whose place it stands, or nothing where the size of that is hidden: so there is room for a
// failure wherever there is room for an object.
std::int64_t counted_bytes(const Value& value, const ObjectMeta& meta);
Account account_for(const ObjectMeta& meta);

class QuotaBooks {
 public:
  // The first hidden account gets this part of the quota, and there are no more of them where the
  // next would get less than kLeastShare.
  static constexpr std::int64_t kFirstShare = 8;
  static constexpr std::int64_t kLeastShare = 4 << 10;

  // Quotas of the open account and of all hidden ones, 0: none. The names are those of the
  // configuration, for messages: what is counted ("memory"), and the fields that raise the quotas.
  struct Names {
    std::string counted;
    std::string open;
    std::string hidden;
  };
  QuotaBooks(std::int64_t open_quota, std::int64_t hidden_quota, Names names);

  // REQUIRES: in a hidden account something is held, which keeps it there.
  // Errors: kQuota. The messages say nothing of what others hold here.
  void reserve(const Account& account, std::int64_t bytes);
  void unreserve(const Account& account, std::int64_t bytes);
  // Reserved until the result is gone. Errors: kQuota.
  static std::shared_ptr<const void> hold(const std::shared_ptr<QuotaBooks>& books,
                                          const Account& account, std::int64_t bytes);
  // REQUIRES: as reserve().
  std::int64_t left(const Account& account) const;
  AccountStats open_stats() const;
  AccountStats hidden_stats() const;

  // What one object counts. Owned by the object and its copies.
  class Charge {
   public:
    // freed: what goes when this comes. overhead: what the object counts in the open account beyond
    // its bytes. Errors: kQuota, but where it is `owed`: an object that is there already.
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
  struct Hidden {
    AccountStats stats;
    std::int64_t users = 0;  // objects, and who holds something here
  };

  // REQUIRES for these: mutex_ held.
  const AccountStats& at(const Account& account) const;
  AccountStats& at(const Account& account);
  std::int64_t next_share() const;
  void check(const Account& account, std::int64_t more) const;
  // A hidden account is there from the first to the last user. owed: even where there is no share.
  void add_user(const Account& account, bool owed);
  void remove_user(const Account& account);

  const Names names_;
  const std::int64_t hidden_quota_;
  mutable std::mutex mutex_;
  AccountStats open_;
  std::map<Account, Hidden> hidden_;
  std::int64_t given_ = 0;  // of hidden_quota_
};

}  // namespace curia
