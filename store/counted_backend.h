// The part of a backend that counts its objects against its quotas. Thread: any.
#pragma once

#include <memory>
#include <utility>

#include "store/backend.h"
#include "store/quota_books.h"

namespace curia {

class CountedBackend : public Backend {
 public:
  void reserve(const Account& account, std::int64_t bytes) override {
    books_->reserve(account, bytes);
  }
  void unreserve(const Account& account, std::int64_t bytes) override {
    books_->unreserve(account, bytes);
  }
  std::shared_ptr<const void> hold(const Account& account, std::int64_t bytes) override {
    return QuotaBooks::hold(books_, account, bytes);
  }
  std::int64_t left(const Account& account) const override { return books_->left(account); }

 protected:
  using Charge = QuotaBooks::Charge;

  CountedBackend(std::int64_t open_quota, std::int64_t hidden_quota, QuotaBooks::Names names,
                 std::int64_t share_quota = 0)
      : books_(std::make_shared<QuotaBooks>(open_quota, hidden_quota, std::move(names),
                                            share_quota)) {}

  BackendStats stats_of(std::int64_t objects) const {
    return {objects, books_->open_stats(), books_->hidden_stats()};
  }

  const std::shared_ptr<QuotaBooks> books_;
};

}  // namespace curia
