// What releases with differential privacy cost (docs/decisions/0016-private-releases.md).
// Thread: any.
#pragma once

#include <cstdint>

namespace curia {

// Of one dp_ op. Below, noise drowns everything; above, epsilon protects nobody.
inline constexpr double kMinEpsilon = 0x1p-16;
inline constexpr double kMaxEpsilon = 64;
inline constexpr std::int64_t kMaxBins = 4096;  // of a histogram

}  // namespace curia
