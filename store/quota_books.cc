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
  if (!meta.hidden) return Account::open();
  return {meta.label, meta.output.empty() ? "saved" : "output " + meta.output};
}

QuotaBooks::QuotaBooks(std::int64_t open_quota, std::int64_t hidden_quota, Names names)
    : names_(std::move(names)), hidden_quota_(hidden_quota) {
  open_.quota_bytes = open_quota;
}

const AccountStats& QuotaBooks::at(const Account& account) const {
  if (account.is_open()) return open_;
  const auto found = hidden_.find(account);
  expect(found != hidden_.end(), "nobody keeps this hidden account there");
  return found->second.stats;
}

AccountStats& QuotaBooks::at(const Account& account) {
  return const_cast<AccountStats&>(std::as_const(*this).at(account));
}

void QuotaBooks::check(const Account& account, std::int64_t more) const {
  const AccountStats& stats = at(account);
  if (more <= 0 || stats.quota_bytes == 0 || more <= stats.left()) return;
  if (!account.is_open()) {
    throw Error(Code::kQuota, names_.counted +
                                  " quota: no room for a result whose size depends on the data; "
                                  "release such results, or raise " +
                                  names_.hidden);
  }
  throw Error(Code::kQuota, names_.counted + " quota: " + std::to_string(more) +
                                " bytes wanted, less left of " + std::to_string(stats.quota_bytes) +
                                "; release objects, or raise " + names_.open);
}

std::int64_t QuotaBooks::next_share() const {
  const auto rest = static_cast<double>(std::max<std::int64_t>(0, hidden_quota_ - given_));
  return static_cast<std::int64_t>(rest / kFirstShare *
                                   (rest / static_cast<double>(hidden_quota_)));
}

void QuotaBooks::add_user(const Account& account, bool owed) {
  if (account.is_open()) return;
  const auto found = hidden_.find(account);
  if (found != hidden_.end()) {
    ++found->second.users;
    return;
  }
  Hidden fresh;
  if (hidden_quota_ != 0) {
    const std::int64_t share = next_share();
    if (share < kLeastShare && !owed) {
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
  hidden_.emplace(account, fresh);
}

void QuotaBooks::remove_user(const Account& account) {
  const auto found = hidden_.find(account);
  if (found == hidden_.end() || --found->second.users > 0) return;
  given_ -= found->second.stats.quota_bytes;
  hidden_.erase(found);
}

void QuotaBooks::reserve(const Account& account, std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  check(account, bytes);
  at(account).reserved_bytes += bytes;
}

void QuotaBooks::unreserve(const Account& account, std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  at(account).reserved_bytes -= bytes;
}

std::shared_ptr<const void> QuotaBooks::hold(const std::shared_ptr<QuotaBooks>& books,
                                             const Account& account, std::int64_t bytes) {
  struct Held {
    Held(std::shared_ptr<QuotaBooks> on, Account of, std::int64_t size)
        : books(std::move(on)), account(std::move(of)), bytes(size) {
      const std::lock_guard lock(books->mutex_);
      books->add_user(account, false);
      try {
        books->check(account, bytes);
      } catch (...) {
        books->remove_user(account);
        throw;
      }
      books->at(account).reserved_bytes += bytes;
    }
    ~Held() {
      const std::lock_guard lock(books->mutex_);
      books->at(account).reserved_bytes -= bytes;
      books->remove_user(account);
    }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    const std::shared_ptr<QuotaBooks> books;
    const Account account;
    const std::int64_t bytes;
  };
  return std::make_shared<const Held>(books, account, bytes);
}

std::int64_t QuotaBooks::left(const Account& account) const {
  const std::lock_guard lock(mutex_);
  const AccountStats& stats = at(account);
  if (stats.quota_bytes == 0) return std::numeric_limits<std::int64_t>::max();
  return std::max<std::int64_t>(0, stats.left());
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

QuotaBooks::Charge::Charge(std::shared_ptr<QuotaBooks> books, Account account, std::int64_t bytes,
                           const Charge* freed, std::int64_t overhead, bool owed)
    : books_(std::move(books)), account_(std::move(account)), bytes_(bytes), overhead_(overhead) {
  const std::lock_guard lock(books_->mutex_);
  books_->add_user(account_, owed);
  try {
    std::int64_t open = overhead_ + (account_.is_open() ? bytes_ : 0);
    std::int64_t hidden = account_.is_open() ? 0 : bytes_;
    if (freed != nullptr) {
      open -= freed->overhead_ + (freed->account_.is_open() ? freed->bytes_ : 0);
      if (freed->account_ == account_) hidden -= freed->bytes_;
    }
    if (!owed) {
      books_->check(Account::open(), open);
      if (!account_.is_open()) books_->check(account_, hidden);
    }
  } catch (...) {
    books_->remove_user(account_);
    throw;
  }
  books_->open_.overhead_bytes += overhead_;
  AccountStats& held = books_->at(account_);
  held.bytes += bytes_;
  ++held.objects;
}

QuotaBooks::Charge::~Charge() {
  const std::lock_guard lock(books_->mutex_);
  books_->open_.overhead_bytes -= overhead_;
  AccountStats& held = books_->at(account_);
  held.bytes -= bytes_;
  --held.objects;
  books_->remove_user(account_);
}

}  // namespace curia
