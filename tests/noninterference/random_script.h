// Scripts from seeds. Thread: any.
#pragma once

#include <cstdint>

#include "tests/noninterference/script.h"

namespace curia::test {

Script random_script(std::uint64_t seed);

}  // namespace curia::test
