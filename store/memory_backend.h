// mem://: objects in memory, with a quota that is enforced before anything is allocated.
// Thread: any (one mutex; values are shared, never copied).
#pragma once

#include <mutex>
#include <unordered_map>

#include "store/backend.h"

namespace curia {

class MemoryBackend : public Backend {
 public:
  // quota_bytes 0: no quota.
  explicit MemoryBackend(std::int64_t quota_bytes) : quota_(quota_bytes) {}

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
  void reserve(std::int64_t bytes) override;
  void unreserve(std::int64_t bytes) override;
  BackendStats stats() const override;

 private:
  void check_quota(std::int64_t more) const;  // REQUIRES: mutex_ held

  const std::int64_t quota_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Object> objects_;
  std::int64_t bytes_ = 0;
  std::int64_t reserved_ = 0;
};

}  // namespace curia
