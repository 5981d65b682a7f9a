#include "protocol/link/accepted.h"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace curia {
namespace {

// 0 when there is no such descriptor.
ino_t inode_of(int fd) {
  struct stat info {};
  return fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode) ? info.st_ino : 0;
}

int local_port(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return -1;
  if (address.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
  }
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port);
  }
  return -1;
}

std::int64_t bytes_received(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return 0;
  return static_cast<std::int64_t>(info.tcpi_bytes_received);
}

// What heartbeats alone may bring in this time, in bytes.
std::int64_t heartbeats(std::chrono::steady_clock::duration time) {
  return 128 * std::chrono::duration_cast<std::chrono::seconds>(time).count();
}

}  // namespace

void Accepted::opened(int fd, Clock::time_point now) {
  closed(fd);
  Socket socket;
  socket.inode = inode_of(fd);
  socket.since = now;
  sockets_[fd] = socket;
  ++open_;
}

void Accepted::closed(int fd) {
  const auto found = sockets_.find(fd);
  if (found == sockets_.end()) return;
  if (!found->second.cut) --open_;
  sockets_.erase(found);
}

void Accepted::heard(int fd) {
  const auto found = sockets_.find(fd);
  if (found == sockets_.end()) return;
  found->second.heard = true;
  found->second.news = true;
}

bool Accepted::cut(int fd) {
  const auto found = sockets_.find(fd);
  if (found == sockets_.end() || found->second.inode == 0 || found->second.cut) return false;
  found->second.cut = true;
  --open_;
  if (inode_of(fd) != found->second.inode || local_port(fd) != port_) return false;
  return shutdown(fd, SHUT_RDWR) == 0;
}

std::vector<int> Accepted::overdue(Clock::time_point now, std::chrono::milliseconds first_message,
                                   std::int64_t most_unfinished) {
  std::vector<int> found;
  for (auto& [fd, socket] : sockets_) {
    if (socket.cut) continue;
    if (!socket.heard && now - socket.since > first_message) {
      found.push_back(fd);
      continue;
    }
    const std::int64_t bytes = bytes_received(fd);
    if (socket.news) {
      socket.news = false;
      socket.accounted = bytes;
      socket.since = now;
    } else if (bytes - socket.accounted > most_unfinished + heartbeats(now - socket.since)) {
      found.push_back(fd);
    }
  }
  return found;
}

int Accepted::oldest_silent() const {
  int oldest = -1;
  Clock::time_point since;
  for (const auto& [fd, socket] : sockets_) {
    if (socket.heard || socket.cut || (oldest >= 0 && socket.since >= since)) continue;
    oldest = fd;
    since = socket.since;
  }
  return oldest;
}

}  // namespace curia
