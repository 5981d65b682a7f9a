// The I/O thread of a data link: epoll over the listener, connections that are being made, and the
// peers' connections.
//
// Thread: the methods any; everything else the I/O thread.
#pragma once

#include <atomic>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "protocol/link/handshake.h"
#include "protocol/link/peer.h"

namespace curia {

class IoLoop {
 public:
  explicit IoLoop(DataLinkOptions options);
  ~IoLoop();

  const DataLinkOptions& options() const { return shared_->options; }
  int port() const { return port_; }
  std::shared_ptr<Peer> peer(std::string_view name);
  std::shared_ptr<Peer> find(std::string_view name) const;  // nullptr when there is none
  std::vector<std::shared_ptr<Peer>> peers() const;
  Tokens& tokens() { return tokens_; }
  void dial(const std::string& peer, const std::string& host, int port, KeyInputs keys);
  void forget(std::string_view peer);
  int unproven() const { return unproven_.load(); }

 private:
  // In the order of their deadlines, which is the order they came in.
  using Handshakes = std::list<std::pair<std::uint64_t, Handshake>>;

  void run();
  void accept_clients();
  void add_handshake(Handshakes& to, Handshake handshake, std::uint32_t events);
  void on_handshake(std::uint64_t id, std::uint32_t events);
  void drop_handshake(Handshakes& from, Handshakes::iterator which, bool failed);
  void expire(Handshakes& handshakes, SteadyTime now, SteadyTime& next);
  void listen(bool on);
  void take_orders();
  void forget_now(const std::string& name);
  SteadyTime serve_peers();
  HelloFrame hello() const;

  const std::shared_ptr<LinkShared> shared_;
  int port_ = -1;
  Socket listener_;
  bool listening_ = false;
  SteadyTime listen_again_{};
  Tokens tokens_;

  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Peer>, std::less<>> by_name_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Peer>> by_id_;
  std::uint64_t last_id_ = 0;
  std::vector<Handshake> begun_;        // by dial(), for the I/O thread
  std::vector<std::string> forgotten_;  // by forget(), for the I/O thread

  Handshakes accepted_;
  Handshakes dialed_;
  std::unordered_map<std::uint64_t, Handshakes::iterator> handshakes_;
  std::atomic<int> unproven_{0};

  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace curia
