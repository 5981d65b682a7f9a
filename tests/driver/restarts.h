// Restarts of workers of a simulation, for tests.
#pragma once

#include <doctest/doctest.h>

#include <string>

#include "driver/session.h"
#include "tests/support/errors.h"
#include "tests/support/eventually.h"
#include "worker/parts.h"
#include "worker/simulation/simulation.h"

namespace curia {

// Returns when the session goes on with it.
inline void restart(Simulation& cluster, Session& session, const std::string& party) {
  cluster.kill(party);
  cluster.restart(party);
  std::string why;
  const bool back = eventually([&] {
    try {
      session.stats(party);
      return true;
    } catch (const Error& error) {
      why = error.what();
      return false;
    }
  });
  INFO(why);
  REQUIRE(back);
}

}  // namespace curia
