// The control plane inside one process, for the simulation: no sockets, no keys. A client states
// its principal when it is made, and is believed.
//
// Thread: a MemoryControlNetwork and its endpoints can be used from any thread; every endpoint has
// a thread of its own that calls its events. Endpoints keep the network alive.
#pragma once

#include <memory>
#include <string>

#include "protocol/link/control.h"

namespace curia {

class MemoryControlNetwork {
 public:
  MemoryControlNetwork();
  ~MemoryControlNetwork();

  // Reached at "memory://<name>" from the moment it is started until it is destroyed.
  // Errors: kInvalid when there is a server of this name.
  std::unique_ptr<ControlServer> make_server(const std::string& name);
  // Its connect() takes the server's endpoint; the key is not looked at.
  std::unique_ptr<ControlClient> make_client(const std::string& principal);
  // All connections to the server end, as when a wire is cut: what is under way in them may be
  // lost.
  void cut(const std::string& name);

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace curia
