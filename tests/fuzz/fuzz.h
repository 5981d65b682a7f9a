// What fuzz targets share. A target defines LLVMFuzzerTestOneInput; it is linked with libFuzzer
// (option `fuzz`, clang) or with replay.cc (always).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace curia::fuzz {

// Ends the process, for both drivers to notice.
inline void must(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "fuzz target: %s\n", what);
  std::abort();
}

}  // namespace curia::fuzz
