#include "protocol/value_bytes.h"

#include <doctest/doctest.h>

#include <cstring>

using namespace curia;

namespace {

Slice joined(const ValueBytes& bytes) {
  std::vector<std::uint8_t> all;
  for (const Slice& part : bytes.body) all.insert(all.end(), part.data, part.data + part.size);
  return Slice::copy_of(std::span<const std::uint8_t>(all));
}

Slice changed(const Slice& body, std::size_t at, std::uint8_t byte) {
  std::vector<std::uint8_t> all(body.data, body.data + body.size);
  all.at(at) = byte;
  return Slice::copy_of(std::span<const std::uint8_t>(all));
}

Value sample_table() {
  Table table;
  table.rows = 3;
  table.columns.push_back({"n", Tensor::of<std::int64_t>({3}, std::vector<std::int64_t>{1, 2, 3})});
  table.columns.push_back({"t", StringColumn::of({"a", "", "long text"})});
  const std::vector<std::uint8_t> flags = {1, 0, 1};
  table.columns.push_back({"b", Tensor{DType::kBool, {3}, Slice::copy_of(std::span(flags))}});
  return table;
}

}  // namespace

TEST_CASE("Value bytes: a tensor and a table come back, each part in steps of 64 bytes") {
  const Value tensor = Tensor::of<double>({2, 2}, std::vector<double>{1, 2, 3, 4});
  const ValueBytes bytes = value_bytes(tensor);
  CHECK(bytes.bytes == 64);
  const Value back = value_from_bytes(bytes.head, joined(bytes), parse_type("f64[?,2] @bob"));
  CHECK(back.tensor().as<double>()[3] == 4);

  const ValueBytes wide = value_bytes(sample_table());
  CHECK(wide.bytes % 64 == 0);
  const Value table =
      value_from_bytes(wide.head, joined(wide), parse_type("table[3]{n:i64,t:string,b:bool} @bob"));
  CHECK(std::get<StringColumn>(table.table().column("t").data).at(2) == "long text");
  CHECK(value_bytes(table).head == wide.head);
  const Value none = Tensor::of<double>({0}, std::vector<double>{});
  CHECK(value_bytes(none).bytes == 0);
  CHECK(value_from_bytes(value_bytes(none).head, {}, parse_type("f64[0] @bob")).bytes() == 0);
}

TEST_CASE("Value bytes: another type, a shorter or a longer body are refused") {
  const ValueBytes bytes = value_bytes(sample_table());
  const Slice body = joined(bytes);
  const Type good = parse_type("table[3]{n:i64,t:string,b:bool} @bob");
  for (const char* other : {"table[4]{n:i64,t:string,b:bool} @bob", "table[3]{n:i64,t:string} @bob",
                            "table[3]{n:f64,t:string,b:bool} @bob", "f64[3] @bob"}) {
    CHECK_THROWS_AS(value_from_bytes(bytes.head, body, parse_type(other)), Error);
  }
  for (std::int64_t size = 0; size < body.size; ++size) {
    CHECK_THROWS_AS(value_from_bytes(bytes.head, body.part(0, size), good), Error);
  }
  for (std::size_t size = 0; size < bytes.head.size(); ++size) {
    CHECK_THROWS_AS(value_from_bytes(bytes.head.substr(0, size), body, good), Error);
  }
  CHECK_THROWS_AS(value_from_bytes(bytes.head + "x", body, good), Error);
  CHECK_NOTHROW(value_from_bytes(bytes.head, body, good));
}

TEST_CASE("Value bytes: booleans of 2 and string offsets out of order are refused") {
  const ValueBytes bytes = value_bytes(sample_table());
  const Slice body = joined(bytes);
  const Type type = parse_type("table[3]{n:i64,t:string,b:bool} @bob");
  CHECK_THROWS_AS(value_from_bytes(bytes.head, changed(body, 192, 2), type), Error);  // b[0]
  CHECK_THROWS_AS(value_from_bytes(bytes.head, changed(body, 64, 1), type), Error);   // offsets[0]
  CHECK_THROWS_AS(value_from_bytes(bytes.head, changed(body, 72, 200), type), Error);
  CHECK_THROWS_AS(value_from_bytes(bytes.head, changed(body, 72 + 7, 0x80), type), Error);
  CHECK_THROWS_AS(value_from_bytes(bytes.head, changed(body, 88, 11), type), Error);  // the last
}

TEST_CASE("Value bytes: heads that claim huge shapes are refused before any memory is taken") {
  for (const char* text : {"f64[1099511627776]", "table[1099511627776]{t:string}",
                           "table[9223372036854775807]{t:string}", "f64[?]", "table[?]{n:i64}"}) {
    INFO(text);
    std::string head;
    const auto put = [&head](std::uint32_t number) {
      head.append(reinterpret_cast<const char*>(&number), sizeof(number));
    };
    put(static_cast<std::uint32_t>(std::strlen(text)));
    head += text;
    put(0);
    for (const char* declared :
         {"f64[?] @bob", "table[?]{t:string} @bob", "table[?]{n:i64} @bob"}) {
      CHECK_THROWS_AS(value_from_bytes(head, Slice(), parse_type(declared)), Error);
    }
  }
}
