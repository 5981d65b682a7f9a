#include "store/memory_backend.h"

#include <utility>

#include "store/mapping.h"

namespace curia {
namespace {

constexpr int kErasedAtOnce = 1024;  // then others get their turn

}  // namespace

MemoryBackend::MemoryBackend(std::int64_t open_quota, std::int64_t hidden_quota,
                             std::unique_ptr<Spill> spill, std::int64_t session_quota)
    : CountedBackend(open_quota, hidden_quota,
                     {"memory", "memory_quota_mib", "hidden_quota_mib", "session_quota_mib"},
                     session_quota),
      spill_(std::move(spill)),
      turns_(books_->has_shares()) {}

MemoryBackend::~MemoryBackend() = default;

Entry MemoryBackend::entry_of(Objects::iterator at) const {
  const Kept& kept = resolve(at)->second;
  const std::int64_t bytes = kept.turn != nullptr
                                 ? kept.turn->bytes
                                 : counted_bytes(*kept.object.value, *kept.object.meta);
  const Object& named = at->second.object;
  return {at->first, named.meta, bytes, named.version, named.number};
}

void MemoryBackend::enqueue(const std::string& key, Kept& kept, std::int64_t bytes) const {
  // What lies in a mapping takes no memory of its own.
  if (spill_ == nullptr || bytes < kLeastSpilled || kept.object.meta->hidden ||
      kept.object.value->is_error() || is_mapped(*kept.object.value)) {
    return;
  }
  auto turn = std::make_unique<Turn>();
  turn->bytes = bytes;
  turn->place = turns_.add(owner_of(*kept.object.meta), key);
  kept.turn = std::move(turn);
}

void MemoryBackend::dequeue(Kept& kept) const {
  if (kept.turn != nullptr && kept.turn->file == nullptr) {
    turns_.remove(owner_of(*kept.object.meta), kept.turn->place);
  }
  kept.turn.reset();
}

template <class Action>
auto MemoryBackend::with_room(const Owner& owner, std::int64_t wanted, const Action& action) const {
  if (spill_ == nullptr) return action();
  for (bool again = false;;) {
    std::string full;
    try {
      return action();
    } catch (const Error& error) {
      if (error.code() != Code::kQuota || wanted > books_->most()) throw;
      full = error.message();
    }
    const std::lock_guard lock(spilling_);
    const bool of_share = books_->left_of_share(owner) < wanted;
    if (!of_share && books_->left(Account::open()) >= wanted) {
      // Somebody made room meanwhile, or it is another account that is full.
      if (std::exchange(again, true)) throw Error(Code::kQuota, full);
      continue;
    }
    again = false;
    try {
      if (!spill_one(of_share ? &owner : nullptr))
        throw Error(Code::kQuota, "all of them are in use");
    } catch (const Error& error) {
      throw Error(Code::kQuota, full + "; no object could be spilled: " + error.message());
    }
  }
}

bool MemoryBackend::spill_one(const Owner* of) const {
  Object victim;  // in use for as long as this is
  std::string key;
  std::int64_t bytes = 0;
  {
    const std::lock_guard lock(mutex_);
    for (const std::string_view next : turns_.of(of)) {
      const auto at = objects_.find(next);
      if (at->second.object.charge.use_count() > 1) continue;
      victim = at->second.object;
      key = at->first;
      bytes = at->second.turn->bytes;
      break;
    }
  }
  if (victim.value == nullptr) return false;
  auto file = spill_->write(*victim.value, *victim.meta, bytes);
  auto charge = std::make_shared<const Charge>(books_, account_for(*victim.meta), 0, nullptr,
                                               kObjectOverhead, true);
  const std::lock_guard lock(mutex_);
  const auto at = resolve(objects_.find(key));
  // Erased, replaced, or in use by now: the next one's turn.
  if (at == objects_.end() || at->second.object.number != victim.number ||
      at->second.object.charge.use_count() > 2) {
    return true;
  }
  Kept& kept = at->second;
  turns_.remove(owner_of(*kept.object.meta), kept.turn->place);
  kept.turn->file = std::move(file);
  kept.object.value.reset();
  kept.object.charge = std::move(charge);
  return true;
}

std::int64_t MemoryBackend::put(const std::string& key, ValuePtr value,
                                std::shared_ptr<const ObjectMeta> meta, const Expected& expected) {
  const std::int64_t open = meta->hidden ? 0 : counted_bytes(*value, *meta);
  return with_room(owner_of(*meta), open + kObjectOverhead,
                   [&] { return put_now(key, value, meta, expected); });
}

void MemoryBackend::alias(const std::string& key, const Owner& owner, const Entry& object) {
  with_room(owner, kObjectOverhead, [&] { alias_now(key, owner, object); });
}

std::int64_t MemoryBackend::put_now(const std::string& key, const ValuePtr& value,
                                    const std::shared_ptr<const ObjectMeta>& meta,
                                    const Expected& expected) {
  const std::int64_t bytes = counted_bytes(*value, *meta);
  const Account account = account_for(*meta);
  const Owner owner = owner_of(*meta);
  Kept replaced;  // freed after the lock, as what is gone
  Gone gone;
  const std::lock_guard lock(mutex_);
  const auto before = objects_.find(key);
  const bool found = before != objects_.end();
  const std::int64_t version = found ? before->second.object.version : 0;
  const bool own = !found || before->second.object.meta->principal == meta->principal;
  expected.check(version, found ? before->second.object.number : 0, own);
  auto charge =
      std::make_shared<const Charge>(books_, account, bytes, found ? freed_with(before) : nullptr);
  const auto [at, added] = objects_.try_emplace(key);
  const bool moves = !added && owner_of(*at->second.object.meta) != owner;
  try {
    if (added || moves) keys_.insert(owner, at->first);
  } catch (...) {
    if (added) objects_.erase(at);
    throw;
  }
  if (moves) keys_.erase(owner_of(*at->second.object.meta), at->first);
  if (!added) leave(at, gone);
  replaced = std::exchange(
      at->second, {{value, meta, version + 1, std::move(charge), ++last_number_}, nullptr});
  enqueue(at->first, at->second, bytes);
  return version + 1;
}

std::optional<Object> MemoryBackend::get(const std::string& key) const {
  Object object;
  std::shared_ptr<const Spill::File> file;
  std::int64_t bytes = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto at = objects_.find(key);
    if (at == objects_.end()) return std::nullopt;
    Kept& kept = resolve(at)->second;
    object = kept.object;
    object.version = at->second.object.version;
    object.number = at->second.object.number;
    if (kept.turn == nullptr) return object;
    if (!kept.on_disk()) {
      turns_.touch(owner_of(*kept.object.meta), kept.turn->place);
      return object;
    }
    object.value = kept.turn->mapped.lock();
    if (object.value != nullptr) return object;
    file = kept.turn->file;
    bytes = kept.turn->bytes;
  }
  return read_back(key, std::move(object), file, bytes);
}

std::optional<Object> MemoryBackend::read_back(const std::string& key, Object object,
                                               const std::shared_ptr<const Spill::File>& file,
                                               std::int64_t bytes) const {
  object.value = Spill::read(*file);
  // In memory again where nothing has to make room for it.
  std::shared_ptr<const Charge> charge;
  const Account account = account_for(*object.meta);
  if (books_->left(account) >= bytes) {
    try {
      charge = std::make_shared<const Charge>(books_, account, bytes, nullptr);
      object.value = unmapped(object.value);
    } catch (const Error& error) {
      if (error.code() != Code::kQuota) throw;
      charge.reset();
    }
  }
  const std::lock_guard lock(mutex_);
  const auto at = resolve(objects_.find(key));
  const bool same = at != objects_.end() && at->second.on_disk() && at->second.turn->file == file;
  if (charge != nullptr) object.charge = charge;
  if (!same) return object;  // another reader was faster, or it was replaced
  Kept& kept = at->second;
  if (charge == nullptr) {
    kept.turn->mapped = object.value;
    return object;
  }
  kept.object.value = object.value;
  kept.object.charge = std::move(charge);
  dequeue(kept);
  enqueue(at->first, kept, bytes);
  return object;
}

void MemoryBackend::reserve(const Account& account, std::int64_t bytes) {
  if (!account.is_open()) return books_->reserve(account, bytes);
  with_room(account.owner, bytes, [&] { books_->reserve(account, bytes); });
}

std::shared_ptr<const void> MemoryBackend::hold(const Account& account, std::int64_t bytes) {
  if (!account.is_open()) return QuotaBooks::hold(books_, account, bytes);
  return with_room(account.owner, bytes, [&] { return QuotaBooks::hold(books_, account, bytes); });
}

bool MemoryBackend::exists(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  return objects_.contains(key);
}

bool MemoryBackend::at_hand(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto at = objects_.find(key);
  return at != objects_.end() && !resolve(at)->second.on_disk();
}

std::optional<Entry> MemoryBackend::describe(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto at = objects_.find(key);
  return at == objects_.end() ? std::nullopt : std::optional(entry_of(at));
}

MemoryBackend::Gone MemoryBackend::take(Objects::iterator at) {
  Gone gone;
  keys_.erase(owner_of(*at->second.object.meta), at->first);
  leave(at, gone);
  gone.object = objects_.extract(at);
  return gone;
}

bool MemoryBackend::erase(const std::string& key) { return erase_if(key, 0); }

bool MemoryBackend::erase_exactly(const Entry& entry) { return erase_if(entry.key, entry.number); }

bool MemoryBackend::erase_if(const std::string& key, std::uint64_t number) {
  Gone removed;  // freed after the lock
  const std::lock_guard lock(mutex_);
  const auto at = objects_.find(key);
  if (at == objects_.end() || (number != 0 && at->second.object.number != number)) return false;
  removed = take(at);
  return true;
}

std::int64_t MemoryBackend::erase_own(const Owner& owner, std::span<const std::string_view> keys) {
  std::vector<Gone> removed;  // freed after the lock
  removed.reserve(keys.size());
  const std::lock_guard lock(mutex_);
  for (const std::string_view key : keys) {
    const auto at = objects_.find(key);
    if (at == objects_.end()) continue;
    const ObjectMeta& meta = *at->second.object.meta;
    if (meta.session != owner.session || meta.principal != owner.principal) continue;
    removed.push_back(take(at));
  }
  return std::ssize(removed);
}

std::int64_t MemoryBackend::erase_all(const Owner& owner) {
  std::int64_t count = 0;
  for (bool more = true; more;) {
    std::vector<Gone> removed;  // freed after the lock
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
                    [this](const std::string& key) { return entry_of(objects_.find(key)); });
}

BackendStats MemoryBackend::stats() const {
  const std::lock_guard lock(mutex_);
  BackendStats stats = stats_of(std::ssize(objects_) - names_.bodies());
  if (spill_ == nullptr) return stats;
  stats.spilled_objects = spill_->objects();
  stats.spilled_bytes = spill_->bytes();
  return stats;
}

}  // namespace curia
