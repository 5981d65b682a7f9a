// The name of a session: 128 random bits, chosen by its driver.
#pragma once

#include <array>
#include <cstdint>

namespace curia {

using SessionId = std::array<std::uint8_t, 16>;

}  // namespace curia
