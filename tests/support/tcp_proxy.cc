#include "tests/support/tcp_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "protocol/error.h"

namespace curia {
namespace {

constexpr std::size_t kPiece = 64 << 10;

sockaddr_in address_of(const std::string& host, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  ::inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  return address;
}

void tune(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
}

}  // namespace

TcpProxy::TcpProxy(int target, const std::string& host, int port) : target_(target) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in address = address_of(host, port);
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

bool TcpProxy::holds_one() const {
  pollfd waits{listener_, POLLIN, 0};
  return hold_new_ && ::poll(&waits, 1, 0) == 1;
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
  const sockaddr_in address = address_of("127.0.0.1", target_);
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
  for (int way = 0; way < 2; ++way) pairs_.back().left[way] = cut_next_[way].exchange(-1);
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
  if (held.empty() || !may_write(from)) return;
  std::size_t most = held.size();
  if (rate_[from] != 0) most = std::min(most, static_cast<std::size_t>(paid_[from]));
  std::int64_t& left = pair.left[from];
  if (left == 0) return end(pair, true);
  if (left > 0) most = std::min(most, static_cast<std::size_t>(left));
  const ssize_t put = ::send(pair.ends[1 - from], held.data(), most, MSG_NOSIGNAL);
  if (put < 0 && errno != EAGAIN) return end(pair, true);
  if (put <= 0) return;
  held.erase(held.begin(), held.begin() + put);
  forwarded_[from] += put;
  if (rate_[from] != 0) paid_[from] -= put;
  if (left > 0) left -= put;
  if (left == 0) end(pair, true);
}

void TcpProxy::pay() {
  const auto now = std::chrono::steady_clock::now();
  const std::chrono::duration<double> passed = now - paid_at_;
  for (int way = 0; way < 2; ++way) {
    const std::int64_t rate = rate_[way];
    const auto more = static_cast<std::int64_t>(static_cast<double>(rate) * passed.count());
    if (rate != 0 && more == 0) return;  // too soon to tell
    paid_[way] = std::min(rate, paid_[way] + more);
  }
  paid_at_ = now;
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
        if (!frozen_[1 - from] && may_write(1 - from) && !pair.held[1 - from].empty()) {
          events |= POLLOUT;
        }
        polled.push_back({events == 0 ? -1 : pair.ends[from], events, 0});
      }
    }
    ::poll(polled.data(), polled.size(), 5);
    pay();
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
