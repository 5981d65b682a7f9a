// A TCP proxy on the loopback that misbehaves on request: cuts, freezes, swallows.
//
// Thread: any for the public methods; one thread forwards.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <thread>
#include <vector>

namespace curia {

class TcpProxy {
 public:
  // From the client to the server, and back.
  enum class Way : std::uint8_t { kForth = 0, kBack = 1 };

  // Forwards connections to 127.0.0.1:target. Errors: kFailed.
  explicit TcpProxy(int target);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  int port() const { return port_; }

  // Ends all connections with a reset; new ones are let through.
  void cut();
  // Bytes of this way stay where they are until it is lifted (TCP's buffers fill up).
  void freeze(Way way, bool on) { frozen_[static_cast<int>(way)] = on; }
  // Bytes of this way vanish. A stream does not survive that, so cut() it afterwards.
  void drop(Way way, bool on) { dropped_[static_cast<int>(way)] = on; }
  // New connections wait, without an answer.
  void hold_new(bool on) { hold_new_ = on; }

  std::int64_t forwarded(Way way) const { return forwarded_[static_cast<int>(way)]; }

 private:
  struct Pair {
    int ends[2] = {-1, -1};     // the client, the server
    std::vector<char> held[2];  // read from that end, not yet written to the other
    bool ended = false;
  };

  void run();
  void accept_one();
  void forward(Pair& pair, int from);
  static void end(Pair& pair, bool reset);

  const int target_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<bool> cut_{false};
  std::atomic<bool> hold_new_{false};
  std::atomic<bool> frozen_[2] = {false, false};
  std::atomic<bool> dropped_[2] = {false, false};
  std::atomic<std::int64_t> forwarded_[2] = {0, 0};
  std::list<Pair> pairs_;
  std::thread thread_;
};

}  // namespace curia
