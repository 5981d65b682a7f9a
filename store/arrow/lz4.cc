#include "store/arrow/lz4.h"

#include <cstring>
#include <limits>
#include <string>

#include "protocol/error.h"

namespace curia {
namespace {

constexpr std::uint32_t kMagic = 0x184d2204;
// Of the frame descriptor's first byte.
constexpr unsigned kVersion = 0xc0, kVersionOne = 0x40;
constexpr unsigned kBlockChecksums = 0x10, kContentSize = 0x08, kDictionary = 0x01;
constexpr std::uint32_t kStored = 0x80000000;  // of a block's size: it is not compressed
constexpr std::size_t kMinMatch = 4;
constexpr std::size_t kLong = 15;  // a length in a token that goes on in bytes of its own

[[noreturn]] void corrupt(const std::string& why) {
  throw Error(Code::kCorrupt, "malformed LZ4 data: " + why);
}

// Hands out the bytes of a frame from the front.
class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  bool done() const { return bytes_.empty(); }
  std::span<const std::uint8_t> take(std::size_t count) {
    if (count > bytes_.size()) corrupt("it is cut short");
    const auto taken = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return taken;
  }
  unsigned byte() { return take(1)[0]; }
  unsigned u16() {
    const auto two = take(2);
    return two[0] | static_cast<unsigned>(two[1]) << 8;
  }
  std::uint32_t u32() {
    std::uint32_t value = 0;
    std::memcpy(&value, take(sizeof(value)).data(), sizeof(value));
    return value;
  }
  // A length whose first 4 bits stood in a token.
  std::size_t length(std::size_t begin) {
    if (begin < kLong) return begin;
    for (unsigned more = 255; more == 255; begin += more) more = byte();
    return begin;
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

class Output {
 public:
  explicit Output(std::span<std::uint8_t> bytes) : bytes_(bytes) {}

  bool full() const { return at_ == bytes_.size(); }
  void add(std::span<const std::uint8_t> bytes) {
    want(bytes.size());
    if (!bytes.empty()) std::memcpy(bytes_.data() + at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  // Repeats what stands `distance` bytes before; the two may overlap.
  void repeat(std::size_t distance, std::size_t count) {
    if (distance == 0 || distance > at_) corrupt("a repetition of what is before its begin");
    want(count);
    std::uint8_t* to = bytes_.data() + at_;
    if (distance >= count) {
      std::memcpy(to, to - distance, count);
    } else {
      for (std::size_t i = 0; i < count; ++i) to[i] = to[i - distance];
    }
    at_ += count;
  }

 private:
  void want(std::size_t count) const {
    if (count > bytes_.size() - at_) corrupt("more bytes than it says");
  }

  std::span<std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

void unpack_block(Input in, Output& out) {
  while (true) {
    const unsigned token = in.byte();
    out.add(in.take(in.length(token >> 4)));
    if (in.done()) return;  // the last sequence is literals only
    const unsigned distance = in.u16();
    out.repeat(distance, in.length(token & 15) + kMinMatch);
  }
}

}  // namespace

std::int64_t most_lz4_bytes(std::int64_t compressed) {
  // A byte of a length stands for 255 bytes at most.
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  return compressed > most / 256 ? most : compressed * 256;
}

void unpack_lz4(std::span<const std::uint8_t> frame, std::span<std::uint8_t> bytes) {
  Input in(frame);
  Output out(bytes);
  if (in.u32() != kMagic) corrupt("no frame");
  const unsigned flags = in.byte();
  if ((flags & kVersion) != kVersionOne) corrupt("an unknown version");
  in.byte();  // the largest size of blocks
  if ((flags & kContentSize) != 0) in.take(8);
  if ((flags & kDictionary) != 0) {
    throw Error(Code::kUnimplemented, "found LZ4 data that needs a dictionary");
  }
  in.byte();  // checksum of the descriptor
  while (const std::uint32_t size = in.u32()) {
    const auto block = in.take(size & ~kStored);
    if ((size & kStored) != 0) {
      out.add(block);
    } else {
      unpack_block(Input(block), out);
    }
    if ((flags & kBlockChecksums) != 0) in.take(4);
  }
  if (!out.full()) corrupt("fewer bytes than it says");
}

}  // namespace curia
