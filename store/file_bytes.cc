#include "store/file_bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace curia {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

Slice read_file(const std::string& path, std::int64_t max_bytes) {
  // O_NONBLOCK: opening a pipe must not wait for its writer.
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) {
    throw Error(Code::kNotFound, path + ": cannot open: " + std::strerror(errno));
  }
  struct stat info;
  if (fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    throw Error(Code::kNotFound, path + ": expected a regular file");
  }
  if (info.st_size > max_bytes) {
    throw Error(Code::kQuota, path + ": expected at most " + std::to_string(max_bytes) +
                                  " bytes, found " + std::to_string(info.st_size));
  }
  auto buffer = Buffer::allocate(info.st_size);
  for (std::int64_t done = 0; done < info.st_size;) {
    const ssize_t got =
        read(file.get(), buffer->data() + done, static_cast<std::size_t>(info.st_size - done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      throw Error(Code::kFailed,
                  path + ": " + (got < 0 ? std::strerror(errno) : "the file was cut while read"));
    }
    done += got;
  }
  return Slice(BufferPtr(std::move(buffer)));
}

}  // namespace curia
