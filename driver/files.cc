#include "driver/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "protocol/error.h"

namespace curia {
namespace {

void write_file(const std::string& path, const std::string& text, int flags) {
  const auto fail = [&path] {
    throw Error(Code::kInvalid, "cannot write " + path + ": " + std::strerror(errno));
  };
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
  if (fd < 0 && errno == EEXIST) {
    throw Error(Code::kInvalid, path + " exists already, and is not overwritten; choose another");
  }
  if (fd < 0) fail();
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t now = ::write(fd, text.data() + done, text.size() - done);
    if (now < 0 && errno != EINTR) {
      ::close(fd);
      fail();
    }
    if (now > 0) done += static_cast<std::size_t>(now);
  }
  if (::close(fd) != 0) fail();
}

}  // namespace

void write_new_file(const std::string& path, const std::string& text) {
  write_file(path, text, O_EXCL);
}

void replace_file(const std::string& path, const std::string& text) {
  const std::string fresh = path + ".new";
  write_file(fresh, text, O_TRUNC);
  if (std::rename(fresh.c_str(), path.c_str()) != 0) {
    throw Error(Code::kInvalid, "cannot replace " + path + ": " + std::strerror(errno));
  }
}

}  // namespace curia
