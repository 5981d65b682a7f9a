// Bytes as pairs of lower-case hex digits. Thread: any.
#pragma once

#include <string>
#include <string_view>

namespace curia {

std::string hex_of(std::string_view bytes);
// Errors: kInvalid for anything but pairs of lower-case hex digits.
std::string bytes_of_hex(std::string_view hex);

}  // namespace curia
