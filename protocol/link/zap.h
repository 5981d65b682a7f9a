// Who may connect: the keys a server knows, and the ZAP handler (ZeroMQ RFC 27) that asks them.
//
// Everything fails closed: a socket made secure here lets nobody in while no handler answers.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <zmq.hpp>

#include "protocol/link/keys.h"

namespace curia {

// Public key (Z85) -> name of the principal. Thread: any.
class Principals {
 public:
  // Errors: kInvalid when a key is not one or a name is empty.
  explicit Principals(std::map<std::string, std::string> names);
  void replace(std::map<std::string, std::string> names);

  std::optional<std::string> name_of(const std::string& key) const;
  // Raised by replace().
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> names_;
  std::atomic<std::uint64_t> version_{1};
};

// Answers the authentication requests of every secured socket of a context: CURVE keys that
// `principals` knows get in, with the key as their User-Id; nothing else does.
// REQUIRES: made before the sockets it guards are bound. Thread: the one of the guarded socket.
class ZapHandler {
 public:
  ZapHandler(zmq::context_t& context, const Principals& principals);

  // Readable when a request waits.
  zmq::socket_t& socket() { return socket_; }
  // Answers all that wait; returns how many were refused.
  std::int64_t answer();

 private:
  const Principals& principals_;
  zmq::socket_t socket_;
};

// CURVE with these keys; a server socket also demands a ZAP handler's consent for every peer.
void secure_server(zmq::socket_t& socket, const KeyPair& keys);
void secure_client(zmq::socket_t& socket, const KeyPair& keys, const std::string& server_key);

}  // namespace curia
