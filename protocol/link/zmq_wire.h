// Control frames to and from ZeroMQ sockets; what server and client have in common.
//
// Thread: that of the socket.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include <zmq.hpp>

#include "protocol/link/control.h"

namespace curia {

// A frame in CURVE is longer than its content by this much.
inline constexpr std::int64_t kCurveOverhead = 33;
// Messages in one libzmq queue. It counts messages, so it bounds bytes only together with
// kMaxControlMessage.
inline constexpr int kControlQueue = 256;
// Unsent bytes of one connection that libzmq may hold; the rest waits in the Outbox.
inline constexpr std::int64_t kMaxInFlight = std::int64_t{8} << 20;

// Limits and timings of a control socket. REQUIRES: before bind or connect.
void limit_socket(zmq::socket_t& socket, std::chrono::milliseconds handshake);

// Readable when libzmq has something to say about the socket: then the socket must be read until it
// has no more. It may have messages without that after a send(), which notices them on the way.
int wake_fd(zmq::socket_t& socket);

// Reads the message that begins with `head`, which was received already. On a fault (too many
// frames, too many bytes, an empty head) all frames are consumed, and the text says what is wrong.
struct Received {
  Frames frames;
  std::string fault;
  std::int64_t bytes = 0;
};
Received read_message(zmq::socket_t& socket, zmq::message_t& head);

// What one connection still has to send, in order. Nothing is dropped while the connection lives:
// what libzmq does not take at once waits here, up to `limit` bytes.
class Outbox {
 public:
  enum class State {
    kDone,      // all is with libzmq
    kWaiting,   // some waits: call flush() again soon
    kGone,      // the peer is not there any more
    kOverflow,  // the peer does not read: more than the limit waits
  };

  explicit Outbox(std::int64_t limit) : limit_(limit) {}

  // routing_id: the first frame for a ROUTER; empty for a DEALER.
  State send(zmq::socket_t& socket, std::string_view routing_id, Frames frames);
  State flush(zmq::socket_t& socket, std::string_view routing_id);
  std::int64_t waiting_bytes() const { return waiting_bytes_; }
  bool idle() const { return waiting_.empty(); }

 private:
  struct Packed {
    std::vector<zmq::message_t> parts;
    std::int64_t bytes = 0;
    std::int64_t counted = 0;  // of them, those that in_flight_ counts
  };
  // Bytes of large frames that libzmq has not encrypted yet. Shared with its frames, which outlive
  // the outbox.
  using InFlight = std::shared_ptr<std::atomic<std::int64_t>>;

  Packed pack(Frames frames) const;
  zmq::message_t wrap(std::shared_ptr<const void> owner, const void* data, std::size_t size,
                      Packed& into) const;
  State push(zmq::socket_t& socket, std::string_view routing_id, Packed& packed) const;

  const std::int64_t limit_;
  std::int64_t waiting_bytes_ = 0;
  std::deque<Packed> waiting_;
  InFlight in_flight_ = std::make_shared<std::atomic<std::int64_t>>(0);
};

// What a socket reports of its connections. The socket must outlive it.
class Monitor {
 public:
  struct Event {
    int kind = 0;  // ZMQ_EVENT_*
    int value = 0;
  };

  Monitor(zmq::context_t& context, zmq::socket_t& watched, const std::string& name, int kinds);
  // Stops the reports first: libzmq's I/O thread would wait for ever on a reader that is gone.
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  zmq::socket_t& socket() { return socket_; }
  std::optional<Event> next();

 private:
  zmq::socket_t& watched_;
  zmq::socket_t socket_;
};

}  // namespace curia
