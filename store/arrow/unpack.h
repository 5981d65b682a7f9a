// What Arrow files compress their buffers with: LZ4 frames (pandas does, when it is not told
// otherwise) and Zstandard. Reads only. Thread: any.
#pragma once

#include <cstdint>
#include <span>

namespace curia {

enum class Packing : std::uint8_t { kLz4, kZstd };

// The most bytes that these can stand for; a frame of Zstandard says it itself, or may be of any
// size.
std::int64_t most_unpacked(Packing packing, std::span<const std::uint8_t> packed);

// Unpacks one frame; it has to fill `out` exactly. Errors: kCorrupt where it does not, or a
// checksum in it is wrong.
void unpack(Packing packing, std::span<const std::uint8_t> packed, std::span<std::uint8_t> out);

}  // namespace curia
