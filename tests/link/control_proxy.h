// A TCP proxy for one connection, between a client and a server, that can fall silent or die.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <mutex>
#include <string>
#include <thread>

namespace curia {

class Proxy {
 public:
  static constexpr auto kNoEnd = std::numeric_limits<std::size_t>::max();

  // Carries `budget` bytes from the client to the server, or `back` the other way, then resets both
  // connections.
  explicit Proxy(int server_port, std::size_t budget = kNoEnd, std::size_t back = kNoEnd)
      : budget_{budget, back}, listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    listen(listener_, 1);
    socklen_t size = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    if (pipe2(stop_, O_CLOEXEC) != 0) std::abort();
    thread_ = std::thread([this, server_port] { run(server_port); });
  }
  ~Proxy() {
    if (write(stop_[1], "x", 1) != 1) std::abort();
    thread_.join();
    for (const int fd : {listener_, stop_[0], stop_[1]}) close(fd);
  }
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  std::string endpoint() const { return "tcp://127.0.0.1:" + std::to_string(port_); }
  // From now on nothing is carried, and nothing closed: as behind a cable that was pulled.
  void freeze() { frozen_ = true; }
  // What the client has sent so far.
  std::string recorded() const {
    const std::lock_guard lock(mutex_);
    return recorded_;
  }

 private:
  static sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  // False when stopped first.
  bool readable(int a, int b, int* which) const {
    pollfd items[] = {{stop_[0], POLLIN, 0}, {a, POLLIN, 0}, {b, POLLIN, 0}};
    poll(items, 3, -1);
    if (items[0].revents != 0) return false;
    *which = items[1].revents != 0 ? a : b;
    return true;
  }

  void run(int server_port) {
    int ready = 0;
    if (!readable(listener_, -1, &ready)) return;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(server_port);
    if (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      carry(client, server);
    }
    const linger reset{1, 0};
    for (const int fd : {client, server}) {
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
      close(fd);
    }
  }

  void carry(int client, int server) {
    char buffer[4096];
    int from = 0;
    while (readable(client, server, &from)) {
      if (frozen_) {
        pollfd stop{stop_[0], POLLIN, 0};
        poll(&stop, 1, -1);
        return;
      }
      std::size_t& budget = budget_[from == client ? 0 : 1];
      const std::size_t room = std::min(budget, sizeof buffer);
      if (room == 0) return;
      const ssize_t got = recv(from, buffer, room, 0);
      if (got <= 0) return;
      if (budget != kNoEnd) budget -= static_cast<std::size_t>(got);
      if (from == client) {
        const std::lock_guard lock(mutex_);
        recorded_.append(buffer, static_cast<std::size_t>(got));
      }
      const int to = from == client ? server : client;
      if (::send(to, buffer, static_cast<std::size_t>(got), MSG_NOSIGNAL) != got) return;
      if (budget == 0) {
        // What was carried is to arrive before the reset, which would overtake it.
        shutdown(to, SHUT_WR);
        while (recv(to, buffer, sizeof buffer, 0) > 0) {
        }
        return;
      }
    }
  }

  std::size_t budget_[2];  // to the server, to the client
  const int listener_;
  int port_ = 0;
  int stop_[2] = {-1, -1};
  std::atomic<bool> frozen_{false};
  mutable std::mutex mutex_;
  std::string recorded_;
  std::thread thread_;
};

}  // namespace curia
