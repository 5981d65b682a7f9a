// A TCP proxy on loopback that does to a connection what networks and attackers do.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "protocol/link/socket.h"

namespace curia::test {

class FaultyProxy {
 public:
  enum class Way { kForward, kBack };  // as the one who connected sees it
  enum class After {
    kGoOn,
    kReset,  // both ends see the connection reset, behind the bytes
    kClose,  // both ends see its orderly end, behind the bytes
  };
  // Sees every piece of bytes before it is passed on and may change it. `at` counts the bytes of
  // that way and connection before this piece. Thread: the proxy's.
  struct Piece {
    int connection;  // 0 for the first one that was accepted
    Way way;
    std::int64_t at;
    std::vector<std::uint8_t>& bytes;
  };
  using Filter = std::function<After(const Piece&)>;

  // Connects to 127.0.0.1:target() for each connection it gets.
  FaultyProxy(std::function<int()> target, Filter filter);
  ~FaultyProxy();

  int port() const { return port_; }
  int connections() const { return connections_.load(); }
  // Bytes passed on in all connections.
  std::int64_t passed(Way way) const { return passed_[static_cast<int>(way)].load(); }

 private:
  struct Pair {
    int number = 0;
    Socket ends[2];  // [0]: who connected, [1]: the target
    std::int64_t seen[2] = {0, 0};
    std::vector<std::uint8_t> waiting[2];  // for ends[1 - i]
  };

  void run();
  bool serve(Pair& pair, int from);
  bool write(Pair& pair, int from);

  const std::function<int()> target_;
  const Filter filter_;
  Socket listener_;
  int port_ = 0;
  WakeEvent wake_;
  std::atomic<bool> stop_{false};
  std::atomic<int> connections_{0};
  std::atomic<std::int64_t> passed_[2] = {0, 0};
  std::thread thread_;
};

// Tells the records of one way of a data connection apart. Feed it pieces in order.
class RecordCutter {
 public:
  // `preamble`: bytes before the first record.
  explicit RecordCutter(std::int64_t preamble) : skip_(preamble) {}
  // Whole records that ended in this piece, and the preamble as the first one where there is one.
  std::vector<std::vector<std::uint8_t>> feed(const std::vector<std::uint8_t>& bytes);

 private:
  std::int64_t skip_;
  std::vector<std::uint8_t> held_;
};

}  // namespace curia::test
