#include "store/quota_books.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "protocol/memory.h"

namespace curia {

std::int64_t counted_bytes(const Value& value, const ObjectMeta& meta) {
  const bool secret = value.is_error() && !meta.label->sources.empty();
  return secret && !meta.hidden ? held_bytes(meta.type) : value.bytes();
}

Account account_for(const ObjectMeta& meta) {
  if (!meta.hidden) return Account::open_of(owner_of(meta));
  return {meta.label, meta.output.empty() ? "saved" : "output " + meta.output, owner_of(meta)};
}

QuotaBooks::QuotaBooks(std::int64_t open_quota, std::int64_t hidden_quota, Names names,
                       std::int64_t share_quota)
    : names_(std::move(names)), hidden_quota_(hidden_quota), share_quota_(share_quota) {
  open_.quota_bytes = open_quota;
}

AccountStats& QuotaBooks::stats_of(const Place& place) {
  return place.account == hidden_.end() ? open_ : place.account->second.stats;
}

void QuotaBooks::check_open(std::int64_t more) const {
  if (more <= 0 || open_.quota_bytes == 0 || more <= open_.left()) return;
  throw Error(Code::kQuota, names_.counted + " quota: " + std::to_string(more) +
                                " bytes wanted, less left of " + std::to_string(open_.quota_bytes) +
                                "; release objects, or raise " + names_.open);
}

void QuotaBooks::check_share(Shares::const_iterator share, std::int64_t more) const {
  if (share == shares_.end() || more <= 0 || more <= share_quota_ - share->second.taken) return;
  throw Error(Code::kQuota, names_.counted + " quota: " + std::to_string(more) +
                                " bytes wanted, less left of the " + std::to_string(share_quota_) +
                                " that are one session's share; release objects of this session, "
                                "or raise " +
                                names_.share);
}

void QuotaBooks::check_hidden(Accounts::const_iterator account, std::int64_t more) const {
  if (account == hidden_.end()) return;
  const AccountStats& stats = account->second.stats;
  if (more <= 0 || stats.quota_bytes == 0 || more <= stats.left()) return;
  throw Error(Code::kQuota, names_.counted +
                                " quota: no room for a result whose size depends on the data; "
                                "release such results, or raise " +
                                names_.hidden);
}

void QuotaBooks::check_kept(const Account& account) const {
  expect(account.is_open() || hidden_.contains(account), "nobody keeps this hidden account there");
}

void QuotaBooks::check(const Place& place, std::int64_t more) const {
  if (place.account != hidden_.end()) return check_hidden(place.account, more);
  check_share(place.share, more);
  check_open(more);
}

void QuotaBooks::take(const Place& place, std::int64_t bytes) {
  if (place.share != shares_.end()) place.share->second.taken += bytes;
}

std::int64_t QuotaBooks::next_share() const {
  const auto rest = static_cast<double>(std::max<std::int64_t>(0, hidden_quota_ - given_));
  return static_cast<std::int64_t>(rest / kFirstShare *
                                   (rest / static_cast<double>(hidden_quota_)));
}

QuotaBooks::Shares::iterator QuotaBooks::share_of(const Owner& owner) {
  if (share_quota_ == 0 || owner.principal.empty()) return shares_.end();
  return shares_.try_emplace(owner).first;
}

QuotaBooks::Place QuotaBooks::enter(const Account& account, bool owed) {
  Place place{hidden_.end(), share_of(account.owner)};
  if (place.share != shares_.end()) ++place.share->second.users;
  if (account.is_open()) return place;
  place.account = hidden_.find(account);
  if (place.account != hidden_.end()) {
    ++place.account->second.users;
    return place;
  }
  Hidden fresh;
  if (hidden_quota_ != 0) {
    const std::int64_t share = next_share();
    if (share < kLeastShare && !owed) {
      leave(place);
      throw Error(Code::kQuota, names_.counted +
                                    " quota: results whose size depends on the data "
                                    "have too many different labels and names; "
                                    "release such results, or raise " +
                                    names_.hidden);
    }
    fresh.stats.quota_bytes = std::max(share, kLeastShare);
  }
  fresh.users = 1;
  given_ += fresh.stats.quota_bytes;
  // Whose share it is changes with each user.
  place.account = hidden_.emplace(Account{account.label, account.use}, fresh).first;
  return place;
}

void QuotaBooks::leave(const Place& place) {
  if (place.share != shares_.end() && --place.share->second.users == 0 &&
      place.share->second.taken == 0) {
    shares_.erase(place.share);
  }
  if (place.account == hidden_.end() || --place.account->second.users > 0) return;
  given_ -= place.account->second.stats.quota_bytes;
  hidden_.erase(place.account);
}

void QuotaBooks::reserve(const Account& account, std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  check_kept(account);
  const Place place = enter(account, true);
  try {
    check(place, bytes);
  } catch (...) {
    leave(place);
    throw;
  }
  stats_of(place).reserved_bytes += bytes;
  if (account.is_open()) take(place, bytes);
  leave(place);
}

void QuotaBooks::unreserve(const Account& account, std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  check_kept(account);
  const Place place = enter(account, true);
  stats_of(place).reserved_bytes -= bytes;
  if (account.is_open()) take(place, -bytes);
  leave(place);
}

// Of hold().
class QuotaBooks::Held {
 public:
  Held(std::shared_ptr<QuotaBooks> books, const Account& account, std::int64_t bytes)
      : books_(std::move(books)), bytes_(bytes) {
    const std::lock_guard lock(books_->mutex_);
    place_ = books_->enter(account, false);
    try {
      books_->check(place_, bytes_);
    } catch (...) {
      books_->leave(place_);
      throw;
    }
    add(bytes_);
  }
  ~Held() {
    const std::lock_guard lock(books_->mutex_);
    add(-bytes_);
    books_->leave(place_);
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

 private:
  void add(std::int64_t bytes) {
    books_->stats_of(place_).reserved_bytes += bytes;
    if (place_.account == books_->hidden_.end()) books_->take(place_, bytes);
  }

  const std::shared_ptr<QuotaBooks> books_;
  const std::int64_t bytes_;
  Place place_;
};

std::shared_ptr<const void> QuotaBooks::hold(const std::shared_ptr<QuotaBooks>& books,
                                             const Account& account, std::int64_t bytes) {
  return std::make_shared<const Held>(books, account, bytes);
}

std::int64_t QuotaBooks::left(const Account& account) const {
  const std::int64_t of_share =
      account.is_open() ? left_of_share(account.owner) : std::numeric_limits<std::int64_t>::max();
  const std::lock_guard lock(mutex_);
  check_kept(account);
  const AccountStats& stats = account.is_open() ? open_ : hidden_.at(account).stats;
  if (stats.quota_bytes == 0) return of_share;
  return std::min(of_share, std::max<std::int64_t>(0, stats.left()));
}

std::int64_t QuotaBooks::left_of_share(const Owner& owner) const {
  if (share_quota_ == 0 || owner.principal.empty()) {
    return std::numeric_limits<std::int64_t>::max();
  }
  const std::lock_guard lock(mutex_);
  const auto share = shares_.find(owner);
  if (share == shares_.end()) return share_quota_;
  return std::max<std::int64_t>(0, share_quota_ - share->second.taken);
}

std::int64_t QuotaBooks::most() const {
  const std::lock_guard lock(mutex_);
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t quota : {open_.quota_bytes, share_quota_}) {
    if (quota != 0) most = std::min(most, quota);
  }
  return most;
}

AccountStats QuotaBooks::open_stats() const {
  const std::lock_guard lock(mutex_);
  return open_;
}

AccountStats QuotaBooks::hidden_stats() const {
  const std::lock_guard lock(mutex_);
  AccountStats all;
  all.quota_bytes = hidden_quota_;
  for (const auto& [account, hidden] : hidden_) {
    all.bytes += hidden.stats.bytes;
    all.objects += hidden.stats.objects;
    all.reserved_bytes += hidden.stats.reserved_bytes;
  }
  return all;
}

QuotaBooks::Charge::Charge(std::shared_ptr<QuotaBooks> books, const Account& account,
                           std::int64_t bytes, const Charge* freed, std::int64_t overhead,
                           bool owed)
    : books_(std::move(books)), bytes_(bytes), overhead_(overhead) {
  const std::lock_guard lock(books_->mutex_);
  place_ = books_->enter(account, owed);
  try {
    if (!owed) {
      const bool same_share = freed != nullptr && freed->place_.share == place_.share;
      const bool same_account = freed != nullptr && freed->place_.account == place_.account;
      books_->check_share(place_.share, open_bytes() - (same_share ? freed->open_bytes() : 0));
      books_->check_open(open_bytes() - (freed != nullptr ? freed->open_bytes() : 0));
      books_->check_hidden(place_.account, bytes_ - (same_account ? freed->bytes_ : 0));
    }
  } catch (...) {
    books_->leave(place_);
    throw;
  }
  books_->open_.overhead_bytes += overhead_;
  books_->take(place_, open_bytes());
  AccountStats& held = books_->stats_of(place_);
  held.bytes += bytes_;
  ++held.objects;
}

QuotaBooks::Charge::~Charge() {
  const std::lock_guard lock(books_->mutex_);
  books_->open_.overhead_bytes -= overhead_;
  books_->take(place_, -open_bytes());
  AccountStats& held = books_->stats_of(place_);
  held.bytes -= bytes_;
  --held.objects;
  books_->leave(place_);
}

}  // namespace curia
