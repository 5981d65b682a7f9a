#include "store/indexed_backend.h"

#include <algorithm>
#include <utility>

#include "store/mapping.h"

namespace curia {
namespace {

constexpr int kErasedAtOnce = 64;  // then others get their turn

// Stands for what is known of an object whose file cannot be trusted. No owner has that name, so
// nobody can agree to let it go anywhere.
std::shared_ptr<const ObjectMeta> broken_meta(const LedgerEntry& entry) {
  auto meta = std::make_shared<ObjectMeta>();
  auto label = std::make_shared<Label>();
  label->sources[{"?", "?"}];
  meta->label = std::move(label);
  meta->principal = entry.principal;
  return meta;
}

}  // namespace

// Has a key for itself. REQUIRES, made and gone: the lock is held.
class IndexedBackend::Busy {
 public:
  Busy(IndexedBackend& backend, std::string key, std::unique_lock<std::mutex>& lock)
      : backend_(backend), key_(std::move(key)), lock_(lock) {
    backend_.idle_.wait(lock_, [this] { return !backend_.busy_.contains(key_); });
    backend_.busy_.insert(key_);
  }
  ~Busy() {
    if (!lock_.owns_lock()) lock_.lock();
    backend_.busy_.erase(key_);
    backend_.idle_.notify_all();
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  IndexedBackend& backend_;
  const std::string key_;
  std::unique_lock<std::mutex>& lock_;
};

std::int64_t IndexedBackend::put(const std::string& key, ValuePtr value,
                                 std::shared_ptr<const ObjectMeta> meta, const Expected& expected) {
  check_put(key, *meta);
  Found found;
  found.bytes = counted_bytes(*value, *meta);
  found.version = expected.version + 1;
  found.meta = meta;
  std::unique_lock lock(mutex_);
  const Busy busy(*this, key, lock);
  const auto before = objects_.find(key);
  const std::int64_t version = before == objects_.end() ? 0 : before->second.version;
  const bool own = version == 0 || before->second.meta->principal == meta->principal;
  expected.check(version, version == 0 ? 0 : before->second.sequence, own);
  const Charge* freed = nullptr;
  if (version != 0 && before->second.charge.use_count() == 1) freed = before->second.charge.get();
  found.charge =
      std::make_shared<const Charge>(books_, account_for(*meta), found.bytes, freed, overhead(key));
  lock.unlock();

  ObjectRecord record;
  record.key = key;
  record.version = found.version;
  record.sequence = found.sequence = ledger_->next_sequence();
  record.meta = *meta;
  record.bytes = found.bytes;
  bool stored = false;
  try {
    store(record, *value, version != 0, found, stored);
  } catch (...) {
    if (stored) {
      ledger_->remember(key, {found.sequence, found.version, meta->principal});
      lock.lock();
      insert(key, std::move(found));
    } else {
      ledger_->give_up(found.sequence);
      clean_up(key);
    }
    throw;
  }
  lock.lock();
  insert(key, std::move(found));
  return expected.version + 1;
}

void IndexedBackend::insert(const std::string& key, Found found) {
  const auto [at, added] = objects_.try_emplace(key);
  if (!added) drop_key(*at);
  at->second = std::move(found);
  if (at->second.broken.empty()) keys_.insert({at->second.meta->principal}, at->first);
}

void IndexedBackend::drop_key(const Index::value_type& entry) {
  if (!entry.second.broken.empty()) return;
  keys_.erase({entry.second.meta->principal}, entry.first);
}

void IndexedBackend::remove(Index::iterator at) {
  drop_key(*at);
  objects_.erase(at);
}

std::optional<Object> IndexedBackend::get(const std::string& key) const {
  for (;;) {
    Found found;
    {
      const std::lock_guard lock(mutex_);
      const auto at = objects_.find(key);
      if (at == objects_.end()) return std::nullopt;
      found = at->second;
    }
    if (!found.broken.empty()) throw Error(Code::kCorrupt, found.broken);
    ValuePtr mapped = found.mapped.lock();
    if (mapped != nullptr && !has_faulted(*mapped)) {
      return Object{std::move(mapped), found.meta, found.version, found.charge, found.sequence};
    }
    try {
      Object object = read(key, found);
      const std::lock_guard lock(mutex_);
      const auto at = objects_.find(key);
      if (at != objects_.end() && at->second.sequence == found.sequence) {
        at->second.mapped = object.value;
      }
      return object;
    } catch (const Error&) {
      // It may be that another thread replaced or erased it meanwhile.
      std::unique_lock lock(mutex_);
      idle_.wait(lock, [&] { return !busy_.contains(key); });
      const auto at = objects_.find(key);
      if (at != objects_.end() && at->second.sequence == found.sequence) throw;
    }
  }
}

bool IndexedBackend::exists(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  return objects_.contains(key);
}

Entry IndexedBackend::entry_of(const std::string& key, const Found& found) {
  return {key, found.meta, found.bytes, found.version, found.sequence};
}

std::optional<Entry> IndexedBackend::describe(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto at = objects_.find(key);
  if (at == objects_.end()) return std::nullopt;
  return entry_of(key, at->second);
}

bool IndexedBackend::erase(const std::string& key) { return erase_if(key, 0); }

bool IndexedBackend::erase_exactly(const Entry& entry) { return erase_if(entry.key, entry.number); }

bool IndexedBackend::erase_if(const std::string& key, std::uint64_t number) {
  std::unique_lock lock(mutex_);
  const Busy busy(*this, key, lock);
  const auto found = objects_.find(key);
  if (found == objects_.end() || (number != 0 && found->second.sequence != number)) return false;
  const LedgerEntry entry{found->second.sequence, found->second.version,
                          found->second.meta->principal};
  lock.unlock();
  bool removed = false;
  try {
    remove_stored(key, entry, removed);
  } catch (...) {
    lock.lock();
    if (removed) remove(objects_.find(key));
    throw;
  }
  lock.lock();
  remove(objects_.find(key));
  return true;
}

std::int64_t IndexedBackend::erase_all(const Owner& owner) {
  std::int64_t count = 0;
  for (;;) {
    std::vector<std::string> keys;
    for (const Entry& entry : list(owner, "", "", kErasedAtOnce)) keys.push_back(entry.key);
    if (keys.empty()) return count;
    for (const std::string& key : keys) count += erase(key) ? 1 : 0;
  }
}

std::vector<Entry> IndexedBackend::list(const Owner& owner, std::string_view prefix,
                                        std::string_view after, std::int64_t limit) const {
  const std::lock_guard lock(mutex_);
  return keys_.list({owner.principal}, prefix, after, limit,
                    [this](const std::string& key) { return entry_of(key, objects_.at(key)); });
}

BackendStats IndexedBackend::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_of(std::ssize(objects_));
}

void IndexedBackend::check_same(const ObjectRecord& record, const std::string& key,
                                const Found& found) const {
  if (record.sequence == found.sequence) return;
  throw Error(Code::kCorrupt, "object " + uri_of(key) + ": its file is that of version " +
                                  std::to_string(record.version) + " and not of version " +
                                  std::to_string(found.version) +
                                  "; restore it or remove the object");
}

void IndexedBackend::take(Start& start, const std::string& key,
                          const std::function<ObjectRecord(Found&)>& read,
                          const std::function<void()>& remove) {
  const auto entry = start.known.find(key);
  const bool expected = entry != start.known.end();
  Found found;
  try {
    const ObjectRecord record = read(found);
    const auto gone = ledger_->erased().find(key);
    if (gone != ledger_->erased().end() && gone->second == record.sequence) return remove();
    const bool current = expected && record.sequence == entry->second.sequence;
    const bool newer = record.sequence >= ledger_->open_from() &&
                       (!expected || record.sequence > entry->second.sequence);
    if (!current && !newer) {
      throw Error(Code::kCorrupt, "object " + uri_of(key) + ": somebody put back version " +
                                      std::to_string(record.version) +
                                      ", which was replaced or removed since");
    }
    start.last = std::max(start.last, record.sequence);
    start.known[key] = {record.sequence, record.version, record.meta.principal};
    found.bytes = record.bytes;
    found.version = record.version;
    found.sequence = record.sequence;
    found.meta = std::make_shared<const ObjectMeta>(record.meta);
    found.charge = std::make_shared<const Charge>(books_, account_for(record.meta), record.bytes,
                                                  nullptr, overhead(key), true);
  } catch (const Error& error) {
    if (!expected) {
      report_.push_back("ignored " + key + ": " + error.message());
      return;
    }
    found = Found{.meta = broken_meta(entry->second),
                  .version = entry->second.version,
                  .sequence = entry->second.sequence,
                  .broken = error.message()};
    report_.push_back("broken: " + error.message());
  }
  const std::lock_guard lock(mutex_);
  insert(key, std::move(found));
}

void IndexedBackend::finish_start(Start start, const std::string& where) {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, entry] : start.known) {
    if (objects_.contains(key)) continue;
    const std::string gone =
        "object " + uri_of(key) + ": its file is gone; restore it or remove the object";
    report_.push_back("broken: " + gone);
    insert(key, Found{.meta = broken_meta(entry),
                      .version = entry.version,
                      .sequence = entry.sequence,
                      .broken = gone});
  }
  ledger_->replace(std::move(start.known), start.last);
  report_.push_back("found " + std::to_string(objects_.size()) + " objects in " + where);
}

}  // namespace curia
