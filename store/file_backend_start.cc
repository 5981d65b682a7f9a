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

void FileBackend::take_file(const std::string& key, Start& start) {
  const auto read = [&](Found&) {
    const int opened = disk_.open(root_.fd(), key, O_RDONLY);
    if (opened < 0) throw_disk_error("object fs:///" + key, -opened);
    const FileHandle file(opened);
    return read_record(disk_, file.fd(), options_.key, {"fs:///", key});
  };
  take(start, key, read, [&] {
    const FileHandle folder = open_folder(key, false);
    disk_.unlink(folder.fd(), key.substr(key.rfind('/') + 1));
    disk_.sync_folder(folder.fd());
    remove_empty_folders(key);
  });
}

void FileBackend::find_objects() {
  Start start{ledger_->entries()};
  std::vector<std::string> folders(1);  // as beginnings of paths
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
        take_file(path, start);
      }
    }
  }
  finish_start(std::move(start), options_.root);
}

}  // namespace curia
