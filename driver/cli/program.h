// Programs in JSON form, from files.
#pragma once

#include <string>

#include "driver/session.h"

namespace curia {

// Errors: kInvalid, naming the file, and the place in it or the op.
PreparedPtr read_program(const std::string& path);

}  // namespace curia
