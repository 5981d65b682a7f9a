#include "tests/support/tcp_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "protocol/error.h"

namespace curia {
namespace {

constexpr std::size_t kPiece = 64 << 10;

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void tune(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
}

}  // namespace

TcpProxy::TcpProxy(int target) : target_(target) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw Error(Code::kFailed, "the proxy cannot listen");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

TcpProxy::~TcpProxy() {
  stop_ = true;
  thread_.join();
  ::close(listener_);
}

void TcpProxy::cut() {
  cut_ = true;
  while (cut_) ::usleep(500);
}

void TcpProxy::end(Pair& pair, bool reset) {
  for (int& fd : pair.ends) {
    const linger now{1, 0};
    if (reset) ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    ::close(fd);
    fd = -1;
  }
  pair.ended = true;
}

void TcpProxy::accept_one() {
  const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(target_);
  if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    ::close(server);
    ::close(client);
    return;
  }
  tune(client);
  tune(server);
  pairs_.emplace_back();
  pairs_.back().ends[0] = client;
  pairs_.back().ends[1] = server;
}

void TcpProxy::forward(Pair& pair, int from) {
  if (frozen_[from]) return;
  std::vector<char>& held = pair.held[from];
  if (held.empty()) {
    held.resize(kPiece);
    const ssize_t got = ::recv(pair.ends[from], held.data(), held.size(), 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) return end(pair, got < 0);
    held.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  }
  if (dropped_[from]) held.clear();
  if (held.empty()) return;
  const ssize_t put = ::send(pair.ends[1 - from], held.data(), held.size(), MSG_NOSIGNAL);
  if (put < 0 && errno != EAGAIN) return end(pair, true);
  if (put <= 0) return;
  held.erase(held.begin(), held.begin() + put);
  forwarded_[from] += put;
}

void TcpProxy::run() {
  std::vector<pollfd> polled;
  while (!stop_) {
    polled.clear();
    polled.push_back({listener_, static_cast<short>(hold_new_ ? 0 : POLLIN), 0});
    for (const Pair& pair : pairs_) {
      for (int from = 0; from < 2; ++from) {
        short events = 0;
        if (!frozen_[from] && pair.held[from].empty()) events |= POLLIN;
        if (!frozen_[1 - from] && !pair.held[1 - from].empty()) events |= POLLOUT;
        polled.push_back({events == 0 ? -1 : pair.ends[from], events, 0});
      }
    }
    ::poll(polled.data(), polled.size(), 5);
    if (!hold_new_) accept_one();
    for (Pair& pair : pairs_) {
      for (int from = 0; from < 2 && !pair.ended; ++from) forward(pair, from);
      if (cut_ && !pair.ended) end(pair, true);
    }
    pairs_.remove_if([](const Pair& pair) { return pair.ended; });
    cut_ = false;
  }
  for (Pair& pair : pairs_) end(pair, false);
}

}  // namespace curia
