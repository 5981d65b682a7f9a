#include "store/quota_books.h"

#include <utility>

#include "protocol/memory.h"

namespace curia {

std::int64_t counted_bytes(const Value& value, const ObjectMeta& meta) {
  const bool secret = value.is_error() && !meta.label->sources.empty();
  return secret && !meta.hidden ? held_bytes(meta.type) : value.bytes();
}

Account account_for(const ObjectMeta& meta) {
  return meta.hidden ? Account::kHidden : Account::kOpen;
}

QuotaBooks::QuotaBooks(std::int64_t open_quota, std::int64_t hidden_quota, Names names)
    : names_(std::move(names)) {
  open_.quota_bytes = open_quota;
  hidden_.quota_bytes = hidden_quota;
}

void QuotaBooks::check(Account which, std::int64_t more) {
  const AccountStats& account = held(which);
  if (account.quota_bytes == 0 || more <= account.left()) return;
  if (which == Account::kHidden) {
    throw Error(Code::kQuota, names_.counted +
                                  " quota: no room for a result whose size depends on the data; "
                                  "release such results, or raise " +
                                  names_.hidden);
  }
  throw Error(Code::kQuota, names_.counted + " quota: " + std::to_string(more) +
                                " bytes wanted, less left of " +
                                std::to_string(account.quota_bytes) +
                                "; release objects, or raise " + names_.open);
}

void QuotaBooks::reserve(Account which, std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  check(which, bytes);
  held(which).reserved_bytes += bytes;
}

void QuotaBooks::unreserve(Account which, std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  held(which).reserved_bytes -= bytes;
}

std::shared_ptr<const void> QuotaBooks::hold(const std::shared_ptr<QuotaBooks>& books,
                                             Account account, std::int64_t bytes) {
  struct Held {
    std::shared_ptr<QuotaBooks> books;
    Account account;
    std::int64_t bytes = 0;
    ~Held() {
      if (bytes > 0) books->unreserve(account, bytes);
    }
  };
  auto held = std::make_shared<Held>();
  held->books = books;
  held->account = account;
  books->reserve(account, bytes);
  held->bytes = bytes;
  return held;
}

AccountStats QuotaBooks::stats(Account which) const {
  const std::lock_guard lock(mutex_);
  return which == Account::kOpen ? open_ : hidden_;
}

QuotaBooks::Charge::Charge(std::shared_ptr<QuotaBooks> books, Account account, std::int64_t bytes,
                           const Charge* freed, std::int64_t overhead, bool owed)
    : books_(std::move(books)), account_(account), bytes_(bytes), overhead_(overhead) {
  const std::lock_guard lock(books_->mutex_);
  std::int64_t more = bytes_ + overhead_;
  if (freed != nullptr && freed->account_ == account_) more -= freed->bytes_ + freed->overhead_;
  if (!owed) books_->check(account_, more);
  AccountStats& held = books_->held(account_);
  held.bytes += bytes_;
  held.overhead_bytes += overhead_;
  ++held.objects;
}

QuotaBooks::Charge::~Charge() {
  const std::lock_guard lock(books_->mutex_);
  AccountStats& held = books_->held(account_);
  held.bytes -= bytes_;
  held.overhead_bytes -= overhead_;
  --held.objects;
}

}  // namespace curia
