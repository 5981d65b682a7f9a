// File descriptors and TCP sockets, non-blocking and closed on exec.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "protocol/error.h"

namespace curia {

class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket();
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept;

  int fd() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// Listens on a numeric address. Errors: kFailed with the address and the system's reason.
Socket listen_on(const std::string& host, int port);
int local_port(const Socket& socket);

// Begins to connect; success or failure shows when the socket becomes writable.
// Errors: kInvalid for an address that is not numeric, kFailed otherwise.
Socket connect_to(const std::string& host, int port);
int connect_error(const Socket& socket);  // errno of the attempt, 0 when it succeeded

// No delay for small writes, and liveness probes of the kernel for idle connections.
void tune(const Socket& socket);

// Makes reads without MSG_DONTWAIT wait, for at most `most`.
void set_blocking(const Socket& socket, std::chrono::milliseconds most);

// An eventfd that one thread sleeps on and others write to. Thread: any.
class WakeEvent {
 public:
  WakeEvent();
  int fd() const { return socket_.fd(); }
  void set() const;
  void clear() const;

 private:
  Socket socket_;
};

}  // namespace curia
