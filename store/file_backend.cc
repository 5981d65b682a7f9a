#include "store/file_backend.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "protocol/uri.h"
#include "store/mapping.h"
#include "store/object_file.h"

namespace curia {
namespace {

constexpr int kErasedAtOnce = 64;  // then others get their turn

void check_key(const std::string& key) {
  Uri::parse("fs:///" + key);
  if (key == kOwnFolder || key.starts_with(std::string(kOwnFolder) + "/")) {
    throw Error(Code::kInvalid, "fs:///" + std::string(kOwnFolder) +
                                    " belongs to the store itself; use another name");
  }
  const std::int64_t names = 1 + std::count(key.begin(), key.end(), '/');
  if (names > kMaxKeyNames) {
    throw Error(Code::kInvalid, "expected at most " + std::to_string(kMaxKeyNames) +
                                    " names between the slashes of an fs:/// URI, found " +
                                    std::to_string(names) + "; use a shorter path");
  }
}

}  // namespace

// Has a key for itself. REQUIRES, made and gone: the lock is held.
class FileBackend::Busy {
 public:
  Busy(FileBackend& backend, std::string key, std::unique_lock<std::mutex>& lock)
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
  FileBackend& backend_;
  const std::string key_;
  std::unique_lock<std::mutex>& lock_;
};

FileBackend::FileBackend(const FileStoreOptions& options)
    : CountedBackend(options.open_quota, options.hidden_quota,
                     {"disk", "fs_quota_mib", "fs_hidden_quota_mib"}),
      options_(options),
      disk_(*options.disk) {
  open_root();
  sweep();
  ledger_ = std::make_unique<VersionLedger>(disk_, options_.state, options_.key);
  find_objects();
}

FileBackend::~FileBackend() = default;

FileHandle FileBackend::open_folder(const std::string& key, bool make) const {
  const std::string what = "cannot open the folder of fs:///" + key;
  const int root = disk_.open(root_.fd(), ".", O_RDONLY | O_DIRECTORY);
  if (root < 0) throw_disk_error(what, -root);
  FileHandle at(root);
  std::size_t begin = 0;
  for (std::size_t end = key.find('/'); end != std::string::npos; end = key.find('/', begin)) {
    const std::string name = key.substr(begin, end - begin);
    int opened = disk_.open(at.fd(), name, O_RDONLY | O_DIRECTORY);
    if (opened == -ENOENT && make) {
      int error = disk_.make_folder(at.fd(), name);
      if (error >= 0) error = disk_.sync_folder(at.fd());
      if (error < 0) throw_disk_error(what, -error);
      opened = disk_.open(at.fd(), name, O_RDONLY | O_DIRECTORY);
    }
    if (opened == -ENOENT && !make) return {};
    // An object or a file, which are no less taken than the name itself.
    if (make && (opened == -ENOTDIR || opened == -ELOOP)) throw name_taken();
    if (opened < 0) throw_disk_error(what, -opened);
    at = FileHandle(opened);
    begin = end + 1;
  }
  return at;
}

void FileBackend::remove_empty_folders(const std::string& key) const {
  const std::lock_guard lock(folders_mutex_);
  std::string path = key;
  for (std::size_t end = path.rfind('/'); end != std::string::npos; end = path.rfind('/')) {
    path.resize(end);
    try {
      const FileHandle parent = open_folder(path, false);
      if (!parent.open()) continue;
      const int error = disk_.remove_folder(parent.fd(), path.substr(path.rfind('/') + 1));
      if (error < 0 && error != -ENOENT) return;  // others are in it
    } catch (const Error&) {
      return;  // the object is gone all the same
    }
  }
}

std::int64_t FileBackend::overhead(const std::string& key) {
  return kObjectOverhead + std::count(key.begin(), key.end(), '/') * kFolderBytes;
}

void FileBackend::store_file(ObjectRecord& record, const Value& value, bool replaces, bool& moved) {
  const std::string what = "cannot store fs:///" + record.key;
  const std::string file_name = record.key.substr(record.key.rfind('/') + 1);
  // Who finds a folder that another thread makes must know that it is durable.
  std::unique_lock lock(folders_mutex_);
  FileHandle folder = open_folder(record.key, true);
  lock.unlock();
  ledger_->make_room();
  const std::string name = std::to_string(++next_name_);
  const int opened = disk_.open(temporary_.fd(), name, O_WRONLY | O_CREAT | O_EXCL);
  if (opened < 0) throw_disk_error(what, -opened);
  try {
    const FileHandle file(opened);
    record = write_object(disk_, file.fd(), options_.key, std::move(record), value);
    if (has_faulted(value)) {
      throw Error(Code::kCorrupt, what + ": the file that its value came from was cut meanwhile");
    }
    lock.lock();
    folder = open_folder(record.key, true);  // it may have been removed as empty meanwhile
    const int error = disk_.rename(temporary_.fd(), name, folder.fd(), file_name, replaces);
    // A file or folder that is no object, or the folder of objects.
    if (error == -EEXIST || error == -EISDIR) throw name_taken();
    if (error < 0) throw_disk_error(what, -error);
    lock.unlock();
  } catch (...) {
    disk_.unlink(temporary_.fd(), name);
    throw;
  }
  moved = true;
  try {
    if (const int error = disk_.sync_folder(folder.fd()); error < 0) {
      throw_disk_error(what, -error);
    }
    ledger_->put(record.key, {record.sequence, record.version, record.meta.principal});
  } catch (const Error& error) {
    throw Error(error.code(), error.message() + "; it is there, but a crash may undo it");
  }
}

std::int64_t FileBackend::put(const std::string& key, ValuePtr value,
                              std::shared_ptr<const ObjectMeta> meta, const Expected& expected) {
  check_key(key);
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
  bool moved = false;
  try {
    store_file(record, *value, version != 0, moved);
  } catch (...) {
    if (moved) {
      ledger_->remember(key, {found.sequence, found.version, meta->principal});
      lock.lock();
      insert(key, std::move(found));
    } else {
      ledger_->give_up(found.sequence);
      remove_empty_folders(key);
    }
    throw;
  }
  lock.lock();
  insert(key, std::move(found));
  return expected.version + 1;
}

void FileBackend::insert(const std::string& key, Found found) {
  const auto [at, added] = objects_.try_emplace(key);
  if (!added) drop_key(*at);
  at->second = std::move(found);
  if (at->second.broken.empty()) keys_.insert(owner_of(*at->second.meta), at->first);
}

void FileBackend::drop_key(const Index::value_type& entry) {
  if (!entry.second.broken.empty()) return;
  keys_.erase(owner_of(*entry.second.meta), entry.first);
}

void FileBackend::remove(Index::iterator at) {
  drop_key(*at);
  objects_.erase(at);
}

Object FileBackend::read(const std::string& key, const Found& found) const {
  const FileHandle folder = open_folder(key, false);
  const int opened =
      folder.open() ? disk_.open(folder.fd(), key.substr(key.rfind('/') + 1), O_RDONLY) : -ENOENT;
  if (opened == -ENOENT || opened == -ELOOP) {
    throw Error(Code::kCorrupt, "object fs:///" + key +
                                    ": its file is gone; restore it or remove "
                                    "the object");
  }
  if (opened < 0) throw_disk_error("cannot read fs:///" + key, -opened);
  const FileHandle file(opened);
  MappedObject object = map_object(file.fd(), options_.key, key);
  if (object.record.sequence != found.sequence) {
    throw Error(Code::kCorrupt, "object fs:///" + key + ": its file is that of version " +
                                    std::to_string(object.record.version) + " and not of version " +
                                    std::to_string(found.version) +
                                    "; restore it or remove the object");
  }
  return {std::move(object.value), found.meta, found.version, found.charge, found.sequence};
}

std::optional<Object> FileBackend::get(const std::string& key) const {
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

bool FileBackend::exists(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  return objects_.contains(key);
}

Entry FileBackend::entry_of(const std::string& key, const Found& found) {
  return {key, found.meta, found.bytes, found.version, found.sequence};
}

std::optional<Entry> FileBackend::describe(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto at = objects_.find(key);
  if (at == objects_.end()) return std::nullopt;
  return entry_of(key, at->second);
}

bool FileBackend::erase(const std::string& key) { return erase_if(key, 0); }

bool FileBackend::erase_exactly(const Entry& entry) { return erase_if(entry.key, entry.number); }

bool FileBackend::erase_if(const std::string& key, std::uint64_t number) {
  std::unique_lock lock(mutex_);
  const Busy busy(*this, key, lock);
  const auto found = objects_.find(key);
  if (found == objects_.end() || (number != 0 && found->second.sequence != number)) return false;
  const LedgerEntry entry{found->second.sequence, found->second.version,
                          found->second.meta->principal};
  lock.unlock();
  const std::string what = "cannot remove fs:///" + key;
  const FileHandle folder = open_folder(key, false);
  ledger_->erase(key);
  int error = -ENOENT;
  if (folder.open()) error = disk_.unlink(folder.fd(), key.substr(key.rfind('/') + 1));
  if (error < 0 && error != -ENOENT) {
    ledger_->remember(key, entry);
    throw_disk_error(what, -error);
  }
  if (folder.open()) error = disk_.sync_folder(folder.fd());
  remove_empty_folders(key);
  lock.lock();
  remove(objects_.find(key));
  if (folder.open() && error < 0) throw_disk_error(what, -error);
  ledger_->finish_erase(key);
  return true;
}

std::int64_t FileBackend::erase_all(const Owner& owner) {
  std::int64_t count = 0;
  for (;;) {
    std::vector<std::string> keys;
    for (const Entry& entry : list(owner, "", "", kErasedAtOnce)) keys.push_back(entry.key);
    if (keys.empty()) return count;
    for (const std::string& key : keys) count += erase(key) ? 1 : 0;
  }
}

std::vector<Entry> FileBackend::list(const Owner& owner, std::string_view prefix,
                                     std::string_view after, std::int64_t limit) const {
  const std::lock_guard lock(mutex_);
  return keys_.list(owner, prefix, after, limit,
                    [this](const std::string& key) { return entry_of(key, objects_.at(key)); });
}

BackendStats FileBackend::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_of(std::ssize(objects_));
}

}  // namespace curia
