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

// A driver's link, and its dialing side: null in the simulation, else it lives as long as the link.
struct SessionLink {
  std::shared_ptr<Link> link;
  Dialer* dialer = nullptr;
};

struct Wiring {
  std::string driver;  // the principal
  std::map<std::string, WorkerAddress> workers;
  std::shared_ptr<ControlClient> control;
  // A link of one session; `self` is driver_peer(session, process).
  std::function<SessionLink(const std::string& self)> make_link;
};

}  // namespace curia
