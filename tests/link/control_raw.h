// Peers of a control server that keep to no rules of ours: plain ZeroMQ and plain TCP.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <utility>
#include <zmq.hpp>

#include "protocol/link/zap.h"
#include "tests/link/control_rig.h"

namespace curia {

// A DEALER in a context of its own. Owned by one thread.
struct RawDealer {
  zmq::context_t context{1};
  zmq::socket_t socket{context, zmq::socket_type::dealer};

  RawDealer() {
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::reconnect_ivl, -1);
    socket.set(zmq::sockopt::sndhwm, 0);
  }
  // With CURVE.
  RawDealer(const KeyPair& keys, const std::string& server_key) : RawDealer() {
    secure_client(socket, keys, server_key);
  }

  void send(const std::vector<std::string>& frames) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      socket.send(zmq::buffer(frames[i]),
                  i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    }
  }
  // The next frame, or "" when none comes in time.
  std::string receive(std::chrono::milliseconds patience) {
    zmq::pollitem_t item{socket.handle(), 0, ZMQ_POLLIN, 0};
    zmq::poll(&item, 1, patience);
    zmq::message_t part;
    return socket.recv(part, zmq::recv_flags::dontwait) ? part.to_string() : "";
  }
};

inline int port_of_endpoint(const std::string& endpoint) {
  return std::stoi(endpoint.substr(endpoint.rfind(':') + 1));
}

// A TCP connection without ZeroMQ.
class RawTcp {
 public:
  explicit RawTcp(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = fd_ >= 0 &&
                 ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawTcp() {
    if (fd_ >= 0) ::close(fd_);
  }
  RawTcp(RawTcp&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_) {}
  RawTcp(const RawTcp&) = delete;
  RawTcp& operator=(const RawTcp&) = delete;

  bool connected() const { return connected_; }
  // False when the other side has ended the connection.
  bool send(const std::string& bytes) const {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t put = ::send(fd_, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
      if (put <= 0) return false;
      done += static_cast<std::size_t>(put);
    }
    return true;
  }
  // Reads and throws away until the other side ends the connection. False: it does not.
  bool wait_closed() const {
    char sink[4096];
    while (true) {
      pollfd item{fd_, POLLIN, 0};
      const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(kPatience);
      if (poll(&item, 1, static_cast<int>(patience.count())) <= 0) return false;
      if (recv(fd_, sink, sizeof sink, 0) <= 0) return true;
    }
  }

 private:
  int fd_;
  bool connected_ = false;
};

// What a ZMTP 3.1 peer says first: 64 bytes, with the mechanism it offers.
inline std::string zmtp_greeting(const std::string& mechanism) {
  std::string text = std::string("\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01", 12) + mechanism;
  text.resize(64);
  return text;
}

// A frame's beginning: large, with a length of eight bytes.
inline std::string zmtp_length(char flags, std::uint64_t bytes) {
  std::string text(1, flags);
  for (int shift = 56; shift >= 0; shift -= 8) text += static_cast<char>((bytes >> shift) & 0xff);
  return text;
}

// Resident memory of this process, in bytes.
inline std::int64_t resident_bytes() {
  std::ifstream status("/proc/self/statm");
  std::int64_t size = 0;
  std::int64_t resident = 0;
  status >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace curia
