#include "worker/audit_disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>

#include "protocol/error.h"

namespace curia {
namespace {

constexpr const char* kLogName = "/audit.log";
constexpr const char* kMarkName = "/audit.mark";

int open_or_fail(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
  if (fd >= 0) return fd;
  throw Error(Code::kInvalid, "cannot open " + path + ": " + std::strerror(errno));
}

class FileAudit : public AuditDisk {
 public:
  explicit FileAudit(const std::string& folder)
      : path_(folder + kLogName),
        log_(open_or_fail(path_, 0)),
        mark_(open_or_fail(folder + kMarkName, 0)),
        folder_(folder) {
    struct stat info {};
    if (::fstat(log_, &info) != 0 || !S_ISREG(info.st_mode)) {
      throw Error(Code::kInvalid, path_ + ": expected a regular file");
    }
    size_ = info.st_size;
    // The file's name survives a crash, too.
    const int dir = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool synced = dir >= 0 && ::fsync(dir) == 0;
    if (dir >= 0) ::close(dir);
    if (!synced) throw Error(Code::kInvalid, "cannot sync " + folder + ": " + std::strerror(errno));
  }
  ~FileAudit() override {
    ::close(log_);
    ::close(mark_);
  }
  FileAudit(const FileAudit&) = delete;
  FileAudit& operator=(const FileAudit&) = delete;

  std::unique_ptr<std::istream> read() override {
    return std::make_unique<std::ifstream>(path_, std::ios::binary);
  }
  std::int64_t size() override { return size_; }

  void append(std::string_view bytes) override {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t now = ::pwrite(log_, bytes.data() + done, bytes.size() - done,
                                   size_ + static_cast<std::int64_t>(done));
      if (now < 0 && errno == EINTR) continue;
      if (now <= 0) fail_append(now == 0 ? ENOSPC : errno);
      done += static_cast<std::size_t>(now);
    }
    size_ += static_cast<std::int64_t>(bytes.size());
  }

  std::int64_t room() override {
    struct statvfs info {};
    if (::fstatvfs(log_, &info) != 0) return INT64_MAX;  // a write will tell
    return static_cast<std::int64_t>(info.f_bavail) * static_cast<std::int64_t>(info.f_frsize);
  }

  void truncate(std::int64_t size) override {
    if (::ftruncate(log_, size) != 0) {
      broken_ = true;
      throw Error(Code::kFailed, "cannot cut " + path_ + ": " + std::strerror(errno));
    }
    size_ = size;
  }

  void sync() override {
    if (::fdatasync(log_) == 0) return;
    // The system may have dropped what it could not write, and would call the next sync a success.
    broken_ = true;
    throw Error(Code::kFailed, "cannot sync " + path_ + ": " + std::strerror(errno));
  }

  bool broken() const override { return broken_; }

  void set_mark(const AuditMark& mark) override {
    std::string text = std::to_string(mark.records) + "\n";
    text.resize(kMarkBytes, ' ');
    // Without it only the check at the next start is weaker.
    [[maybe_unused]] const ssize_t put = ::pwrite(mark_, text.data(), text.size(), 0);
  }
  AuditMark mark() override { return read_audit_mark(folder_); }

 private:
  static constexpr std::size_t kMarkBytes = 24;

  [[noreturn]] void fail_append(int error) {
    // Half a record would make all that follow it unreadable.
    if (::ftruncate(log_, size_) != 0) broken_ = true;
    const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
    throw Error(full ? Code::kQuota : Code::kFailed,
                "cannot write " + path_ + ": " + std::strerror(error));
  }

  const std::string path_;
  const int log_;
  const int mark_;
  const std::string folder_;
  std::int64_t size_ = 0;
  bool broken_ = false;
};

class MemoryAudit : public AuditDisk {
 public:
  std::unique_ptr<std::istream> read() override {
    return std::make_unique<std::istringstream>(bytes_, std::ios::binary);
  }
  std::int64_t size() override { return std::ssize(bytes_); }
  void append(std::string_view bytes) override { bytes_ += bytes; }
  void truncate(std::int64_t size) override { bytes_.resize(static_cast<std::size_t>(size)); }
  void sync() override {}
  bool broken() const override { return false; }
  void set_mark(const AuditMark& mark) override { mark_ = mark; }
  AuditMark mark() override { return mark_; }

 private:
  std::string bytes_;
  AuditMark mark_;
};

}  // namespace

std::unique_ptr<AuditDisk> open_audit_file(const std::string& folder) {
  return std::make_unique<FileAudit>(folder);
}

std::unique_ptr<AuditDisk> memory_audit() { return std::make_unique<MemoryAudit>(); }

AuditMark read_audit_mark(const std::string& folder) {
  std::ifstream in(folder + kMarkName);
  AuditMark mark;
  if (!(in >> mark.records)) return {};
  return mark;
}

}  // namespace curia
