// A cluster of which the driver reaches one worker only through proxies.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "driver/cluster.h"
#include "tests/support/process_cluster.h"
#include "tests/support/tcp_proxy.h"
#include "tests/system/helpers.h"

namespace curia {

using Way = TcpProxy::Way;

// Dials through a proxy whatever the worker says its port is.
class DetourDialer : public Dialer {
 public:
  DetourDialer(Dialer& inner, int port) : inner_(inner), port_(port) {}
  std::uint16_t port() const override { return inner_.port(); }
  bool connected(const std::string& peer) const override { return inner_.connected(peer); }
  DialOffer make_offer() override { return inner_.make_offer(); }
  DialGrant grant(const std::string& peer, const DialOffer& offer) override {
    return inner_.grant(peer, offer);
  }
  void dial(const std::string& peer, const std::string& host, std::uint16_t, const DialOffer& offer,
            const DialGrant& grant) override {
    inner_.dial(peer, host, static_cast<std::uint16_t>(port_), offer, grant);
  }

 private:
  Dialer& inner_;
  const int port_;
};

// A cluster of which dora reaches alice only through the proxies.
struct Detour {
  ProcessCluster cluster{std::map<std::string, ProcessParty>{{"alice", {}}, {"bob", {}}}};
  TcpProxy control{cluster.control_port("alice")};
  TcpProxy data{cluster.data_port("alice")};

  Session connect(const ConnectionOptions& options = {}) {
    ClusterConfig config = read_cluster_config(cluster.cluster_file());
    config.parties.erase("bob");
    config.parties.at("alice").control = "127.0.0.1:" + std::to_string(control.port());
    Wiring wiring = wire(config);
    wiring.make_link = [make = wiring.make_link, port = data.port()](const std::string& self) {
      struct Both {
        Both(SessionLink made, int to) : inner(std::move(made)), dialer(*inner.dialer, to) {}
        SessionLink inner;
        DetourDialer dialer;
      };
      auto both = std::make_shared<Both>(make(self), port);
      return SessionLink{std::shared_ptr<Link>(both, both->inner.link.get()), &both->dialer};
    };
    return {std::move(wiring), options};
  }
};

// 64 MiB, no two elements the same.
inline std::vector<double> big_values() {
  std::vector<double> values(8 << 20);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i) * 0.25;
  return values;
}

inline bool same(const Value& value, const std::vector<double>& expected) {
  const auto found = value.tensor().as<double>();
  return std::equal(found.begin(), found.end(), expected.begin(), expected.end());
}

}  // namespace curia
