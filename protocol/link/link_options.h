// How a data link is set up.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "protocol/link/record.h"

namespace curia {

struct DataLinkOptions {
  std::string self;                // this end's name, as the peers call it
  std::string host = "127.0.0.1";  // numeric address to listen on
  int port = 0;                    // 0: the system chooses; -1: do not listen (drivers)

  // Unreceived bytes that one lane may hold here. At least kSmallestCredits.
  std::int64_t credits = 4 << 20;
  // Largest record that is sent, header and tag included; at most kMaxRecord.
  std::int64_t max_record = 256 << 10;

  // How long a peer may stay away before its lanes end with kPeerLost.
  std::chrono::milliseconds grace{4000};
  // How long a TCP client has to prove that it knows the keys.
  std::chrono::milliseconds handshake{2000};
  // How often an idle connection with lanes says that it is alive, and how long silence may last.
  std::chrono::milliseconds keepalive{1000};
  std::chrono::milliseconds silence{5000};
  // How long bytes may come without making one authentic record.
  std::chrono::milliseconds stall{30000};
  // Pause between two calls of on_need_dial; doubled up to ten times as long.
  std::chrono::milliseconds redial{100};
  // How long a token of answer() can be used, once.
  std::chrono::milliseconds token_life{5000};
  // TCP clients that have not proven anything yet; the oldest goes when one more comes.
  int max_unproven = 256;

  RecordLimits rekey;  // part of the format: only tests change it

  // Asks the owner to exchange keys with `peer` and to call dial(); repeated while it is needed.
  // Thread: called from the I/O thread; must not block.
  std::function<void(const std::string& peer)> on_need_dial;
  // Is this the side that dials? By default: who does not listen, else the lesser name.
  std::function<bool(const std::string& peer)> dials;
};

inline constexpr std::int64_t kSmallestCredits = 128 << 10;
// Credit of a lane that the peer opened and this side did not yet.
inline constexpr std::int64_t kUnopenedCredits = 64 << 10;
// Lanes of one peer that this side has not opened.
inline constexpr std::int64_t kMaxUnopenedLanes = 256;

}  // namespace curia
