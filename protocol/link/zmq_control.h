// The control plane over ZeroMQ: CURVE always, ZAP that fails closed, one thread an endpoint.
//
// A message's sender is the principal whose key opened its connection, as libzmq attests it on the
// payload frame (`User-Id`); nothing inside a message can claim another. A peer that breaks a limit
// loses its connection, not the server.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "protocol/link/control.h"
#include "protocol/link/keys.h"

namespace curia {

// What happened, for `stats` and diagnosis. Counts since the start.
struct ControlStats {
  std::int64_t received_messages = 0;
  std::int64_t sent_messages = 0;      // handed to libzmq, or waiting for room there
  std::int64_t dropped_sends = 0;      // to connections that are gone
  std::int64_t connections = 0;        // open now, with or without a message yet
  std::int64_t refused_keys = 0;       // authentication: a key nobody knows
  std::int64_t failed_handshakes = 0;  // garbage, other mechanisms, silence, unknown keys
  std::int64_t refused_messages = 0;   // too long, too many frames, empty head
  std::int64_t refused_senders = 0;    // removed keys, changed principals, malformed routing ids
  std::int64_t cut_connections = 0;    // by the server, for any of its limits
  std::int64_t failed_callbacks = 0;   // on_frames() threw
};

struct ZmqServerOptions {
  KeyPair keys;
  std::map<std::string, std::string> principals;  // public key (Z85) -> name
  std::string bind = "tcp://127.0.0.1:*";
  std::chrono::milliseconds handshake{2000};  // a connection that takes longer is closed
  // A connection that was let in sends its first message within this time, or is closed.
  std::chrono::milliseconds first_message{10000};
  // Connections at once; when more come, the oldest that has not sent a message yet is closed.
  std::int64_t max_connections = 800;
  // Connections of one principal that have sent messages; further ones are refused.
  std::int64_t max_per_principal = 64;
  std::int64_t max_waiting_bytes = std::int64_t{64} << 20;  // for one peer that does not read
  // For the last messages to go out: how long a dropped connection stays open, and the most that
  // stopping waits.
  std::chrono::milliseconds linger{500};
};

class ZmqControlServer : public ControlServer {
 public:
  // Binds. Errors: kInvalid for a malformed key or an address that cannot be had.
  explicit ZmqControlServer(ZmqServerOptions options);
  ~ZmqControlServer() override;

  void start(ControlEvents& events) override;
  void send(ConnId conn, Frames frames) override;
  void drop(ConnId conn) override;
  void wake() override;
  std::string endpoint() const override;
  bool reachable(ConnId conn) const override;

  // Replaces the known keys. When it returns, no further message of a key that is not among them
  // (or names another principal now) is taken; its connections are closed. Thread: any.
  void set_principals(std::map<std::string, std::string> principals);
  // Thread: any.
  ControlStats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct ZmqClientOptions {
  KeyPair keys;
  std::chrono::milliseconds connect{4000};    // until TCP is connected
  std::chrono::milliseconds handshake{2000};  // after that, until the keys are agreed
  std::int64_t max_waiting_bytes = std::int64_t{64} << 20;
  std::chrono::milliseconds linger{500};  // the most that the last messages are waited for
};

class ZmqControlClient : public ControlClient {
 public:
  // Errors: kInvalid for malformed keys.
  explicit ZmqControlClient(ZmqClientOptions options);
  ~ZmqControlClient() override;

  void start(ControlEvents& events) override;
  void send(ConnId conn, Frames frames) override;
  void drop(ConnId conn) override;
  void wake() override;
  // Errors: kInvalid for a malformed endpoint or key. Everything else is reported by on_gone().
  ConnId connect(const std::string& server, const std::string& endpoint,
                 const std::string& key) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace curia
