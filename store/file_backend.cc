#include "store/file_backend.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "protocol/uri.h"
#include "store/mapping.h"
#include "store/object_file.h"

namespace curia {
FileBackend::FileBackend(const FileStoreOptions& options)
    : IndexedBackend("fs:///", options.open_quota, options.hidden_quota,
                     {"disk", "fs_quota_mib", "fs_hidden_quota_mib"}),
      options_(options),
      disk_(*options.disk) {
  open_root();
  sweep();
  ledger_ = std::make_unique<VersionLedger>(disk_, options_.state, options_.key);
  find_objects();
}

FileBackend::~FileBackend() = default;

void FileBackend::check_put(const std::string& key, const ObjectMeta&) const {
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

std::int64_t FileBackend::overhead(const std::string& key) const {
  return kObjectOverhead + std::count(key.begin(), key.end(), '/') * kFolderBytes;
}

void FileBackend::store(ObjectRecord& record, const Value& value, bool replaces, Found&,
                        bool& stored) {
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
  stored = true;
  try {
    if (const int error = disk_.sync_folder(folder.fd()); error < 0) {
      throw_disk_error(what, -error);
    }
    ledger_->put(record.key, {record.sequence, record.version, record.meta.principal});
  } catch (const Error& error) {
    throw Error(error.code(), error.message() + "; it is there, but a crash may undo it");
  }
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
  MappedObject object = map_object(file.fd(), options_.key, {"fs:///", key});
  check_same(object.record, key, found);
  return {std::move(object.value), found.meta, found.version, found.charge, found.sequence};
}

void FileBackend::remove_stored(const std::string& key, const LedgerEntry& entry, bool& removed) {
  const std::string what = "cannot remove fs:///" + key;
  const FileHandle folder = open_folder(key, false);
  ledger_->erase(key);
  int error = -ENOENT;
  if (folder.open()) error = disk_.unlink(folder.fd(), key.substr(key.rfind('/') + 1));
  if (error < 0 && error != -ENOENT) {
    ledger_->remember(key, entry);
    throw_disk_error(what, -error);
  }
  removed = true;
  if (folder.open()) error = disk_.sync_folder(folder.fd());
  remove_empty_folders(key);
  if (folder.open() && error < 0) throw_disk_error(what, -error);
  ledger_->finish_erase(key);
}

}  // namespace curia
