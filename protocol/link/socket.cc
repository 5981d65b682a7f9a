#include "protocol/link/socket.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace curia {
namespace {

constexpr int kBacklog = 4096;

std::string place(const std::string& host, int port) { return host + ":" + std::to_string(port); }

[[noreturn]] void failed(const std::string& what, const std::string& where) {
  throw Error(Code::kFailed, "cannot " + what + " " + where + ": " + std::strerror(errno));
}

std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> resolve(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
    throw Error(Code::kInvalid, "expected a numeric address for the data plane, found \"" + host +
                                    "\"; give an IPv4 or IPv6 address");
  }
  return {found, freeaddrinfo};
}

Socket open_for(const addrinfo& address) {
  return Socket(socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

void set_option(const Socket& socket, int level, int option, int value) {
  setsockopt(socket.fd(), level, option, &value, sizeof(value));
}

}  // namespace

Socket::~Socket() {
  if (fd_ >= 0) ::close(fd_);
}

Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Socket listen_on(const std::string& host, int port) {
  const auto address = resolve(host, port);
  Socket socket = open_for(*address);
  if (!socket) failed("open a socket for", place(host, port));
  set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1);
  if (bind(socket.fd(), address->ai_addr, address->ai_addrlen) != 0 ||
      listen(socket.fd(), kBacklog) != 0) {
    failed("listen on", place(host, port));
  }
  return socket;
}

int local_port(const Socket& socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    failed("read the port of", "a socket");
  }
  const in_port_t port = address.ss_family == AF_INET6
                             ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port
                             : reinterpret_cast<sockaddr_in*>(&address)->sin_port;
  return ntohs(port);
}

Socket connect_to(const std::string& host, int port) {
  const auto address = resolve(host, port);
  Socket socket = open_for(*address);
  if (!socket) failed("open a socket for", place(host, port));
  tune(socket);
  if (connect(socket.fd(), address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS) {
    failed("connect to", place(host, port));
  }
  return socket;
}

int connect_error(const Socket& socket) {
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

void tune(const Socket& socket) {
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

void set_blocking(const Socket& socket, std::chrono::milliseconds most) {
  const timeval wait{0, static_cast<suseconds_t>(most.count() * 1000)};
  setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
  fcntl(socket.fd(), F_SETFL, fcntl(socket.fd(), F_GETFL) & ~O_NONBLOCK);
}

WakeEvent::WakeEvent() : socket_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (!socket_) failed("make", "an eventfd");
}

void WakeEvent::set() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(socket_.fd(), &one, sizeof(one));
}

void WakeEvent::clear() const {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(socket_.fd(), &count, sizeof(count));
}

}  // namespace curia
