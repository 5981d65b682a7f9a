#include "store/arrow/lz4.h"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include "protocol/error.h"

using namespace curia;

namespace {

// A frame without checksums around blocks, which bring their sizes.
std::string frame(const std::string& blocks) {
  return std::string("\x04\x22\x4d\x18\x60\x40\x82", 7) + blocks + std::string(4, '\0');
}

std::string block(const std::string& bytes, bool stored = false) {
  return std::string(1, static_cast<char>(bytes.size())) + std::string(2, '\0') +
         (stored ? '\x80' : '\0') + bytes;
}

// "abc", then `count` bytes from `distance` before, then "z".
std::string repeating(char distance, int count) {
  std::string bytes = {static_cast<char>(0x30 | (count - 4)), 'a', 'b', 'c', distance, 0};
  return bytes + "\x10z";
}

std::optional<std::string> unpacked(const std::string& bytes, std::size_t size) {
  // Memory of just that size, so that a sanitizer knows its end.
  const std::vector<std::uint8_t> in(bytes.begin(), bytes.end());
  std::vector<std::uint8_t> out(size);
  try {
    unpack_lz4(in, out);
  } catch (const Error& error) {
    CHECK((error.code() == Code::kCorrupt || error.code() == Code::kUnimplemented));
    return {};
  }
  return std::string(out.begin(), out.end());
}

}  // namespace

TEST_CASE("Lz4: literals, repetitions that overlap themselves, blocks that are stored") {
  CHECK(unpacked(frame(""), 0) == "");
  CHECK(unpacked(frame(block("\x50hello")), 5) == "hello");
  CHECK(unpacked(frame(block(repeating(3, 7))), 11) == "abcabcabcaz");
  CHECK(unpacked(frame(block(repeating(1, 4))), 8) == "abcccccz");
  CHECK(unpacked(frame(block("plain", true) + block("\x50hello")), 10) == "plainhello");
  // Into the block before.
  CHECK(unpacked(frame(block("plain", true) + block(repeating(8, 5))), 14) == "plainabcplainz");
  // 15 + 255 + 0 literals.
  CHECK(unpacked(frame(std::string("\x11\x01\0\0", 4) + std::string("\xf0\xff\0", 3) +
                       std::string(270, 'x')),
                 270) == std::string(270, 'x'));
}

TEST_CASE("Lz4: what does not fill exactly what it should is refused") {
  const std::string good = frame(block(repeating(3, 7)));
  REQUIRE(unpacked(good, 11));
  CHECK(!unpacked(good, 10));
  CHECK(!unpacked(good, 12));
  CHECK(!unpacked(frame(block(repeating(0, 4))), 8));
  CHECK(!unpacked(frame(block(repeating(4, 4))), 8));
  CHECK(!unpacked("no frame at all", 11));
  for (std::size_t at = 0; at < good.size(); ++at) CHECK(!unpacked(good.substr(0, at), 11));
  std::string dictionary = good;
  dictionary[4] = '\x61';
  CHECK(!unpacked(dictionary, 11));
}

TEST_CASE("Lz4: any byte may be wrong") {
  const std::string good = frame(block("plain", true) + block(repeating(8, 5)));
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string bad = good;
      bad[at] = static_cast<char>(value);
      const auto found = unpacked(bad, 14);
      CHECK((!found || found->size() == 14));
    }
  }
}

TEST_CASE("Lz4: no data stands for more than 256 times its size") {
  CHECK(most_lz4_bytes(4) == 1024);
  CHECK(most_lz4_bytes(INT64_MAX) == INT64_MAX);
}
