#include "store/arrow/unpack.h"

#include <lz4frame.h>
#include <zstd.h>

#include <limits>
#include <memory>
#include <string>

#include "protocol/error.h"

namespace curia {
namespace {

// Of a token of LZ4, whose lengths grow by at most this with each byte.
constexpr std::int64_t kMostLz4 = 256;

[[noreturn]] void corrupt(const char* format, const std::string& why) {
  throw Error(Code::kCorrupt, std::string("malformed ") + format + " data: " + why);
}

void unpack_lz4(std::span<const std::uint8_t> packed, std::span<std::uint8_t> out) {
  LZ4F_dctx* made = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&made, LZ4F_VERSION)) != 0) {
    throw Error(Code::kQuota, "no memory to unpack LZ4 data");
  }
  const std::unique_ptr<LZ4F_dctx, decltype(&LZ4F_freeDecompressionContext)> context(
      made, &LZ4F_freeDecompressionContext);
  // One more byte of room, to see whether there is more than there should be.
  std::uint8_t beyond = 0;
  for (bool full = false;;) {
    std::size_t room = full ? 1 : out.size();
    std::size_t taken = packed.size();
    const std::size_t left = LZ4F_decompress(context.get(), full ? &beyond : out.data(), &room,
                                             packed.data(), &taken, nullptr);
    if (LZ4F_isError(left) != 0) corrupt("LZ4", LZ4F_getErrorName(left));
    if (full && room > 0) corrupt("LZ4", "it holds more than it should");
    if (!full) out = out.subspan(room);
    packed = packed.subspan(taken);
    if (left == 0) break;
    if (room == 0 && taken == 0) corrupt("LZ4", "it is cut short");
    full = out.empty();
  }
  if (!out.empty() || !packed.empty()) corrupt("LZ4", "it has another size than it should");
}

void unpack_zstd(std::span<const std::uint8_t> packed, std::span<std::uint8_t> out) {
  const std::size_t size = ZSTD_decompress(out.data(), out.size(), packed.data(), packed.size());
  if (ZSTD_isError(size) != 0) corrupt("Zstandard", ZSTD_getErrorName(size));
  if (size != out.size()) corrupt("Zstandard", "it has another size than it should");
}

}  // namespace

std::int64_t most_unpacked(Packing packing, std::span<const std::uint8_t> packed) {
  static constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const auto size = static_cast<std::int64_t>(packed.size());
  if (packing == Packing::kLz4) return size > kMost / kMostLz4 ? kMost : size * kMostLz4;
  const unsigned long long says = ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (says == ZSTD_CONTENTSIZE_ERROR) return 0;
  return says > static_cast<unsigned long long>(kMost) ? kMost : static_cast<std::int64_t>(says);
}

void unpack(Packing packing, std::span<const std::uint8_t> packed, std::span<std::uint8_t> out) {
  if (packing == Packing::kLz4) return unpack_lz4(packed, out);
  unpack_zstd(packed, out);
}

}  // namespace curia
