// What the objects of a backend count against its quotas: that of the open account, and that which
// hidden accounts share.
//
// A hidden account gets its part of the quota when the first comes that counts in it, and keeps it
// until the last is gone: an eighth of what others have not been given, times the fraction of the
// quota that this is. So the n-th of n accounts gets about 8 / (7 + n)^2 of the quota. How much
// that is hangs on which labels and uses there are, in which order they came, and on nothing in the
// data.
//
// Of the open account, each session may have no more than its share, where there is one.
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
// With its owner.
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
    std::string share{};
  };
  // share_quota: of one session, in the open account.
  QuotaBooks(std::int64_t open_quota, std::int64_t hidden_quota, Names names,
             std::int64_t share_quota = 0);

  // REQUIRES: in a hidden account something is held, which keeps it there.
  // Errors: kQuota. The messages say nothing of what others hold here.
  void reserve(const Account& account, std::int64_t bytes);
  void unreserve(const Account& account, std::int64_t bytes);
  // Reserved until the result is gone. Errors: kQuota.
  static std::shared_ptr<const void> hold(const std::shared_ptr<QuotaBooks>& books,
                                          const Account& account, std::int64_t bytes);
  // In the account, and in its owner's share. REQUIRES: as reserve().
  std::int64_t left(const Account& account) const;
  std::int64_t left_of_share(const Owner& owner) const;
  bool has_shares() const { return share_quota_ != 0; }
  // What may ever be held in the open account by one owner.
  std::int64_t most() const;
  AccountStats open_stats() const;
  AccountStats hidden_stats() const;

  class Charge;

 private:
  struct Hidden {
    AccountStats stats;
    std::int64_t users = 0;  // objects, and who holds something here
  };
  struct Share {
    std::int64_t taken = 0;
    std::int64_t users = 0;
  };
  using Accounts = std::map<Account, Hidden>;
  using Shares = std::map<Owner, Share>;
  // Where something counts. It is there as long as it has users.
  struct Place {
    Accounts::iterator account;  // the end: the open one
    Shares::iterator share;      // the end: none
  };
  class Held;

  // REQUIRES for these: mutex_ held.
  AccountStats& stats_of(const Place& place);
  std::int64_t next_share() const;
  // Errors: kQuota where there is no room for so many bytes more.
  void check_open(std::int64_t more) const;
  void check_share(Shares::const_iterator share, std::int64_t more) const;
  void check_hidden(Accounts::const_iterator account, std::int64_t more) const;
  void check(const Place& place, std::int64_t more) const;
  void check_kept(const Account& account) const;  // as reserve() requires
  // More bytes of any kind, or less: what the share has of them.
  void take(const Place& place, std::int64_t bytes);
  // One more user, and one less. owed: even where there is no part of the quota.
  Place enter(const Account& account, bool owed);
  void leave(const Place& place);
  Shares::iterator share_of(const Owner& owner);

  const Names names_;
  const std::int64_t hidden_quota_;
  const std::int64_t share_quota_;
  mutable std::mutex mutex_;
  AccountStats open_;
  Accounts hidden_;
  std::int64_t given_ = 0;  // of hidden_quota_
  Shares shares_;
};

// What one object counts. Owned by the object and its copies.
class QuotaBooks::Charge {
 public:
  // freed: what goes when this comes. overhead: what the object counts in the open account beyond
  // its bytes. Errors: kQuota, but where it is `owed`: an object that is there already.
  Charge(std::shared_ptr<QuotaBooks> books, const Account& account, std::int64_t bytes,
         const Charge* freed, std::int64_t overhead = kObjectOverhead, bool owed = false);
  ~Charge();
  Charge(const Charge&) = delete;
  Charge& operator=(const Charge&) = delete;

 private:
  bool is_open() const { return place_.account == books_->hidden_.end(); }
  // In the open account.
  std::int64_t open_bytes() const { return overhead_ + (is_open() ? bytes_ : 0); }

  const std::shared_ptr<QuotaBooks> books_;
  const std::int64_t bytes_;
  const std::int64_t overhead_;
  Place place_;
};

}  // namespace curia
