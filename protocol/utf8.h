// Text as files of strangers hold it.
// Thread: any.
#pragma once

#include <string_view>

namespace curia {

// Whether this is UTF-8: no overlong forms, no surrogates, nothing beyond U+10FFFF (RFC 3629).
bool valid_utf8(std::string_view text);

}  // namespace curia
