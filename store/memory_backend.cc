#include "store/memory_backend.h"

#include <algorithm>
#include <utility>

#include "protocol/memory.h"

namespace curia {
namespace {

// What an object counts in its account. A failure that only some may know of counts like the value
// in whose place it stands.
std::int64_t counted_bytes(const Value& value, const ObjectMeta& meta) {
  const bool secret = value.is_error() && !meta.label->sources.empty();
  return secret && !meta.hidden ? held_bytes(meta.type) : value.bytes();
}

Entry entry_of(const std::string& key, const Object& object) {
  return {key, object.meta, counted_bytes(*object.value, *object.meta), object.version};
}

Account account_for(const ObjectMeta& meta) {
  return meta.hidden ? Account::kHidden : Account::kOpen;
}

}  // namespace

AccountStats& MemoryBackend::account_of(const Object& object) {
  return account(account_for(*object.meta));
}

// The messages say nothing of what others hold here.
void MemoryBackend::check_quota(Account which, std::int64_t more) {
  const AccountStats& held = account(which);
  if (held.quota_bytes == 0 || more <= held.quota_bytes - held.bytes - held.reserved_bytes) return;
  if (which == Account::kHidden) {
    throw Error(Code::kQuota,
                "memory quota: no room for a result whose size depends on the data; release such "
                "results, or raise hidden_quota_mib");
  }
  throw Error(Code::kQuota, "memory quota: " + std::to_string(more) +
                                " bytes wanted, less left of " + std::to_string(held.quota_bytes) +
                                "; release objects, or raise memory_quota_mib");
}

std::int64_t MemoryBackend::put(const std::string& key, ValuePtr value,
                                std::shared_ptr<const ObjectMeta> meta,
                                std::int64_t expected_version) {
  const std::int64_t bytes = counted_bytes(*value, *meta);
  const Account which = account_for(*meta);
  Object replaced;  // freed after the lock
  const std::lock_guard lock(mutex_);
  if (expected_version == 0) {
    check_quota(which, bytes);
    const auto [at, added] = objects_.try_emplace(key);
    if (!added) {
      throw Error(Code::kImmutable, "an object with this URI exists already; use another URI");
    }
    at->second = {std::move(value), std::move(meta), 1};
    account(which).bytes += bytes;
    return 1;
  }
  const auto at = objects_.find(key);
  const std::int64_t found = at == objects_.end() ? 0 : at->second.version;
  if (found != expected_version) {
    throw Error(Code::kImmutable, "expected version " + std::to_string(expected_version) +
                                      " of the object, found " + std::to_string(found));
  }
  const std::int64_t before = counted_bytes(*at->second.value, *at->second.meta);
  check_quota(which, account_for(*at->second.meta) == which ? bytes - before : bytes);
  account_of(at->second).bytes -= before;
  account(which).bytes += bytes;
  replaced = std::exchange(at->second, {std::move(value), std::move(meta), found + 1});
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

bool MemoryBackend::erase(const std::string& key) {
  std::unordered_map<std::string, Object>::node_type removed;  // freed after the lock
  const std::lock_guard lock(mutex_);
  removed = objects_.extract(key);
  if (removed.empty()) return false;
  const Object& object = removed.mapped();
  account_of(object).bytes -= counted_bytes(*object.value, *object.meta);
  return true;
}

std::int64_t MemoryBackend::erase_if(const std::function<bool(const Entry&)>& which) {
  std::vector<Object> removed;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = objects_.begin(); at != objects_.end();) {
      const Entry entry = entry_of(at->first, at->second);
      if (!which(entry)) {
        ++at;
        continue;
      }
      account_of(at->second).bytes -= entry.bytes;
      removed.push_back(std::move(at->second));
      at = objects_.erase(at);
    }
  }
  return static_cast<std::int64_t>(removed.size());
}

std::vector<Entry> MemoryBackend::list(std::string_view prefix, std::string_view after,
                                       std::int64_t limit,
                                       const std::function<bool(const Entry&)>& which) const {
  std::vector<Entry> entries;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, object] : objects_) {
      if (!key.starts_with(prefix) || key <= after) continue;
      Entry entry = entry_of(key, object);
      if (which(entry)) entries.push_back(std::move(entry));
    }
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.key < b.key; });
  if (static_cast<std::int64_t>(entries.size()) > limit) {
    entries.resize(static_cast<std::size_t>(limit));
  }
  return entries;
}

void MemoryBackend::reserve(Account which, std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  check_quota(which, bytes);
  account(which).reserved_bytes += bytes;
}

void MemoryBackend::unreserve(Account which, std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  account(which).reserved_bytes -= bytes;
}

BackendStats MemoryBackend::stats() const {
  const std::lock_guard lock(mutex_);
  return {static_cast<std::int64_t>(objects_.size()), open_, hidden_};
}

}  // namespace curia
