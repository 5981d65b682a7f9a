// The start of the file backend: lock, sweep, and finding the objects again.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "protocol/uri.h"
#include "store/file_backend.h"
#include "store/object_file.h"

namespace curia {
namespace {

constexpr const char* kTemporary = "tmp";

[[noreturn]] void unusable(const std::string& root, int error) {
  throw Error(Code::kInvalid, "fs_root " + root + " cannot be used: " + std::strerror(error) +
                                  "; name a folder that the worker may write to");
}

// The names in a folder, without "." and "..".
std::vector<std::string> names_in(FileHandle folder) {
  std::vector<std::string> names;
  DIR* open = ::fdopendir(folder.fd());
  if (open == nullptr) return names;
  folder.release();  // closedir() closes it
  while (const dirent* entry = ::readdir(open)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  ::closedir(open);
  std::sort(names.begin(), names.end());
  return names;
}

bool is_key(const std::string& path) {
  try {
    Uri::parse("fs:///" + path);
    return true;
  } catch (const Error&) {
    return false;
  }
}

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

void FileBackend::open_root() {
  std::error_code error;
  const bool there = std::filesystem::exists(options_.root, error);
  std::filesystem::create_directories(options_.root, error);
  if (error) unusable(options_.root, error.value());
  if (!there) ::chmod(options_.root.c_str(), 0700);
  root_ = FileHandle(::open(options_.root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root_.open()) unusable(options_.root, errno);
  const std::string own(kOwnFolder);
  for (const std::string& name : {own, own + "/" + kTemporary}) {
    const int made = disk_.make_folder(root_.fd(), name);
    if (made < 0 && made != -EEXIST) unusable(options_.root, -made);
  }
  if (const int synced = disk_.sync_folder(root_.fd()); synced < 0)
    unusable(options_.root, -synced);
  const int lock = disk_.open(root_.fd(), own + "/lock", O_RDWR | O_CREAT);
  if (lock < 0) unusable(options_.root, -lock);
  lock_ = FileHandle(lock);
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    throw Error(Code::kInvalid, "another worker is running with fs_root " + options_.root +
                                    "; give each worker its own");
  }
  const int temporary = disk_.open(root_.fd(), own + "/" + kTemporary, O_RDONLY | O_DIRECTORY);
  if (temporary < 0) unusable(options_.root, -temporary);
  temporary_ = FileHandle(temporary);
}

void FileBackend::sweep() {
  FileHandle folder(disk_.open(temporary_.fd(), ".", O_RDONLY | O_DIRECTORY));
  for (const std::string& name : names_in(std::move(folder))) {
    disk_.unlink(temporary_.fd(), name);
  }
}

void FileBackend::take_file(const std::string& key, std::map<std::string, LedgerEntry>& known,
                            std::uint64_t& last) {
  const auto entry = known.find(key);
  const bool expected = entry != known.end();
  Found found;
  try {
    const int opened = disk_.open(root_.fd(), key, O_RDONLY);
    if (opened < 0) throw_disk_error("object fs:///" + key, -opened);
    const FileHandle file(opened);
    const ObjectRecord record = read_record(disk_, file.fd(), options_.key, key);
    const auto gone = ledger_->erased().find(key);
    if (gone != ledger_->erased().end() && gone->second == record.sequence) {
      const FileHandle folder = open_folder(key, false);
      disk_.unlink(folder.fd(), key.substr(key.rfind('/') + 1));
      disk_.sync_folder(folder.fd());
      remove_empty_folders(key);
      return;
    }
    const bool current = expected && record.sequence == entry->second.sequence;
    const bool newer = record.sequence >= ledger_->open_from() &&
                       (!expected || record.sequence > entry->second.sequence);
    if (!current && !newer) {
      throw Error(Code::kCorrupt, "object fs:///" + key + ": somebody put back version " +
                                      std::to_string(record.version) +
                                      ", which was replaced or removed since");
    }
    last = std::max(last, record.sequence);
    known[key] = {record.sequence, record.version, record.meta.principal};
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
  insert(key, std::move(found));
}

void FileBackend::find_objects() {
  std::map<std::string, LedgerEntry> known = ledger_->entries();
  std::uint64_t last = 0;
  std::vector<std::string> folders(1);  // as beginnings of paths
  const std::lock_guard lock(mutex_);
  while (!folders.empty()) {
    const std::string prefix = std::move(folders.back());
    folders.pop_back();
    FileHandle open(disk_.open(root_.fd(), prefix + ".", O_RDONLY | O_DIRECTORY));
    if (!open.open()) continue;
    const FileHandle folder(disk_.open(root_.fd(), prefix + ".", O_RDONLY | O_DIRECTORY));
    for (const std::string& name : names_in(std::move(open))) {
      const std::string path = prefix + name;
      struct stat info {};
      if (path == kOwnFolder || !is_key(path) ||
          ::fstatat(folder.fd(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
        continue;
      }
      if (S_ISDIR(info.st_mode)) {
        folders.push_back(path + "/");
      } else {
        take_file(path, known, last);
      }
    }
  }
  for (const auto& [key, entry] : known) {
    if (objects_.contains(key)) continue;
    const std::string gone =
        "object fs:///" + key + ": its file is gone; restore it or remove the object";
    report_.push_back("broken: " + gone);
    insert(key, Found{.meta = broken_meta(entry),
                      .version = entry.version,
                      .sequence = entry.sequence,
                      .broken = gone});
  }
  ledger_->replace(std::move(known), last);
  report_.push_back("found " + std::to_string(objects_.size()) + " objects in " + options_.root);
}

}  // namespace curia
