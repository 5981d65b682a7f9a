#include "store/memory_backend.h"

#include <utility>

namespace curia {
namespace {

Entry entry_of(const std::string& key, const Object& object) {
  return {key, object.meta, counted_bytes(*object.value, *object.meta), object.version,
          object.number};
}

constexpr int kErasedAtOnce = 1024;  // then others get their turn

}  // namespace

MemoryBackend::MemoryBackend(std::int64_t open_quota, std::int64_t hidden_quota)
    : CountedBackend(open_quota, hidden_quota, {"memory", "memory_quota_mib", "hidden_quota_mib"}) {
}

MemoryBackend::~MemoryBackend() = default;

std::int64_t MemoryBackend::put(const std::string& key, ValuePtr value,
                                std::shared_ptr<const ObjectMeta> meta, const Expected& expected) {
  const std::int64_t bytes = counted_bytes(*value, *meta);
  const Account account = account_for(*meta);
  const Owner owner = owner_of(*meta);
  Object replaced;  // freed after the lock
  const std::lock_guard lock(mutex_);
  const auto before = objects_.find(key);
  const std::int64_t found = before == objects_.end() ? 0 : before->second.version;
  const bool own = found == 0 || before->second.meta->principal == meta->principal;
  expected.check(found, found == 0 ? 0 : before->second.number, own);
  // What somebody reads stays in memory beside the new one.
  const Charge* freed = nullptr;
  if (found != 0 && before->second.charge.use_count() == 1) {
    freed = static_cast<const Charge*>(before->second.charge.get());
  }
  auto charge = std::make_shared<const Charge>(books_, account, bytes, freed);
  const auto [at, added] = objects_.try_emplace(key);
  const bool moves = !added && owner_of(*at->second.meta) != owner;
  try {
    if (added || moves) keys_.insert(owner, at->first);
  } catch (...) {
    if (added) objects_.erase(at);
    throw;
  }
  if (moves) keys_.erase(owner_of(*at->second.meta), at->first);
  replaced = std::exchange(at->second, {std::move(value), std::move(meta), found + 1,
                                        std::move(charge), ++last_number_});
  return found + 1;
}

std::optional<Object> MemoryBackend::get(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto at = objects_.find(key);
  return at == objects_.end() ? std::nullopt : std::optional(at->second);
}

bool MemoryBackend::exists(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  return objects_.contains(key);
}

std::optional<Entry> MemoryBackend::describe(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto at = objects_.find(key);
  return at == objects_.end() ? std::nullopt : std::optional(entry_of(key, at->second));
}

MemoryBackend::Objects::node_type MemoryBackend::take(Objects::iterator at) {
  keys_.erase(owner_of(*at->second.meta), at->first);
  return objects_.extract(at);
}

bool MemoryBackend::erase(const std::string& key) { return erase_if(key, 0); }

bool MemoryBackend::erase_exactly(const Entry& entry) { return erase_if(entry.key, entry.number); }

bool MemoryBackend::erase_if(const std::string& key, std::uint64_t number) {
  Objects::node_type removed;  // freed after the lock
  const std::lock_guard lock(mutex_);
  const auto at = objects_.find(key);
  if (at == objects_.end() || (number != 0 && at->second.number != number)) return false;
  removed = take(at);
  return true;
}

std::int64_t MemoryBackend::erase_all(const Owner& owner) {
  std::int64_t count = 0;
  for (bool more = true; more;) {
    std::vector<Objects::node_type> removed;  // freed after the lock
    const std::lock_guard lock(mutex_);
    while (std::ssize(removed) < kErasedAtOnce) {
      const auto next = objects_.find(keys_.first(owner));
      more = next != objects_.end();
      if (!more) break;
      removed.push_back(take(next));
    }
    count += std::ssize(removed);
  }
  return count;
}

std::vector<Entry> MemoryBackend::list(const Owner& owner, std::string_view prefix,
                                       std::string_view after, std::int64_t limit) const {
  const std::lock_guard lock(mutex_);
  return keys_.list(owner, prefix, after, limit,
                    [this](const std::string& key) { return entry_of(key, objects_.at(key)); });
}

BackendStats MemoryBackend::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_of(std::ssize(objects_));
}

}  // namespace curia
