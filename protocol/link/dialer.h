// The part of a data link that makes connections, as the control plane sees it. The simulation has
// none: its link is always connected.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace curia {

struct DialOffer {
  std::array<std::uint8_t, 32> secret{};  // the initiator's half of the keys
};
struct DialGrant {
  std::array<std::uint8_t, 16> token{};   // names the connection, once
  std::array<std::uint8_t, 32> secret{};  // the responder's half
};

// Thread: any.
class Dialer {
 public:
  virtual ~Dialer() = default;
  virtual std::uint16_t port() const = 0;
  virtual bool connected(const std::string& peer) const = 0;
  virtual DialOffer make_offer() = 0;
  // Responder: lets a connection of `peer` in, for a few seconds.
  virtual DialGrant grant(const std::string& peer, const DialOffer& offer) = 0;
  // Initiator: connects. Never waits.
  virtual void dial(const std::string& peer, const std::string& host, std::uint16_t port,
                    const DialOffer& offer, const DialGrant& grant) = 0;
};

}  // namespace curia
