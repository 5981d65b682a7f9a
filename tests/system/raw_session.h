// Drivers that speak the wire format by hand, to a worker of a cluster.
#pragma once

#include <doctest/doctest.h>

#include <string>

#include "tests/support/process_cluster.h"
#include "tests/support/raw_driver.h"

namespace curia {

inline SessionId fresh_id() {
  SessionId id{};
  random_bytes(id);
  return id;
}

// `who` at the control port of `party`; nothing is sent yet.
inline RawDriver raw_client(const ProcessCluster& cluster, const std::string& who,
                            const std::string& party) {
  return {cluster.folder() + "/" + who + ".key", cluster.control_endpoint(party),
          cluster.public_key(party)};
}

// The same with a session open.
inline RawDriver raw_session(const ProcessCluster& cluster, const std::string& who,
                             const std::string& party, const SessionId& id = fresh_id()) {
  RawDriver raw = raw_client(cluster, who, party);
  REQUIRE_FALSE(raw.hello().failed());
  REQUIRE_FALSE(raw.open(id).failed());
  return raw;
}

}  // namespace curia
