// A whole file in memory, for readers of foreign formats.
#pragma once

#include <cstdint>
#include <string>

#include "protocol/value.h"

namespace curia {

// Errors: kNotFound when it cannot be opened or is not a regular file, kQuota above `max_bytes`
// (checked before anything is allocated), kFailed when reading fails or the file is cut meanwhile.
Slice read_file(const std::string& path, std::int64_t max_bytes);

}  // namespace curia
