// The TCP connections a server socket has accepted. A ROUTER can neither close one nor say that one
// has ended; its monitor and the file descriptors can.
//
// A descriptor belongs to libzmq and may be closed and used again at any moment, so it is only ever
// shut down when it still is the socket that was accepted, on our own port. At worst, in a race of
// microseconds, another client of this server has to connect again.
// Thread: the server's own.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace curia {

class Accepted {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Accepted(int port) : port_(port) {}

  void opened(int fd, Clock::time_point now);
  void closed(int fd);
  bool contains(int fd) const { return sockets_.contains(fd); }
  // Without those that were cut and only wait to be closed.
  std::int64_t open() const { return open_; }

  // A complete message came from it: it has an owner now, and what TCP has received up to here is
  // accounted for.
  void heard(int fd);
  // Makes libzmq see the end of the connection. False: it was cut before, or is not there any more.
  bool cut(int fd);

  // Those that have not sent a message within `first_message`, and those that have sent more than
  // `most_unfinished` bytes without completing one: libzmq gathers the frames of a message without
  // a limit.
  std::vector<int> overdue(Clock::time_point now, std::chrono::milliseconds first_message,
                           std::int64_t most_unfinished);
  // The oldest that has not sent a message; -1 when all have.
  int oldest_silent() const;

 private:
  struct Socket {
    ino_t inode = 0;
    Clock::time_point since;  // accepted, or the last look that found news
    bool heard = false;
    bool cut = false;
    bool news = false;           // a message came since the last look
    std::int64_t accounted = 0;  // of the bytes received by TCP
  };

  const int port_;
  std::int64_t open_ = 0;
  std::unordered_map<int, Socket> sockets_;
};

}  // namespace curia
