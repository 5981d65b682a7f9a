// The system calls of the file backend, behind an interface so that tests can let them fail, fall
// short, or end the world before or after any of them.
//
// Every call returns what the system call does, or minus its errno. Thread: any.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <string>
#include <utility>

namespace curia {

class Disk {
 public:
  virtual ~Disk() = default;

  // openat2() beneath a folder, without symbolic or magic links; new files have mode 0600.
  virtual int open(int folder, const std::string& path, int flags) = 0;
  // May write less than it was given, as pwritev().
  virtual std::int64_t write(int file, const iovec* pieces, int count, std::int64_t offset) = 0;
  virtual std::int64_t read(int file, void* to, std::int64_t bytes, std::int64_t offset) = 0;
  // Sets disk space aside.
  virtual int reserve(int file, std::int64_t offset, std::int64_t bytes) = 0;
  // Tells the disk to begin with what was written; waits for nothing.
  virtual void begin_sync(int file, std::int64_t offset, std::int64_t bytes) = 0;
  virtual int sync_data(int file) = 0;    // fdatasync()
  virtual int sync_folder(int file) = 0;  // fsync()
  virtual int make_folder(int parent, const std::string& name) = 0;
  // replace: over a file of the new name; else -EEXIST when there is one.
  virtual int rename(int from, const std::string& name, int to, const std::string& new_name,
                     bool replace) = 0;
  virtual int unlink(int folder, const std::string& name) = 0;
  // -ENOTEMPTY where anything is in it.
  virtual int remove_folder(int parent, const std::string& name) = 0;

  // The real one, which has no state.
  static Disk& system();
};

// An open file or folder, or none.
class FileHandle {
 public:
  FileHandle() = default;
  explicit FileHandle(int fd) : fd_(fd) {}  // a negative one is none
  ~FileHandle();
  FileHandle(FileHandle&& other) noexcept;
  FileHandle& operator=(FileHandle&& other) noexcept;

  bool open() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

// Throws what a system call's errno means to the caller: kQuota for a full disk, kOverloaded where
// no descriptor is left, kInvalid for a name that cannot be, else kFailed.
[[noreturn]] void throw_disk_error(const std::string& what, int error);

// Writes all of the pieces from an offset on. Errors: as throw_disk_error().
void write_all(Disk& disk, int file, std::int64_t offset, iovec* pieces, int count,
               const std::string& what);

// Reads exactly so many bytes. Errors: kCorrupt where the file ends before or cannot be read.
void read_all(Disk& disk, int file, void* to, std::int64_t bytes, std::int64_t offset,
              const std::string& what);

}  // namespace curia
