// The steady clock, a few milliseconds late and for a few nanoseconds: for timers on a hot path.
#pragma once

#include <time.h>

#include <chrono>

#include "protocol/link/link.h"

namespace curia {

// How far it may lag behind steady_clock (one tick of the slowest usual kernel).
inline constexpr std::chrono::milliseconds kCoarseLag{10};

inline SteadyTime coarse_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return SteadyTime(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

}  // namespace curia
