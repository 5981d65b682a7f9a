#include "tests/store/faulty_disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

namespace curia {
namespace {

std::string path_of(int file) {
  return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(file)).string();
}

std::string path_in(int folder, const std::string& name) { return path_of(folder) + "/" + name; }

std::uint64_t inode_of(int file) {
  struct stat info {};
  ::fstat(file, &info);
  return info.st_ino;
}

// What has its place on the disk already.
std::int64_t reserved_bytes(int file) {
  struct stat info {};
  ::fstat(file, &info);
  return info.st_blocks * 512;
}

bool read_file(const std::string& path, std::string& content) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return false;
  std::ostringstream all;
  all << file.rdbuf();
  content = all.str();
  return true;
}

void write_file(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

}  // namespace

void FaultyDisk::arm(int step, Fault fault) {
  steps_ = 0;
  at_ = step;
  fault_ = fault;
  off_ = cut_after_ = half_ = false;
  changes_.clear();
}

int FaultyDisk::step(Takes takes, bool fits) {
  if (off_) throw PowerCut();
  cut_after_ = half_ = false;
  ++steps_;
  if (fault_ == Fault::kFull && at_ > 0 && steps_ >= at_) {
    return takes == Takes::kNothing || fits ? 0 : -ENOSPC;
  }
  if (steps_ != at_) return 0;
  switch (fault_) {
    case Fault::kIo:
      return -EIO;
    case Fault::kShort:
      half_ = takes == Takes::kWrite;
      return 0;
    case Fault::kCutBefore:
      off_ = true;
      throw PowerCut();
    case Fault::kCutAfter:
      cut_after_ = true;
      return 0;
    case Fault::kFull:
    case Fault::kNone:
      return 0;
  }
  return 0;
}

template <class Work>
auto FaultyDisk::then(const Work& work) {
  const auto result = work();
  if (std::exchange(cut_after_, false)) {
    off_ = true;
    throw PowerCut();
  }
  return result;
}

void FaultyDisk::forget(std::uint64_t inode, bool contents) {
  std::erase_if(changes_, [=](const Change& change) {
    return change.inode == inode && (change.kind == Change::Kind::kWrite) == contents;
  });
}

int FaultyDisk::open(int folder, const std::string& path, int flags) {
  if ((flags & O_CREAT) == 0) return disk_.open(folder, path, flags);
  if (const int error = step(Takes::kSpace); error < 0) return error;
  return then([&] {
    const std::string full = path_in(folder, path);
    if (!std::filesystem::exists(full)) {
      note({Change::Kind::kCreate, full, "", false, "", inode_of(folder)});
    } else if ((flags & O_TRUNC) != 0) {
      Change change{Change::Kind::kWrite, full, "", true, "", 0};
      read_file(full, change.content);
      note(std::move(change));
    }
    return disk_.open(folder, path, flags);
  });
}

std::int64_t FaultyDisk::write(int file, const iovec* pieces, int count, std::int64_t offset) {
  std::int64_t bytes = 0;
  for (int i = 0; i < count; ++i) bytes += static_cast<std::int64_t>(pieces[i].iov_len);
  const bool fits = offset + bytes <= reserved_bytes(file);
  if (const int error = step(Takes::kWrite, fits); error < 0) return error;
  return then([&]() -> std::int64_t {
    Change change{Change::Kind::kWrite, path_of(file), "", true, "", inode_of(file)};
    read_file(change.path, change.content);
    note(std::move(change));
    if (!half_) return disk_.write(file, pieces, count, offset);
    const iovec half{pieces[0].iov_base, (pieces[0].iov_len + 1) / 2};
    return disk_.write(file, &half, 1, offset);
  });
}

std::int64_t FaultyDisk::read(int file, void* to, std::int64_t bytes, std::int64_t offset) {
  if (off_) throw PowerCut();
  return disk_.read(file, to, bytes, offset);
}

int FaultyDisk::reserve(int file, std::int64_t offset, std::int64_t bytes) {
  if (const int error = step(Takes::kSpace); error < 0) return error;
  return then([&] { return disk_.reserve(file, offset, bytes); });
}

void FaultyDisk::begin_sync(int file, std::int64_t offset, std::int64_t bytes) {
  disk_.begin_sync(file, offset, bytes);
}

int FaultyDisk::sync_data(int file) {
  if (const int error = step(Takes::kNothing); error < 0) return error;
  return then([&] {
    forget(inode_of(file), true);
    return disk_.sync_data(file);
  });
}

int FaultyDisk::sync_folder(int file) {
  if (const int error = step(Takes::kNothing); error < 0) return error;
  return then([&] {
    forget(inode_of(file), false);
    return disk_.sync_folder(file);
  });
}

int FaultyDisk::make_folder(int parent, const std::string& name) {
  if (const int error = step(Takes::kSpace); error < 0) return error;
  return then([&] {
    const int made = disk_.make_folder(parent, name);
    if (made >= 0) {
      note({Change::Kind::kFolder, path_in(parent, name), "", false, "", inode_of(parent)});
    }
    return made;
  });
}

int FaultyDisk::rename(int from, const std::string& name, int to, const std::string& new_name,
                       bool replace) {
  if (const int error = step(Takes::kNothing); error < 0) return error;
  return then([&] {
    Change change{Change::Kind::kRename, path_in(to, new_name), path_in(from, name), false, "",
                  inode_of(to)};
    change.had_content = read_file(change.path, change.content);
    const int moved = disk_.rename(from, name, to, new_name, replace);
    if (moved >= 0) {
      // The file goes by its new name from now on.
      for (Change& earlier : changes_) {
        if (earlier.kind == Change::Kind::kWrite && earlier.path == change.old_path) {
          earlier.path = change.path;
        }
      }
      note(std::move(change));
    }
    return moved;
  });
}

int FaultyDisk::unlink(int folder, const std::string& name) {
  if (const int error = step(Takes::kNothing); error < 0) return error;
  return then([&] {
    Change change{Change::Kind::kUnlink, path_in(folder, name), "", true, "", inode_of(folder)};
    read_file(change.path, change.content);
    const int gone = disk_.unlink(folder, name);
    if (gone >= 0) note(std::move(change));
    return gone;
  });
}

int FaultyDisk::remove_folder(int parent, const std::string& name) {
  if (const int error = step(Takes::kNothing); error < 0) return error;
  return then([&] {
    const int gone = disk_.remove_folder(parent, name);
    if (gone >= 0) {
      note({Change::Kind::kFolderGone, path_in(parent, name), "", false, "", inode_of(parent)});
    }
    return gone;
  });
}

void FaultyDisk::lose_unsynced(bool contents, bool names) {
  for (auto change = changes_.rbegin(); change != changes_.rend(); ++change) {
    const bool is_content = change->kind == Change::Kind::kWrite;
    if (is_content ? !contents : !names) continue;
    std::error_code ignored;
    switch (change->kind) {
      case Change::Kind::kWrite:
        if (std::filesystem::exists(change->path)) write_file(change->path, change->content);
        break;
      case Change::Kind::kCreate:
      case Change::Kind::kFolder:
        std::filesystem::remove(change->path, ignored);
        break;
      case Change::Kind::kRename:
        std::filesystem::rename(change->path, change->old_path, ignored);
        for (Change& earlier : changes_) {
          if (earlier.kind == Change::Kind::kWrite && earlier.path == change->path) {
            earlier.path = change->old_path;
          }
        }
        if (change->had_content) write_file(change->path, change->content);
        break;
      case Change::Kind::kUnlink:
        write_file(change->path, change->content);
        break;
      case Change::Kind::kFolderGone:
        std::filesystem::create_directory(change->path, ignored);
        break;
    }
  }
  changes_.clear();
}

}  // namespace curia
