// Programs in JSON form, from files.
#pragma once

#include <string>
#include <vector>

#include "driver/session.h"

namespace curia {

// Errors: kInvalid, naming the file, and the place in it or the op.
PreparedPtr read_program(const std::string& path);

// What ranges allow, and where they are unknown what they leave open, on secure devices: one line
// an op. `known`: only the former.
std::vector<std::string> range_warnings(const Prepared& program, bool known = false);

}  // namespace curia
