// Writing files so that no half one is ever seen, and none is overwritten by mistake.
#pragma once

#include <string>

namespace curia {

// A new file of mode 0600. Errors: kInvalid when it exists or cannot be written.
void write_new_file(const std::string& path, const std::string& text);
// Writes a file beside it and renames that. Errors: kInvalid.
void replace_file(const std::string& path, const std::string& text);

}  // namespace curia
