// This worker's connections to the other workers: it asks them for consent, and makes the data
// connections of those whose names come after its own (the lower name dials).
//
// Thread: ask() and up() from any; the rest on the control client's thread.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "protocol/link/control.h"
#include "protocol/link/dialer.h"
#include "worker/parts.h"

namespace curia {

struct PeerAddress {
  std::string endpoint;  // of the control port, as ControlClient::connect wants it
  std::string key;
  std::string host;  // for the data port
};

class Peers : public Consents, private ControlEvents {
 public:
  // `dialer` may be null. `client` and `dialer` outlive this object, `client` is started here and
  // must be destroyed first.
  Peers(std::string party, std::map<std::string, PeerAddress> addresses, ControlClient& client,
        Dialer* dialer);

  void start();

  void ask(const std::string& owner, const ConsentRequest& request, Answer answer) override;
  // Names of the peers that can, or cannot, be reached now.
  std::vector<std::string> up() const;
  std::vector<std::string> down() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Pending {
    std::string frame;  // sent when the peer is up
    bool sent = false;
    Clock::time_point deadline;
    Answer answer;
  };
  struct Peer {
    PeerAddress address;
    ConnId conn = 0;
    bool up = false;
    std::uint64_t epoch = 0;
    std::uint16_t data_port = 0;
    Clock::time_point retry;  // when to connect again
    Clock::time_point heard;
    Clock::time_point beat;  // when the next heartbeat is due
    Clock::time_point dial_retry;
    DialOffer offer;
    std::uint64_t offer_request = 0;  // of the dial under way
    std::map<std::uint64_t, Pending> pending;
  };

  void on_frames(ConnId conn, const std::string& principal, Frames frames) override;
  void on_gone(ConnId conn, const std::string& why) override;
  void on_tick() override;
  void on_reply(Peer& peer, const std::string& name, const struct Packet& packet,
                std::vector<std::function<void()>>& answers);
  void tick(const std::string& name, Peer& peer, Clock::time_point now,
            std::vector<std::function<void()>>& answers);
  void send(Peer& peer, Kind kind, std::uint64_t request, std::string_view metadata);
  void lose(Peer& peer);

  const std::string party_;
  ControlClient& client_;
  Dialer* const dialer_;
  mutable std::mutex mutex_;
  std::map<std::string, Peer> peers_;
  std::uint64_t next_request_ = 1;
};

}  // namespace curia
