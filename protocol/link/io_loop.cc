#include "protocol/link/io_loop.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "protocol/digest.h"

namespace curia {
namespace {

constexpr std::uint64_t kWakeId = 0;
constexpr std::uint64_t kListenerId = 1;
constexpr std::uint64_t kFirstId = 2;
constexpr int kEvents = 64;
constexpr int kAcceptsPerRound = 256;
constexpr std::chrono::milliseconds kNoDescriptors{100};
constexpr std::chrono::milliseconds kLongestSleep{1000};

void add(const Socket& epoll, int fd, std::uint64_t id, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  if (epoll_ctl(epoll.fd(), EPOLL_CTL_ADD, fd, &event) != 0) {
    throw Error(Code::kFailed, "cannot watch a socket");
  }
}

int timeout_until(SteadyTime next) {
  const SteadyTime now = std::chrono::steady_clock::now();
  if (next <= now) return 0;
  const auto wait = std::min<std::chrono::nanoseconds>(next - now, kLongestSleep);
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count());
}

}  // namespace

IoLoop::IoLoop(DataLinkOptions options) : shared_(std::make_shared<LinkShared>()) {
  expect(!options.self.empty(), "a data link needs a name of its own");
  expect(options.credits >= kSmallestCredits, "a data link needs at least kSmallestCredits");
  expect(options.max_record >= Pace::kSmallestRecord && options.max_record <= kMaxRecord,
         "the largest record must be between 16 KiB and kMaxRecord");
  expect(options.max_unproven > 0, "a data link needs room for a client that proves itself");
  shared_->options = std::move(options);
  random_bytes(shared_->incarnation);
  shared_->epoll = Socket(epoll_create1(EPOLL_CLOEXEC));
  expect(static_cast<bool>(shared_->epoll), "the system has no epoll descriptor left");
  add(shared_->epoll, shared_->wake.fd(), kWakeId, EPOLLIN);
  last_id_ = kFirstId;
  if (shared_->options.port >= 0) {
    listener_ = listen_on(shared_->options.host, shared_->options.port);
    port_ = local_port(listener_);
    listen(true);
  }
  thread_ = std::thread([this] { run(); });
}

IoLoop::~IoLoop() {
  stop_ = true;
  shared_->wake.set();
  thread_.join();
  for (const auto& peer : peers()) peer->stop();
}

std::shared_ptr<Peer> IoLoop::peer(std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (const auto found = by_name_.find(name); found != by_name_.end()) return found->second;
  const std::uint64_t id = ++last_id_;
  auto peer = std::make_shared<Peer>(shared_, std::string(name), id);
  by_name_.emplace(std::string(name), peer);
  by_id_.emplace(id, peer);
  return peer;
}

std::shared_ptr<Peer> IoLoop::find(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<Peer>> IoLoop::peers() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Peer>> result;
  for (const auto& [name, peer] : by_name_) result.push_back(peer);
  return result;
}

void IoLoop::dial(const std::string& name, const std::string& host, int port, KeyInputs keys) {
  const auto target = peer(name);
  const SteadyTime deadline = std::chrono::steady_clock::now() + options().handshake;
  Handshake handshake(connect_to(host, port), deadline, name, std::move(keys));
  target->dialing(true);
  {
    const std::lock_guard lock(mutex_);
    begun_.push_back(std::move(handshake));
  }
  shared_->wake.set();
}

void IoLoop::forget(std::string_view name) {
  {
    const std::lock_guard lock(mutex_);
    forgotten_.emplace_back(name);
  }
  shared_->wake.set();
}

// On the I/O thread, which is the one that gives connections to peers: none comes afterwards.
void IoLoop::forget_now(const std::string& name) {
  tokens_.forget(name);
  for (auto at = dialed_.begin(); at != dialed_.end();) {
    const auto here = at++;
    if (here->second.peer() == name) drop_handshake(dialed_, here, false);
  }
  std::shared_ptr<Peer> gone;
  {
    const std::lock_guard lock(mutex_);
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) return;
    gone = std::move(found->second);
    by_name_.erase(found);
    by_id_.erase(gone->id());
  }
  gone->stop();  // lanes that are still held here find themselves over
}

// What other threads asked for.
void IoLoop::take_orders() {
  std::vector<Handshake> begun;
  std::vector<std::string> forgotten;
  {
    const std::lock_guard lock(mutex_);
    begun.swap(begun_);
    forgotten.swap(forgotten_);
  }
  for (Handshake& handshake : begun) {
    add_handshake(dialed_, std::move(handshake), EPOLLOUT);
  }
  for (const std::string& name : forgotten) forget_now(name);
}

HelloFrame IoLoop::hello() const {
  return {
      .initial_credit = static_cast<std::uint32_t>(std::min(kUnopenedCredits, options().credits)),
      .incarnation = shared_->incarnation};
}

void IoLoop::listen(bool on) {
  if (on == listening_) return;
  listening_ = on;
  if (on) {
    add(shared_->epoll, listener_.fd(), kListenerId, EPOLLIN);
  } else {
    epoll_ctl(shared_->epoll.fd(), EPOLL_CTL_DEL, listener_.fd(), nullptr);
  }
}

void IoLoop::add_handshake(Handshakes& to, Handshake handshake, std::uint32_t events) {
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    id = ++last_id_;
  }
  to.emplace_back(id, std::move(handshake));
  const auto which = std::prev(to.end());
  handshakes_[id] = which;
  add(shared_->epoll, which->second.socket().fd(), id, events);
  unproven_ = static_cast<int>(accepted_.size());
}

void IoLoop::drop_handshake(Handshakes& from, Handshakes::iterator which, bool failed) {
  Handshake& handshake = which->second;
  if (failed && handshake.dialer()) peer(handshake.peer())->dialing(false);
  handshakes_.erase(which->first);
  from.erase(which);  // closes the socket, which leaves epoll by that
  unproven_ = static_cast<int>(accepted_.size());
}

// A client that has said nothing is of no value: when there are too many, the oldest goes.
void IoLoop::accept_clients() {
  for (int i = 0; i < kAcceptsPerRound; ++i) {
    Socket client(::accept4(listener_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!client) {
      if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS) return;
      if (accepted_.empty()) {
        listen(false);
        listen_again_ = std::chrono::steady_clock::now() + kNoDescriptors;
        return;
      }
      drop_handshake(accepted_, accepted_.begin(), true);
      continue;
    }
    tune(client);
    if (std::ssize(accepted_) >= options().max_unproven) {
      drop_handshake(accepted_, accepted_.begin(), true);
    }
    const SteadyTime now = std::chrono::steady_clock::now();
    add_handshake(accepted_, Handshake(std::move(client), now + options().handshake), EPOLLIN);
    on_handshake(accepted_.back().first, EPOLLIN);  // most often its first bytes are here already
  }
}

void IoLoop::on_handshake(std::uint64_t id, std::uint32_t events) {
  const auto found = handshakes_.find(id);
  if (found == handshakes_.end()) return;
  const Handshakes::iterator which = found->second;
  Handshake& handshake = which->second;
  Handshakes& list = handshake.dialer() ? dialed_ : accepted_;
  if (handshake.connecting()) {
    if (!handshake.on_connected(hello(), options().rekey)) {
      return drop_handshake(list, which, true);
    }
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = id;
    epoll_ctl(shared_->epoll.fd(), EPOLL_CTL_MOD, handshake.socket().fd(), &event);
    return;
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
  const int fd = handshake.socket().fd();
  switch (
      handshake.on_readable(tokens_, hello(), options().rekey, std::chrono::steady_clock::now())) {
    case Handshake::Step::kWait:
      return;
    case Handshake::Step::kFailed:
      return drop_handshake(list, which, true);
    case Handshake::Step::kDone:
      epoll_ctl(shared_->epoll.fd(), EPOLL_CTL_DEL, fd, nullptr);
      peer(handshake.peer())->adopt(handshake.take());
      return drop_handshake(list, which, false);
  }
}

void IoLoop::expire(Handshakes& handshakes, SteadyTime now, SteadyTime& next) {
  while (!handshakes.empty() && handshakes.front().second.deadline() <= now) {
    drop_handshake(handshakes, handshakes.begin(), true);
  }
  if (!handshakes.empty()) next = std::min(next, handshakes.front().second.deadline());
}

SteadyTime IoLoop::serve_peers() {
  SteadyTime next = SteadyTime::max();
  for (const auto& peer : peers()) {
    const Peer::Need need = peer->service(std::chrono::steady_clock::now());
    next = std::min(next, need.next);
    if (need.dial && options().on_need_dial) options().on_need_dial(peer->name());
  }
  return next;
}

void IoLoop::run() {
  std::array<epoll_event, kEvents> events;
  SteadyTime next = SteadyTime::min();
  while (!stop_) {
    const int count = epoll_wait(shared_->epoll.fd(), events.data(), kEvents, timeout_until(next));
    for (int i = 0; i < count; ++i) {
      const std::uint64_t id = events[static_cast<std::size_t>(i)].data.u64;
      const std::uint32_t what = events[static_cast<std::size_t>(i)].events;
      if (id == kWakeId) {
        shared_->wake.clear();
      } else if (id == kListenerId) {
        accept_clients();
      } else if (handshakes_.contains(id)) {
        on_handshake(id, what);
      } else {
        std::shared_ptr<Peer> peer;
        {
          const std::lock_guard lock(mutex_);
          if (const auto found = by_id_.find(id); found != by_id_.end()) peer = found->second;
        }
        if (peer) peer->on_event(what);
      }
    }
    take_orders();
    next = serve_peers();
    const SteadyTime now = std::chrono::steady_clock::now();
    expire(accepted_, now, next);
    expire(dialed_, now, next);
    if (listener_ && !listening_) {
      if (now >= listen_again_) {
        listen(true);
      } else {
        next = std::min(next, listen_again_);
      }
    }
  }
}

}  // namespace curia
