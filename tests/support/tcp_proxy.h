// A TCP proxy on the loopback that misbehaves on request: cuts, freezes, swallows, dawdles.
//
// Thread: any for the public methods; one thread forwards.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <string>
#include <thread>
#include <vector>

namespace curia {

class TcpProxy {
 public:
  // From the client to the server, and back.
  enum class Way : std::uint8_t { kForth = 0, kBack = 1 };

  // Listens at host:port (0: the system chooses) and forwards connections to 127.0.0.1:target.
  // Errors: kFailed.
  explicit TcpProxy(int target, const std::string& host = "127.0.0.1", int port = 0);
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
  // Whether one waits.
  bool holds_one() const;
  // So many bytes a second of this way pass; 0: as many as there are.
  void slow(Way way, std::int64_t bytes_a_second) { rate_[static_cast<int>(way)] = bytes_a_second; }
  // The next connection ends with a reset behind so many bytes of this way.
  void cut_next(Way way, std::int64_t bytes) { cut_next_[static_cast<int>(way)] = bytes; }

  std::int64_t forwarded(Way way) const { return forwarded_[static_cast<int>(way)]; }

 private:
  struct Pair {
    int ends[2] = {-1, -1};           // the client, the server
    std::vector<char> held[2];        // read from that end, not yet written to the other
    std::int64_t left[2] = {-1, -1};  // bytes of that way until it ends; -1: no end
    bool ended = false;
  };

  void run();
  void accept_one();
  void forward(Pair& pair, int from);
  void pay();
  bool may_write(int from) const { return rate_[from] == 0 || paid_[from] > 0; }
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
  std::atomic<std::int64_t> rate_[2] = {0, 0};
  std::atomic<std::int64_t> cut_next_[2] = {-1, -1};
  std::int64_t paid_[2] = {0, 0};  // bytes that may pass now, where there is a rate
  std::chrono::steady_clock::time_point paid_at_ = std::chrono::steady_clock::now();
  std::list<Pair> pairs_;
  std::thread thread_;
};

}  // namespace curia
