// What the tests of the control plane stand on: events that are recorded and waited for, and the
// two kinds of networks behind one face.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "protocol/link/control.h"
#include "protocol/link/memory_control.h"
#include "protocol/link/zmq_control.h"

namespace curia {

// Only guards against hanging; no test waits this long when all is well.
inline constexpr std::chrono::seconds kPatience{60};

struct Heard {
  ConnId conn;
  std::string principal;
  Frames frames;
};

// Records everything. Thread: any.
// A function that one thread sets and another calls.
class Hook {
 public:
  void operator=(std::function<void(const Heard&)> function) {  // NOLINT: nothing to chain
    const std::lock_guard lock(mutex_);
    function_ = std::move(function);
  }
  std::function<void(const Heard&)> get() const {
    const std::lock_guard lock(mutex_);
    return function_;
  }

 private:
  mutable std::mutex mutex_;
  std::function<void(const Heard&)> function_;
};

class Recorder : public ControlEvents {
 public:
  // Called inside on_frames(), on the endpoint's thread, before the message is recorded.
  Hook on_message;

  void on_frames(ConnId conn, const std::string& principal, Frames frames) override {
    Heard heard{conn, principal, std::move(frames)};
    const Visit visit(*this);
    if (const auto called = on_message.get()) called(heard);
    const std::lock_guard lock(mutex_);
    if (gone_.contains(conn)) ++violations_;
    heard_.push_back(std::move(heard));
  }
  void on_gone(ConnId conn, const std::string& why) override {
    const Visit visit(*this);
    const std::lock_guard lock(mutex_);
    if (!gone_.emplace(conn, why).second) ++violations_;
  }
  void on_tick() override {
    const Visit visit(*this);
    const std::lock_guard lock(mutex_);
    ++ticks_;
  }

  // Waits until `done` holds; it is asked after every event. False: patience ran out.
  bool until(const std::function<bool()>& done) {
    std::unique_lock lock(mutex_);
    return event_.wait_for(lock, kPatience, done);
  }
  bool wait_heard(std::size_t count) {
    return until([&] { return heard_.size() >= count; });
  }
  bool wait_gone(ConnId conn) {
    return until([&] { return gone_.contains(conn); });
  }
  bool wait_any_gone() {
    return until([&] { return !gone_.empty(); });
  }
  bool wait_ticks(std::size_t more) {
    std::size_t target = 0;
    {
      const std::lock_guard lock(mutex_);
      target = ticks_ + more;
    }
    return until([&] { return ticks_ >= target; });
  }

  std::vector<Heard> heard() const {
    const std::lock_guard lock(mutex_);
    return heard_;
  }
  std::string why(ConnId conn) const {
    const std::lock_guard lock(mutex_);
    const auto found = gone_.find(conn);
    return found == gone_.end() ? "" : found->second;
  }
  std::size_t gone_count() const {
    const std::lock_guard lock(mutex_);
    return gone_.size();
  }
  // Callbacks on several threads, two at a time, after on_gone(), or on_gone() twice.
  int violations() const {
    const std::lock_guard lock(mutex_);
    return violations_;
  }

 private:
  // A callback, from its beginning to its end.
  class Visit {
   public:
    explicit Visit(Recorder& recorder) : recorder_(recorder) {
      const std::lock_guard lock(recorder_.mutex_);
      recorder_.threads_.insert(std::this_thread::get_id());
      if (++recorder_.inside_ != 1 || recorder_.threads_.size() != 1) ++recorder_.violations_;
    }
    ~Visit() {
      const std::lock_guard lock(recorder_.mutex_);
      --recorder_.inside_;
      recorder_.event_.notify_all();
    }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

   private:
    Recorder& recorder_;
  };

  mutable std::mutex mutex_;
  std::condition_variable event_;
  std::vector<Heard> heard_;
  std::map<ConnId, std::string> gone_;
  std::set<std::thread::id> threads_;
  std::size_t ticks_ = 0;
  int inside_ = 0;
  int violations_ = 0;
};

inline Frames text_frames(const std::string& head) { return {head, {}}; }

// A cluster with one server, "bob", and any clients.
struct MemoryFabric {
  MemoryControlNetwork network;
  std::unique_ptr<ControlServer> make_server() { return network.make_server("bob"); }
  std::unique_ptr<ControlClient> make_client(const std::string& name) {
    return network.make_client(name);
  }
  std::string key() const { return ""; }
  std::string closed_endpoint() const { return "memory://nobody"; }
};

struct ZmqFabric {
  KeyPair keys = generate_keys();
  std::map<std::string, KeyPair> clients;

  // Clients "alice", "carol" and "c0".."c19" are known.
  ZmqFabric() {
    for (const std::string name : {"alice", "carol"}) clients[name] = generate_keys();
    for (int i = 0; i < 20; ++i) clients["c" + std::to_string(i)] = generate_keys();
  }
  ZmqServerOptions server_options() const {
    ZmqServerOptions options;
    options.keys = keys;
    for (const auto& [name, pair] : clients) options.principals[pair.public_key] = name;
    // Sanitizers on a busy machine are slow; no test of the contract waits for this.
    options.handshake = std::chrono::seconds(20);
    options.linger = std::chrono::seconds(2);
    return options;
  }
  std::unique_ptr<ZmqControlServer> make_server() const {
    return std::make_unique<ZmqControlServer>(server_options());
  }
  std::unique_ptr<ControlClient> make_client(const std::string& name) const {
    ZmqClientOptions options;
    options.keys = clients.at(name);
    options.handshake = std::chrono::seconds(20);
    options.linger = std::chrono::seconds(20);
    return std::make_unique<ZmqControlClient>(options);
  }
  std::string key() const { return keys.public_key; }
  // A port that was free a moment ago, with nobody listening.
  std::string closed_endpoint() const {
    const ZmqControlServer gone(server_options());
    return gone.endpoint();
  }
};

}  // namespace curia
