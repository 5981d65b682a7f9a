#include "protocol/link/memory_control.h"

#include <poll.h>

#include <atomic>
#include <map>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "protocol/link/endpoint_loop.h"

namespace curia {
namespace {

struct Core;

// The other end of a connection: the endpoint, and what the connection is called there.
struct Remote {
  std::weak_ptr<Core> core;
  ConnId conn = 0;
  std::string principal;
  bool announced = false;  // a server reports the end only of connections it has had messages from
};

// What both kinds of endpoint are. Owned by its endpoint; peers post to it, so it may outlive that.
struct Core : std::enable_shared_from_this<Core> {
  explicit Core(std::string own_name) : name(std::move(own_name)) {}

  const std::string name;
  EndpointLoop loop{[this](int wait_ms) { turn(wait_ms); }};
  std::atomic<ConnId> next_conn{1};
  std::unordered_map<ConnId, Remote> remotes;  // the loop's own

  void turn(int wait_ms) const {
    pollfd item{loop.wake_fd(), POLLIN, 0};
    if (wait_ms > 0) poll(&item, 1, wait_ms);
  }

  void send(ConnId conn, Frames frames) {
    check_frames(frames);
    if (loop.here()) {
      send_now(conn, std::move(frames));
    } else {
      loop.post(
          [this, conn, parts = std::move(frames)]() mutable { send_now(conn, std::move(parts)); });
    }
  }

  void drop(ConnId conn) {
    if (loop.here()) {
      drop_now(conn);
    } else {
      loop.post([this, conn] { drop_now(conn); });
    }
  }

  void send_now(ConnId conn, Frames frames) {
    const auto found = remotes.find(conn);
    if (found == remotes.end()) return;
    const auto to = found->second.core.lock();
    if (to == nullptr) return;
    to->loop.post([to = to.get(), conn = found->second.conn, parts = std::move(frames)]() mutable {
      to->receive(conn, std::move(parts));
    });
  }

  void receive(ConnId conn, Frames frames) {
    const auto found = remotes.find(conn);
    if (found == remotes.end()) return;
    found->second.announced = true;
    const std::string principal = found->second.principal;
    const std::string fault = loop.deliver(conn, principal, std::move(frames));
    if (fault.empty() || !remotes.contains(conn)) return;
    drop_now(conn);
    loop.report_gone(conn, "a message of " + principal + " could not be handled: " + fault);
  }

  void drop_now(ConnId conn) {
    const auto found = remotes.find(conn);
    if (found == remotes.end()) return;
    hang_up(found->second, name + " closed the connection");
    remotes.erase(found);
  }

  void hang_up(const Remote& remote, const std::string& why) const {
    const auto to = remote.core.lock();
    if (to == nullptr) return;
    to->loop.post([to = to.get(), conn = remote.conn, why] { to->ended(conn, why); });
  }

  void ended(ConnId conn, const std::string& why) {
    const auto found = remotes.find(conn);
    if (found == remotes.end()) return;
    if (found->second.announced) loop.report_gone(conn, why);
    remotes.erase(found);
  }

  void sever() {
    const std::string why = "the connection was cut";
    for (const auto& [conn, remote] : std::exchange(remotes, {})) {
      hang_up(remote, why);
      if (remote.announced) loop.report_gone(conn, why);
    }
  }

  void stop() {
    loop.stop();
    for (const auto& [conn, remote] : remotes) hang_up(remote, name + " stopped");
    remotes.clear();
  }
};

}  // namespace

struct MemoryControlNetwork::State {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<Core>> servers;  // by endpoint; null until started
};

namespace {

class MemoryControlServer : public ControlServer {
 public:
  MemoryControlServer(std::shared_ptr<MemoryControlNetwork::State> network, const std::string& name)
      : network_(std::move(network)),
        endpoint_("memory://" + name),
        core_(std::make_shared<Core>(name)) {
    const std::lock_guard lock(network_->mutex);
    if (!network_->servers.emplace(endpoint_, nullptr).second) {
      throw Error(Code::kInvalid, "there is a server at " + endpoint_ + " already");
    }
  }
  ~MemoryControlServer() override {
    {
      const std::lock_guard lock(network_->mutex);
      network_->servers.erase(endpoint_);
    }
    core_->stop();
  }

  void start(ControlEvents& events) override {
    core_->loop.start(events);
    const std::lock_guard lock(network_->mutex);
    network_->servers[endpoint_] = core_;
  }
  void send(ConnId conn, Frames frames) override { core_->send(conn, std::move(frames)); }
  void drop(ConnId conn) override { core_->drop(conn); }
  void wake() override { core_->loop.wake(); }
  std::string endpoint() const override { return endpoint_; }
  bool reachable(ConnId conn) const override { return core_->remotes.contains(conn); }

 private:
  const std::shared_ptr<MemoryControlNetwork::State> network_;
  const std::string endpoint_;
  const std::shared_ptr<Core> core_;
};

class MemoryControlClient : public ControlClient {
 public:
  MemoryControlClient(std::shared_ptr<MemoryControlNetwork::State> network,
                      const std::string& principal)
      : network_(std::move(network)), core_(std::make_shared<Core>(principal)) {}
  ~MemoryControlClient() override { core_->stop(); }

  void start(ControlEvents& events) override { core_->loop.start(events); }
  void send(ConnId conn, Frames frames) override { core_->send(conn, std::move(frames)); }
  void drop(ConnId conn) override { core_->drop(conn); }
  void wake() override { core_->loop.wake(); }

  ConnId connect(const std::string& server, const std::string& endpoint,
                 const std::string& /*key*/) override {
    const ConnId conn = core_->next_conn++;
    auto task = [this, conn, server, endpoint] { connect_now(conn, server, endpoint); };
    if (core_->loop.here()) {
      task();
    } else {
      core_->loop.post(std::move(task));
    }
    return conn;
  }

 private:
  void connect_now(ConnId conn, const std::string& server, const std::string& endpoint) {
    std::shared_ptr<Core> to;
    {
      const std::lock_guard lock(network_->mutex);
      const auto found = network_->servers.find(endpoint);
      if (found != network_->servers.end()) to = found->second;
    }
    if (to != nullptr) {
      const ConnId there = to->next_conn++;
      const bool met = to->loop.post([to = to.get(), there, conn, me = core_] {
        to->remotes.emplace(there, Remote{me, conn, me->name, false});
      });
      if (met) {
        core_->remotes.emplace(conn, Remote{to, there, server, true});
        return;
      }
    }
    core_->loop.report_gone(conn, server + ": connection refused at " + endpoint);
  }

  const std::shared_ptr<MemoryControlNetwork::State> network_;
  const std::shared_ptr<Core> core_;
};

}  // namespace

MemoryControlNetwork::MemoryControlNetwork() : state_(std::make_shared<State>()) {}
MemoryControlNetwork::~MemoryControlNetwork() = default;

std::unique_ptr<ControlServer> MemoryControlNetwork::make_server(const std::string& name) {
  return std::make_unique<MemoryControlServer>(state_, name);
}

void MemoryControlNetwork::cut(const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->servers.find("memory://" + name);
  if (found == state_->servers.end() || found->second == nullptr) return;
  found->second->loop.post([core = found->second.get()] { core->sever(); });
}

std::unique_ptr<ControlClient> MemoryControlNetwork::make_client(const std::string& principal) {
  return std::make_unique<MemoryControlClient>(state_, principal);
}

}  // namespace curia
