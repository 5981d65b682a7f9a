// mem://: objects in memory, with quotas that are enforced before anything is allocated.
// Thread: any (one mutex for the objects, one for what they count; values are shared, never
// copied).
#pragma once

#include <mutex>
#include <unordered_map>

#include "store/counted_backend.h"
#include "store/owned_keys.h"

namespace curia {

class MemoryBackend : public CountedBackend {
 public:
  // Quotas of the open account and of all hidden ones together; 0: none.
  MemoryBackend(std::int64_t open_quota, std::int64_t hidden_quota);
  ~MemoryBackend() override;

  std::string_view scheme() const override { return "mem"; }
  std::int64_t put(const std::string& key, ValuePtr value, std::shared_ptr<const ObjectMeta> meta,
                   const Expected& expected) override;
  std::optional<Object> get(const std::string& key) const override;
  bool exists(const std::string& key) const override;
  std::optional<Entry> describe(const std::string& key) const override;
  bool erase(const std::string& key) override;
  bool erase_exactly(const Entry& entry) override;
  std::int64_t erase_all(const Owner& owner) override;
  std::vector<Entry> list(const Owner& owner, std::string_view prefix, std::string_view after,
                          std::int64_t limit) const override;
  BackendStats stats() const override;

 private:
  using Objects = std::unordered_map<std::string, Object>;

  // number: of the object that it must be; 0: any.
  bool erase_if(const std::string& key, std::uint64_t number);

  // The node's object goes with the caller, after the lock. REQUIRES: mutex_ held.
  Objects::node_type take(Objects::iterator at);

  mutable std::mutex mutex_;
  Objects objects_;
  std::uint64_t last_number_ = 0;
  OwnedKeys keys_;  // of objects_
};

}  // namespace curia
