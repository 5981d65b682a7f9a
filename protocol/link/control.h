// The control plane: small messages between a driver (or tool, or peer worker) and a worker.
//
// Frames are opaque here; protocol/message.h says what is in them. The sender of a message is the
// authenticated principal, never a field. Delivery is not promised: requests, resends and duplicate
// suppression are the caller's (driver/connection, worker/server).
//
// Implementations: zmq_control (CURVE, ZAP), memory_control (simulation).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/value.h"

namespace curia {

// A message: `head` (not empty) and payload slices, at most kMaxControlFrames in all (the head
// counts) and at most kMaxControlMessage bytes together.
struct Frames {
  std::string head;
  std::vector<Slice> payload;

  std::int64_t bytes() const;
};

inline constexpr std::int64_t kMaxControlMessage = (1 << 20) + (64 << 10);
inline constexpr std::int64_t kMaxControlFrames = 64;

// Errors: kInvalid, saying which limit is passed and by how much.
void check_frames(const Frames& frames);

// One peer's connection, never reused in the life of the endpoint.
using ConnId = std::uint64_t;

// Called on the endpoint's own thread, one call at a time. Must not block. An exception that leaves
// on_frames() ends the connection whose message it was.
class ControlEvents {
 public:
  virtual ~ControlEvents() = default;
  // principal: server side, the name ZAP gave to the peer's key; client side, the server's name.
  virtual void on_frames(ConnId conn, const std::string& principal, Frames frames) = 0;
  // The connection cannot be used any more: refused, cut, silent, or the peer does not read what is
  // sent to it. A server reports only connections it has seen a message from. No further on_frames
  // for `conn`.
  virtual void on_gone(ConnId conn, const std::string& why) = 0;
  // At least every 100 ms, and whenever wake() was called.
  virtual void on_tick() = 0;
};

// Both ends: sends from any thread.
class ControlEndpoint {
 public:
  virtual ~ControlEndpoint() = default;  // stops the thread; no callback runs afterwards
  // Begins to call `events` (which must outlive this object). Called once.
  virtual void start(ControlEvents& events) = 0;
  // Queues the frames; never waits. Frames for a connection that is gone are dropped.
  // Errors: kInvalid when they exceed the limits above.
  // Called from within a callback, it goes straight to the socket.
  virtual void send(ConnId conn, Frames frames) = 0;
  // Ends the connection once what was sent to it has gone out: no callback for it afterwards, not
  // even on_gone(); the peer is told on_gone().
  virtual void drop(ConnId conn) = 0;
  // Makes on_tick() run soon.
  virtual void wake() = 0;
};

class ControlServer : public ControlEndpoint {
 public:
  // Where clients connect: "tcp://127.0.0.1:41234" with the port the system chose.
  virtual std::string endpoint() const = 0;
  // False when nothing that is sent to `conn` can arrive any more. Only from within a callback.
  virtual bool reachable(ConnId conn) const = 0;
};

class ControlClient : public ControlEndpoint {
 public:
  // Opens a connection to a server; never waits. `server` is the principal's name, `key` its CURVE
  // public key (Z85, 40 characters).
  virtual ConnId connect(const std::string& server, const std::string& endpoint,
                         const std::string& key) = 0;
};

}  // namespace curia
