// Links between workers, and between drivers and workers: sealed records over TCP.
//
// One duplex connection per peer carries the lanes of all sessions. Keys are exchanged over the
// authenticated control plane: the dialer sends make_dial()'s request to the peer, whose link
// answer()s it, and passes both to dial(). The first record each way proves the keys; who cannot
// prove them gets nothing but a small fixed buffer for a short time.
//
// When a connection breaks, lanes wait for the next one (on_need_dial) for as long as the grace,
// and go on where they were: every message is received exactly once, in order, or the lane ends.
//
// Thread: any, for all methods. The link owns one I/O thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/link/link.h"
#include "protocol/link/link_options.h"
#include "protocol/link/peer.h"
#include "protocol/link/record.h"

namespace curia {

class IoLoop;

struct DialRequest {
  Secret secret{};
};

struct DialAnswer {
  ConnectionToken token{};
  Secret secret{};
};

class DataLink : public Link {
 public:
  // Errors: kInvalid for options out of range, kFailed when the address cannot be listened on.
  explicit DataLink(DataLinkOptions options);
  // Ends all lanes with kSessionOver. What was not acknowledged may be lost: see flush(). Must not
  // run on the I/O thread (in on_need_dial).
  ~DataLink() override;
  DataLink(const DataLink&) = delete;
  DataLink& operator=(const DataLink&) = delete;

  std::shared_ptr<Lane> lane(const SessionId& session, std::string_view peer) override;
  void close(const SessionId& session) override;
  // Done by the I/O thread, soon. Connections to the peer that are being made end too, and so do
  // tokens given to it.
  void forget(std::string_view peer) override;
  std::vector<Traffic> traffic() const override;

  int port() const;  // where it listens, -1 when it does not

  // The dialer's part of the key exchange, then the responder's, then the dialer's again. All
  // secrets must travel on a channel that only the two peers can read.
  static DialRequest make_dial(std::string_view peer);
  DialAnswer answer(std::string_view peer, const DialRequest& request);
  // Connects to the numeric address `host`; never waits. A connection that there is gets replaced
  // once the new one is proven. Failure shows as another on_need_dial.
  void dial(std::string_view peer, const std::string& host, int port, const DialRequest& request,
            const DialAnswer& answer);

  // The peer is known to be dead: its lanes end with `error`, now.
  void lose(std::string_view peer, const Error& error);

  // Waits until the peers acknowledged all that was sent; false when the deadline came first.
  bool flush(SteadyTime deadline);

  bool connected(std::string_view peer) const;
  // The recv() calls that wait now.
  std::vector<LaneWait> waits() const;

  // For tests: breaks the connection to a peer, as a network would.
  void cut_connection(std::string_view peer);
  // Connections that have not proven anything yet.
  int unproven() const;

 private:
  std::unique_ptr<IoLoop> loop_;
};

}  // namespace curia
