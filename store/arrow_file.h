// Values as Arrow files for people: read from those of any program, written for all of them.
// Thread: any.
#pragma once

#include <string>

#include "store/arrow/import.h"

namespace curia {

// Errors: those of parse_arrow(); kNotFound when the file cannot be opened, kFailed when reading
// fails or the file is cut meanwhile.
Value read_arrow(const std::string& path, const ArrowOptions& options = {});

// The whole file: a tensor or a table as store/FORMAT.md says, with its type and nothing else known
// of it. Columns of bool are Arrow's own, which pandas and Polars know. Errors: kInvalid for
// shares; the value's own, when it is an error.
std::string write_arrow(const Value& value);

}  // namespace curia
