// The beginning of a data connection, until both ends have proven that they know the keys.
//
// Dialer: preamble (magic, token) and its first record. Responder: its first record, if the
// dialer's was right. All that is held for a connection meanwhile is this object with its fixed
// buffer.
//
// Thread: the I/O thread; Tokens any.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "protocol/link/connection.h"
#include "protocol/link/link_options.h"

namespace curia {

// The connections that a responder has agreed to and that were not made yet.
class Tokens {
 public:
  struct Entry {
    std::string peer;
    KeyInputs keys;
    SteadyTime until;
  };

  // At most kPerPeer for each peer; the oldest goes.
  void add(Entry entry);
  std::optional<Entry> find(const ConnectionToken& token, SteadyTime now);
  // False: somebody else has used it.
  bool use(const ConnectionToken& token);
  void forget(const std::string& peer);

 private:
  static constexpr std::int64_t kPerPeer = 8;
  std::mutex mutex_;
  std::map<ConnectionToken, Entry> entries_;
};

class Handshake {
 public:
  // Responder: a client that was accepted.
  Handshake(Socket socket, SteadyTime deadline);
  // Dialer: a connection that was begun.
  Handshake(Socket socket, SteadyTime deadline, std::string peer, KeyInputs keys);

  const Socket& socket() const { return socket_; }
  SteadyTime deadline() const { return deadline_; }
  bool dialer() const { return dialer_; }
  const std::string& peer() const { return peer_; }
  bool connecting() const { return dialer_ && !said_; }

  // Dialer: the socket became writable. False: give up.
  bool on_connected(const HelloFrame& hello, const RecordLimits& limits);
  enum class Step { kWait, kDone, kFailed };
  // The socket became readable. After kDone take() gives the connection.
  Step on_readable(Tokens& tokens, const HelloFrame& hello, const RecordLimits& limits,
                   SteadyTime now);
  std::shared_ptr<Connection> take() { return std::move(connection_); }

 private:
  bool say(std::span<const std::uint8_t> preamble, const HelloFrame& hello);
  Step on_bytes(Tokens& tokens, const HelloFrame& hello, const RecordLimits& limits,
                SteadyTime now);
  void derive(const KeyInputs& keys, const RecordLimits& limits);

  Socket socket_;
  const SteadyTime deadline_;
  const bool dialer_;
  std::string peer_;
  KeyInputs keys_;
  bool said_ = false;
  std::optional<Sealer> sealer_;
  std::optional<Opener> opener_;
  std::shared_ptr<Connection> connection_;
  std::array<std::uint8_t, 512> buffer_;
  std::int64_t got_ = 0;
};

}  // namespace curia
