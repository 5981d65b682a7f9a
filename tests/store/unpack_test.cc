#include "store/arrow/unpack.h"

#include <doctest/doctest.h>
#include <lz4frame.h>
#include <zstd.h>

#include <optional>
#include <string>
#include <vector>

#include "protocol/error.h"

using namespace curia;

namespace {

std::string packed(Packing packing, const std::string& text, bool checksum = false) {
  std::string frame(LZ4F_compressFrameBound(text.size(), nullptr) + ZSTD_compressBound(text.size()),
                    '\0');
  if (packing == Packing::kLz4) {
    LZ4F_preferences_t wanted{};
    if (checksum) wanted.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
    frame.resize(LZ4F_compressFrame(frame.data(), frame.size(), text.data(), text.size(), &wanted));
  } else {
    frame.resize(ZSTD_compress(frame.data(), frame.size(), text.data(), text.size(), 3));
  }
  return frame;
}

std::optional<std::string> unpacked(Packing packing, const std::string& bytes, std::size_t size) {
  // Memory of just that size, so that a sanitizer knows its end.
  const std::vector<std::uint8_t> in(bytes.begin(), bytes.end());
  std::vector<std::uint8_t> out(size);
  try {
    unpack(packing, in, out);
  } catch (const Error& error) {
    CHECK(error.code() == Code::kCorrupt);
    return {};
  }
  return std::string(out.begin(), out.end());
}

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

}  // namespace

TEST_CASE("Unpack: what was packed, short, long and repeated, in both ways") {
  for (const Packing packing : {Packing::kLz4, Packing::kZstd}) {
    for (const std::string& text : {std::string(), std::string("hello"), repeated("ab", 50),
                                    repeated("0123456789", 50'000)}) {
      CHECK(unpacked(packing, packed(packing, text), text.size()) == text);
    }
  }
}

TEST_CASE("Unpack: what does not fill exactly what it should is refused") {
  for (const Packing packing : {Packing::kLz4, Packing::kZstd}) {
    const std::string text = repeated("plain and ", 9) + "more";
    const std::string good = packed(packing, text);
    REQUIRE(unpacked(packing, good, text.size()));
    CHECK(!unpacked(packing, good, text.size() - 1));
    CHECK(!unpacked(packing, good, text.size() + 1));
    CHECK(!unpacked(packing, good, 0));
    CHECK(!unpacked(packing, "no frame at all", text.size()));
    CHECK(!unpacked(packing, good + "x", text.size()));
    for (std::size_t at = 0; at < good.size(); ++at) {
      CHECK(!unpacked(packing, good.substr(0, at), text.size()));
    }
  }
}

TEST_CASE("Unpack: any byte may be wrong, and a checksum tells") {
  for (const Packing packing : {Packing::kLz4, Packing::kZstd}) {
    const std::string text = repeated("plain and ", 5) + "more";
    const std::string good = packed(packing, text);
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (int value = 0; value < 256; ++value) {
        std::string bad = good;
        bad[at] = static_cast<char>(value);
        const auto found = unpacked(packing, bad, text.size());
        CHECK((!found || found->size() == text.size()));
      }
    }
  }
  const std::string text = "0123456789abcdefghij";
  std::string summed = packed(Packing::kLz4, text, true);
  REQUIRE(unpacked(Packing::kLz4, summed, text.size()) == text);
  summed[summed.find("5678")] = 'x';
  CHECK(!unpacked(Packing::kLz4, summed, text.size()));
}

TEST_CASE("Unpack: no data is said to stand for more than it can") {
  const std::vector<std::uint8_t> four(4);
  CHECK(most_unpacked(Packing::kLz4, four) == 1024);
  CHECK(most_unpacked(Packing::kZstd, four) == 0);
  const std::string frame = packed(Packing::kZstd, repeated("0123456789", 50'000));
  const std::vector<std::uint8_t> bytes(frame.begin(), frame.end());
  CHECK(most_unpacked(Packing::kZstd, bytes) == 500'000);
}
