#include "tests/link/faulty_proxy.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <list>
#include <utility>

#include "protocol/link/bytes.h"
#include "protocol/link/record.h"

namespace curia::test {
namespace {

constexpr std::size_t kPiece = 16 << 10;
constexpr std::size_t kMostWaiting = 256 << 10;

void reset_on_close(const Socket& socket) {
  const linger now{1, 0};
  setsockopt(socket.fd(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

}  // namespace

FaultyProxy::FaultyProxy(std::function<int()> target, Filter filter)
    : target_(std::move(target)),
      filter_(std::move(filter)),
      listener_(listen_on("127.0.0.1", 0)),
      port_(local_port(listener_)),
      thread_([this] { run(); }) {}

FaultyProxy::~FaultyProxy() {
  stop_ = true;
  wake_.set();
  thread_.join();
}

bool FaultyProxy::write(Pair& pair, int from) {
  auto& waiting = pair.waiting[from];
  while (!waiting.empty()) {
    const ssize_t put = ::send(pair.ends[1 - from].fd(), waiting.data(), waiting.size(),
                               MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    passed_[from] += put;
    waiting.erase(waiting.begin(), waiting.begin() + put);
  }
  return true;
}

// False: the pair is to be dropped.
bool FaultyProxy::serve(Pair& pair, int from) {
  std::vector<std::uint8_t> bytes(kPiece);
  const ssize_t got = ::recv(pair.ends[from].fd(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
  if (got == 0) return false;
  bytes.resize(static_cast<std::size_t>(got));
  const auto way = static_cast<Way>(from);
  const After after = filter_ ? filter_({pair.number, way, pair.seen[from], bytes}) : After::kGoOn;
  pair.seen[from] += got;
  auto& waiting = pair.waiting[from];
  waiting.insert(waiting.end(), bytes.begin(), bytes.end());
  if (!write(pair, from)) return false;
  if (after == After::kGoOn) return true;
  if (after == After::kReset) {
    reset_on_close(pair.ends[0]);
    reset_on_close(pair.ends[1]);
  }
  return false;
}

void FaultyProxy::run() {
  std::list<Pair> pairs;
  while (!stop_) {
    std::vector<pollfd> polls = {{wake_.fd(), POLLIN, 0}, {listener_.fd(), POLLIN, 0}};
    for (const Pair& pair : pairs) {
      for (int i = 0; i < 2; ++i) {
        short events = 0;
        if (pair.waiting[i].size() < kMostWaiting) events |= POLLIN;
        if (!pair.waiting[1 - i].empty()) events |= POLLOUT;
        polls.push_back({pair.ends[i].fd(), events, 0});
      }
    }
    ::poll(polls.data(), polls.size(), -1);
    std::size_t next = 2;
    for (auto it = pairs.begin(); it != pairs.end();) {
      bool good = true;
      for (int i = 0; i < 2; ++i) {
        const short events = polls[next++].revents;
        if (good && (events & POLLOUT) != 0) good = write(*it, 1 - i);
        if (good && (events & (POLLIN | POLLHUP | POLLERR)) != 0) good = serve(*it, i);
      }
      it = good ? std::next(it) : pairs.erase(it);
    }
    if ((polls[1].revents & POLLIN) != 0) {
      Pair pair;
      pair.number = connections_++;
      pair.ends[0] = Socket(::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
      pair.ends[1] = connect_to("127.0.0.1", target_());
      tune(pair.ends[0]);
      pairs.push_back(std::move(pair));
    }
  }
}

std::vector<std::vector<std::uint8_t>> RecordCutter::feed(const std::vector<std::uint8_t>& bytes) {
  held_.insert(held_.end(), bytes.begin(), bytes.end());
  std::vector<std::vector<std::uint8_t>> whole;
  while (true) {
    std::int64_t size = skip_;
    if (size == 0) {
      if (std::ssize(held_) < kRecordHeader) break;
      size = kRecordOverhead + get_u32(held_.data());
    }
    if (std::ssize(held_) < size) break;
    whole.emplace_back(held_.begin(), held_.begin() + size);
    held_.erase(held_.begin(), held_.begin() + size);
    skip_ = 0;
  }
  return whole;
}

}  // namespace curia::test
