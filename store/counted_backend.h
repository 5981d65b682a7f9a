// The part of a backend that counts its objects against the quotas of two accounts. Thread: any.
#pragma once

#include <memory>
#include <utility>

#include "store/backend.h"
#include "store/quota_books.h"

namespace curia {

class CountedBackend : public Backend {
 public:
  void reserve(Account account, std::int64_t bytes) override { books_->reserve(account, bytes); }
  void unreserve(Account account, std::int64_t bytes) override {
    books_->unreserve(account, bytes);
  }
  std::shared_ptr<const void> hold(Account account, std::int64_t bytes) override {
    return QuotaBooks::hold(books_, account, bytes);
  }

 protected:
  using Charge = QuotaBooks::Charge;

  CountedBackend(std::int64_t open_quota, std::int64_t hidden_quota, QuotaBooks::Names names)
      : books_(std::make_shared<QuotaBooks>(open_quota, hidden_quota, std::move(names))) {}

  BackendStats stats_of(std::int64_t objects) const {
    return {objects, books_->stats(Account::kOpen), books_->stats(Account::kHidden)};
  }

  const std::shared_ptr<QuotaBooks> books_;
};

}  // namespace curia
