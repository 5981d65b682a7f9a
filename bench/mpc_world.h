// Three processes with sealed links between them, as the members of a secure device.
#pragma once

#include <functional>
#include <vector>

#include "worker/mpc/protocol.h"

namespace curia::bench {

struct MpcRun {
  double seconds = 0;   // of the slowest member, median over the runs
  double cpu = 0;       // seconds of all members together, for one run
  double peak_mib = 0;  // of the member that used most
};

// One member's work. `setup` makes operands (and touches them), then the returned function is
// timed, `runs` times, all members starting together.
using MpcWork = std::function<std::function<void()>(MpcProtocol& protocol)>;

MpcRun run_members(int runs, const MpcWork& setup);

}  // namespace curia::bench
