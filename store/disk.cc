#include "store/disk.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "protocol/error.h"

namespace curia {
namespace {

int result(int returned) { return returned < 0 ? -errno : returned; }

class SystemDisk : public Disk {
 public:
  int open(int folder, const std::string& path, int flags) override {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if ((flags & O_CREAT) != 0) how.mode = 0600;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    return result(
        static_cast<int>(::syscall(SYS_openat2, folder, path.c_str(), &how, sizeof(how))));
  }
  std::int64_t write(int file, const iovec* pieces, int count, std::int64_t offset) override {
    const ssize_t written = ::pwritev(file, pieces, count, offset);
    return written < 0 ? -errno : written;
  }
  std::int64_t read(int file, void* to, std::int64_t bytes, std::int64_t offset) override {
    const ssize_t got = ::pread(file, to, static_cast<std::size_t>(bytes), offset);
    return got < 0 ? -errno : got;
  }
  int reserve(int file, std::int64_t offset, std::int64_t bytes) override {
    return result(::fallocate(file, 0, offset, bytes));
  }
  void begin_sync(int file, std::int64_t offset, std::int64_t bytes) override {
    ::sync_file_range(file, offset, bytes, SYNC_FILE_RANGE_WRITE);
  }
  int sync_data(int file) override { return result(::fdatasync(file)); }
  int sync_folder(int file) override { return result(::fsync(file)); }
  int make_folder(int parent, const std::string& name) override {
    return result(::mkdirat(parent, name.c_str(), 0700));
  }
  int rename(int from, const std::string& name, int to, const std::string& new_name,
             bool replace) override {
    return result(
        ::renameat2(from, name.c_str(), to, new_name.c_str(), replace ? 0 : RENAME_NOREPLACE));
  }
  int unlink(int folder, const std::string& name) override {
    return result(::unlinkat(folder, name.c_str(), 0));
  }
  int remove_folder(int parent, const std::string& name) override {
    return result(::unlinkat(parent, name.c_str(), AT_REMOVEDIR));
  }
};

}  // namespace

Disk& Disk::system() {
  static SystemDisk disk;
  return disk;
}

FileHandle::~FileHandle() {
  if (fd_ >= 0) ::close(fd_);
}

FileHandle::FileHandle(FileHandle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileHandle& FileHandle::operator=(FileHandle&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

void throw_disk_error(const std::string& what, int error) {
  Code code = Code::kFailed;
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) code = Code::kQuota;
  if (error == EMFILE || error == ENFILE || error == ENOMEM) code = Code::kOverloaded;
  if (error == ENOTDIR || error == EISDIR || error == ELOOP || error == EXDEV ||
      error == ENAMETOOLONG) {
    code = Code::kInvalid;
  }
  throw Error(code, what + ": " + std::strerror(error));
}

void write_all(Disk& disk, int file, std::int64_t offset, iovec* pieces, int count,
               const std::string& what) {
  while (count > 0) {
    std::int64_t written = disk.write(file, pieces, count, offset);
    if (written == -EINTR) continue;
    if (written < 0) throw_disk_error(what, static_cast<int>(-written));
    if (written == 0 && pieces->iov_len > 0) throw_disk_error(what, EIO);
    offset += written;
    for (; count > 0 && written >= static_cast<std::int64_t>(pieces->iov_len); ++pieces, --count) {
      written -= static_cast<std::int64_t>(pieces->iov_len);
    }
    if (count > 0) {
      pieces->iov_base = static_cast<std::uint8_t*>(pieces->iov_base) + written;
      pieces->iov_len -= static_cast<std::size_t>(written);
    }
  }
}

void read_all(Disk& disk, int file, void* to, std::int64_t bytes, std::int64_t offset,
              const std::string& what) {
  auto* at = static_cast<std::uint8_t*>(to);
  while (bytes > 0) {
    const std::int64_t got = disk.read(file, at, bytes, offset);
    if (got == -EINTR) continue;
    if (got < 0) {
      throw Error(Code::kCorrupt, what + ": " + std::strerror(static_cast<int>(-got)));
    }
    if (got == 0) throw Error(Code::kCorrupt, what + ": the file is shorter than it was");
    at += got;
    offset += got;
    bytes -= got;
  }
}

}  // namespace curia
