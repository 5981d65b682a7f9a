#include "store/memory_backend.h"

#include <algorithm>
#include <utility>

namespace curia {
namespace {

Entry entry_of(const std::string& key, const Object& object) {
  return {key, object.meta, object.value->bytes(), object.version};
}

}  // namespace

void MemoryBackend::check_quota(std::int64_t more) const {
  if (quota_ == 0 || more <= quota_ - bytes_ - reserved_) return;
  throw Error(Code::kQuota, "memory quota: " + std::to_string(more) + " bytes wanted, " +
                                std::to_string(bytes_ + reserved_) + " of " +
                                std::to_string(quota_) +
                                " in use; release objects, or raise memory_quota_mib");
}

std::int64_t MemoryBackend::put(const std::string& key, ValuePtr value,
                                std::shared_ptr<const ObjectMeta> meta,
                                std::int64_t expected_version) {
  const std::int64_t bytes = value->bytes();
  ValuePtr replaced;  // freed after the lock
  const std::lock_guard lock(mutex_);
  if (expected_version == 0) {
    check_quota(bytes);
    const auto [at, added] = objects_.try_emplace(key);
    if (!added) {
      throw Error(Code::kImmutable, "an object with this URI exists already; use another URI");
    }
    at->second = {std::move(value), std::move(meta), 1};
    bytes_ += bytes;
    return 1;
  }
  const auto at = objects_.find(key);
  const std::int64_t found = at == objects_.end() ? 0 : at->second.version;
  if (found != expected_version) {
    throw Error(Code::kImmutable, "expected version " + std::to_string(expected_version) +
                                      " of the object, found " + std::to_string(found));
  }
  const std::int64_t before = at->second.value->bytes();
  check_quota(bytes - before);
  replaced = std::exchange(at->second.value, std::move(value));
  at->second.meta = std::move(meta);
  bytes_ += bytes - before;
  return ++at->second.version;
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
  bytes_ -= removed.mapped().value->bytes();
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
      bytes_ -= entry.bytes;
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

void MemoryBackend::reserve(std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  check_quota(bytes);
  reserved_ += bytes;
}

void MemoryBackend::unreserve(std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  reserved_ -= bytes;
}

BackendStats MemoryBackend::stats() const {
  const std::lock_guard lock(mutex_);
  return {static_cast<std::int64_t>(objects_.size()), bytes_, reserved_, quota_};
}

}  // namespace curia
