#include "protocol/type.h"

#include <doctest/doctest.h>

#include "protocol/error.h"

using namespace curia;

TEST_CASE("Type: text form and back") {
  for (const char* text : {"f64[150,4] @alice", "i64[]", "bool[?]", "u8[0,3] @b.c",
                           "table[?]{id:string,age:i64} @bob", "table[0]{}"}) {
    CAPTURE(text);
    CHECK(parse_type(text).str() == text);
  }
}

TEST_CASE("Type: parse_type() refuses what str() never prints") {
  for (const char* text :
       {"", "f64", "f64[", "f65[1]", "string[3]", "f64[-1]", "f64[1,]", "f64[1] bob", "table[1]{a}",
        "table[1]{a:i64", "f64[1,1,1,1,1,1,1,1,1]", "f64[99999999999999999999]", "f64[1]x"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_type(text), Error);
  }
}

TEST_CASE("Type: a shape product that would overflow is refused, not wrapped") {
  const std::int64_t big = std::int64_t{1} << 32;
  CHECK_THROWS_AS(element_count({big, big}), Error);
  CHECK_THROWS_AS(element_count({INT64_MAX, 2}), Error);
  CHECK_THROWS_AS(element_count({-2}), Error);
  CHECK_THROWS_AS(element_count(Shape(9, 1)), Error);
  CHECK(element_count({big, 0}) == 0);
  CHECK(element_count({kUnknown, 4}) == kUnknown);
  CHECK(element_count({}) == 1);
}

TEST_CASE("Type: accepts() lets `?` stand for any number of rows, and nothing else") {
  CHECK(accepts(parse_type("f64[?,4] @a"), parse_type("f64[7,4] @a")));
  CHECK_FALSE(accepts(parse_type("f64[?,4] @a"), parse_type("f64[7,5] @a")));
  CHECK_FALSE(accepts(parse_type("f64[7,4] @a"), parse_type("f64[7,4] @b")));
  CHECK_FALSE(accepts(parse_type("f64[7] @a"), parse_type("f32[7] @a")));
  CHECK_FALSE(accepts(parse_type("f64[7] @a"), parse_type("table[7]{x:f64} @a")));
}
