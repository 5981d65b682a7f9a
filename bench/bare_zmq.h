// What bare ZeroMQ with CURVE does on this machine, without a line of Curia: the limits that the
// control plane is measured against. Each call forks a peer process and measures over loopback.
//
// REQUIRES: called while no other thread of the process holds locks that a fork would copy.
#pragma once

#include <cstdint>

namespace curia::bench {

inline constexpr int kSmallMessage = 200;  // bytes

// Seconds for one small message to a ROUTER that echoes it and back: the median of many.
double bare_echo_rtt_seconds();

// Small messages a second through the same echo, each way, with many under way.
double bare_echo_rate();

// Bytes a second one way, in messages of this size. A small acknowledgement ends the measurement.
double bare_curve_chunk_rate_bytes(std::int64_t size);

}  // namespace curia::bench
