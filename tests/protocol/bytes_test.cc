#include "protocol/bytes.h"

#include <doctest/doctest.h>

#include <bit>
#include <cstdint>

#include "protocol/error.h"

using namespace curia;

namespace {

std::uint64_t read_varint(std::string_view bytes) {
  ByteReader in(bytes, "test bytes");
  const std::uint64_t value = in.varint();
  in.finish();
  return value;
}

}  // namespace

TEST_CASE("Bytes: what is written reads back, bit for bit") {
  ByteWriter out;
  out.u8(200);
  out.u16(0xfffe);
  out.u32(0xfffffffd);
  out.u64(0xfffffffffffffffc);
  out.boolean(true);
  out.f64(std::bit_cast<double>(0x7ff8000000000123));
  out.text("abc");
  const std::string bytes = out.take();
  ByteReader in(bytes, "test bytes");
  CHECK(in.u8() == 200);
  CHECK(in.u16() == 0xfffe);
  CHECK(in.u32() == 0xfffffffd);
  CHECK(in.u64() == 0xfffffffffffffffc);
  CHECK(in.boolean());
  CHECK(std::bit_cast<std::uint64_t>(in.f64()) == 0x7ff8000000000123);
  CHECK(in.text(3, "a name") == "abc");
  CHECK_NOTHROW(in.finish());
}

TEST_CASE("Bytes: varints take the fewest bytes, and no longer form is read") {
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128},
                                    std::uint64_t{1} << 62, std::uint64_t{1} << 63, UINT64_MAX}) {
    ByteWriter out;
    out.varint(value);
    CHECK(read_varint(out.bytes()) == value);
  }
  CHECK_THROWS_AS(read_varint(std::string_view("\x80\x00", 2)), Error);
  CHECK_THROWS_AS(read_varint(std::string_view("\xff\x80\x00", 3)), Error);
  CHECK_THROWS_AS(read_varint(std::string(9, '\xff') + '\x02'), Error);  // 65 bits
  CHECK_THROWS_AS(read_varint(std::string(11, '\xff')), Error);
  CHECK_THROWS_AS(read_varint("\x80"), Error);
}

TEST_CASE("Bytes: signed numbers of every size") {
  for (const std::int64_t value : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{63},
                                   std::int64_t{-64}, INT64_MIN, INT64_MAX}) {
    ByteWriter out;
    out.svarint(value);
    ByteReader in(out.bytes(), "test bytes");
    CHECK(in.svarint() == value);
  }
}

TEST_CASE("Bytes: a boolean is 0 or 1") {
  ByteReader in("\x02", "test bytes");
  CHECK_THROWS_WITH_AS(in.boolean(),
                       "INVALID: bad test bytes at byte 1: expected a boolean of 0 or 1, found 2",
                       Error);
}

TEST_CASE("Bytes: a count is refused when the bytes left cannot hold it") {
  ByteWriter out;
  out.varint(1000);
  ByteReader in(out.bytes(), "test bytes");
  CHECK_THROWS_AS(in.count(1, 1 << 20, "things"), Error);
  ByteReader text(
      "\x05"
      "abcd",
      "test bytes");
  CHECK_THROWS_AS(text.text(100, "a name"), Error);
  ByteReader longer(
      "\x04"
      "abcd",
      "test bytes");
  CHECK_THROWS_AS(longer.text(3, "a name"), Error);
}

TEST_CASE("Bytes: bytes left over are refused") {
  ByteReader in("ab", "test bytes");
  in.u8();
  CHECK_THROWS_AS(in.finish(), Error);
}
