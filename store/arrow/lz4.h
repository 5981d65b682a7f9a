// LZ4 frames (the LZ4 frame format, version 1.6): what pandas compresses Arrow files with when it
// is not told otherwise. Reads only; checksums are not looked at.
// Thread: any.
#pragma once

#include <cstdint>
#include <span>

namespace curia {

// The most bytes that this many bytes of LZ4 can stand for.
std::int64_t most_lz4_bytes(std::int64_t compressed);

// Unpacks one frame; it has to fill `out` exactly. Errors: kCorrupt where it does not;
// kUnimplemented for a frame that needs a dictionary.
void unpack_lz4(std::span<const std::uint8_t> frame, std::span<std::uint8_t> out);

}  // namespace curia
