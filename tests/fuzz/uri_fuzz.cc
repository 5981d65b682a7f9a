// Uri::parse() refuses a text or keeps it exactly as it is.
#include "protocol/error.h"
#include "protocol/uri.h"
#include "tests/fuzz/fuzz.h"

using namespace curia;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const Uri uri = Uri::parse(text);
    fuzz::must(uri.str() == text, "a URI changed its spelling");
    fuzz::must(size <= static_cast<std::size_t>(kMaxUriBytes), "a URI passed the limit of length");
    fuzz::must(("/" + std::string(uri.rest()) + "/").find("/../") == std::string::npos,
               "a URI could leave its root");
  } catch (const Error& error) {
    fuzz::must(error.code() == Code::kInvalid, "a URI was refused with another code");
  }
  return 0;
}
