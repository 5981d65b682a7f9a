// A DataLink's dialing side as the control plane sees it; resolves host names.
#pragma once

#include "protocol/link/data_link.h"
#include "protocol/link/dialer.h"

namespace curia {

// Thread: any.
class DataDialer : public Dialer {
 public:
  // `link` outlives it.
  explicit DataDialer(DataLink& link) : link_(link) {}

  std::uint16_t port() const override;
  bool connected(const std::string& peer) const override;
  DialOffer make_offer() override;
  DialGrant grant(const std::string& peer, const DialOffer& offer) override;
  void dial(const std::string& peer, const std::string& host, std::uint16_t port,
            const DialOffer& offer, const DialGrant& grant) override;

 private:
  DataLink& link_;
};

// The first IPv4 address of a host name, as text. Errors: kInvalid.
std::string numeric_host(const std::string& host);

}  // namespace curia
