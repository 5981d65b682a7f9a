// What connects a driver to a cluster: real sockets, or the simulation. The driver program is the
// same.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "protocol/link/control.h"
#include "protocol/link/dialer.h"
#include "protocol/link/link.h"

namespace curia {

struct WorkerAddress {
  std::string endpoint;  // of the control port, as ControlClient::connect wants it
  std::string key;
  std::string host;  // for the data port
};

struct Wiring {
  std::string driver;  // the principal
  std::map<std::string, WorkerAddress> workers;
  std::shared_ptr<ControlClient> control;
  // The link of one session; `self` is driver_peer(session).
  std::function<std::shared_ptr<Link>(const std::string& self)> make_link;
  // The dialing side of such a link; null in the simulation.
  std::function<Dialer*(Link&)> dialer_of;
  std::shared_ptr<void> keep;  // whatever must live as long
};

}  // namespace curia
