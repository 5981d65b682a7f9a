// mem://: objects in memory, with a quota that is enforced before anything is allocated.
// Thread: any (one mutex; values are shared, never copied).
#pragma once

#include <mutex>
#include <unordered_map>

#include "store/backend.h"

namespace curia {

class MemoryBackend : public Backend {
 public:
  // Quotas of the two accounts; 0: none.
  MemoryBackend(std::int64_t open_quota, std::int64_t hidden_quota) {
    open_.quota_bytes = open_quota;
    hidden_.quota_bytes = hidden_quota;
  }

  std::string_view scheme() const override { return "mem"; }
  std::int64_t put(const std::string& key, ValuePtr value, std::shared_ptr<const ObjectMeta> meta,
                   std::int64_t expected_version) override;
  std::optional<Object> get(const std::string& key) const override;
  bool exists(const std::string& key) const override;
  std::optional<Entry> describe(const std::string& key) const override;
  bool erase(const std::string& key) override;
  std::int64_t erase_if(const std::function<bool(const Entry&)>& which) override;
  std::vector<Entry> list(std::string_view prefix, std::string_view after, std::int64_t limit,
                          const std::function<bool(const Entry&)>& which) const override;
  void reserve(Account account, std::int64_t bytes) override;
  void unreserve(Account account, std::int64_t bytes) override;
  BackendStats stats() const override;

 private:
  // REQUIRES for these: mutex_ held.
  AccountStats& account(Account which) { return which == Account::kOpen ? open_ : hidden_; }
  AccountStats& account_of(const Object& object);
  void check_quota(Account which, std::int64_t more);

  mutable std::mutex mutex_;
  std::unordered_map<std::string, Object> objects_;
  AccountStats open_;
  AccountStats hidden_;
};

}  // namespace curia
