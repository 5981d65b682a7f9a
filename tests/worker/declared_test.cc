#include "worker/declared.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "protocol/error.h"

using namespace curia;

namespace {

Value doubles(const std::vector<double>& cells) {
  return Value(Tensor::of<double>({static_cast<std::int64_t>(cells.size())}, cells));
}
template <class T>
Value numbers(const std::vector<T>& cells) {
  return Value(Tensor::of<T>({static_cast<std::int64_t>(cells.size())}, cells));
}

template <class F>
std::string error_of(F f) {
  try {
    f();
  } catch (const Error& error) {
    CHECK(error.code() == Code::kInvalid);
    return error.message();
  }
  return "accepted";
}

std::string declared(const Value& value, const Ranges& ranges) {
  return error_of([&] { check_declared(value, ranges); });
}

std::string claim(const char* type, const Ranges& known, const Ranges& claimed) {
  return error_of([&] { check_claim("dataset \"x\"", parse_type(type), known, claimed); });
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("Declared: every cell has to be in its range, bounds included") {
  CHECK(declared(doubles({-1, 0.5, 2}), {{"", {-1, 2}}}) == "accepted");
  CHECK(declared(doubles({}), {{"", {-1, 2}}}) == "accepted");
  for (const double wrong :
       {std::nextafter(2.0, 3.0), -1.5, std::nan(""), std::numeric_limits<double>::infinity()}) {
    const std::string text = declared(doubles({0, wrong}), {{"", {-1, 2}}});
    CHECK(text ==
          "the tensor holds cells beyond its declared range [-1, 2]; mend the data, or declare a "
          "wider range");
  }
  const Table table = {{{"age", Tensor::of<std::int64_t>({2}, std::vector<std::int64_t>{3, 121})},
                        {"pay", Tensor::of<double>({2}, std::vector<double>{-5, 5})}},
                       2};
  CHECK(declared(Value(table), {{"age", {0, 121}}}) == "accepted");
  CHECK(declared(Value(table), {{"age", {0, 121}}, {"", {-5, 5}}}) == "accepted");
  CHECK(has(declared(Value(table), {{"age", {0, 120}}}), "column \"age\" holds cells beyond"));
  CHECK(has(declared(Value(table), {{"", {0, 121}}}), "column \"pay\" holds cells beyond"));
  CHECK(has(declared(Value(table), {{"tax", {0, 1}}}), "\"tax\", which is no column"));
}

TEST_CASE("Declared: the limits of 64-bit integers, which are no doubles, are exact") {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  constexpr std::uint64_t kAll = std::numeric_limits<std::uint64_t>::max();
  CHECK(declared(numbers<std::int64_t>({kMost, -kMost - 1}), {{"", {-0x1p63, 0x1p63}}}) ==
        "accepted");
  CHECK(declared(numbers<std::uint64_t>({0, kAll}), {{"", {-1, 0x1p64}}}) == "accepted");
  CHECK(declared(numbers<std::int64_t>({(std::int64_t{1} << 53) + 1}), {{"", {0, 0x1p53}}}) !=
        "accepted");
  CHECK(declared(numbers<std::uint8_t>({255}), {{"", {-1000, 254.5}}}) != "accepted");
  CHECK(declared(numbers<std::uint8_t>({254}), {{"", {-1000, 254.5}}}) == "accepted");
}

TEST_CASE("Declared: ranges of a dataset have to fit into messages") {
  Table table;
  table.rows = 1;
  Ranges ranges;
  for (int i = 0; i < 200; ++i) {
    const std::string name = std::string(100, 'c') + std::to_string(i);
    table.columns.push_back({name, Tensor::of<double>({1}, std::vector<double>{0})});
    ranges[name] = {0, 1};
  }
  CHECK(has(declared(Value(table), ranges), "declare one range for all columns"));
}

TEST_CASE("Declared: a program may take as much for granted as is known, not more") {
  const Ranges known = {{"age", {0, 120}}, {"pay", {-1e6, 1e6}}};
  const char* type = "table[4]{id:string,age:i64,pay:f64,kids:u8,rest:f64}";
  CHECK(claim(type, known, {}) == "accepted");
  CHECK(claim(type, known, known) == "accepted");
  CHECK(claim(type, known, {{"age", {-1, 121}}}) == "accepted");
  CHECK(claim(type, known, {{"kids", {0, 255}}}) == "accepted");
  CHECK(claim(type, known, {{"age", {0, 119}}}) ==
        "dataset \"x\", column \"age\", has the range [0, 120], but the program takes [0, 119] for "
        "granted; take what the owner declares");
  CHECK(has(claim(type, known, {{"pay", {-1e6, 999'999}}}), "column \"pay\""));
  CHECK(has(claim(type, known, {{"kids", {0, 20}}}), "has the range [0, 255]"));
  CHECK(has(claim(type, known, {{"rest", {-1e300, 1e300}}}), "has no known range"));
  CHECK(has(claim(type, {}, {{"", {-1e300, 1e300}}}), "has no known range"));
  CHECK(claim("secret<fixed,18>[4] @abc", {{"", {-1, 1}}}, {{"", {-1, 1}}}) == "accepted");
  CHECK(has(claim("secret<fixed,18>[4] @abc", {{"", {-1, 1}}}, {{"", {0, 1}}}), "for granted"));
  CHECK(has(claim("secret<fixed,18>[4] @abc", {}, {{"", {-1e9, 1e9}}}), "no known range"));
}

TEST_CASE("Declared: cells beyond a range become its nearest bound, NaN the number nearest to 0") {
  const auto value = std::make_shared<const Value>(
      doubles({-7, 0.5, std::nan(""), std::numeric_limits<double>::infinity()}));
  const auto cells = [&](const Ranges& ranges) {
    const ValuePtr found = saturated(value, ranges);
    check_declared(*found, ranges);
    const auto numbers = found->tensor().as<double>();
    return std::vector<double>(numbers.begin(), numbers.end());
  };
  CHECK(cells({{"", {-1, 2}}}) == std::vector<double>{-1, 0.5, 0, 2});
  CHECK(cells({{"", {1, 2}}}) == std::vector<double>{1, 1, 1, 2});
  CHECK(cells({{"", {-9, -8}}}) == std::vector<double>{-8, -8, -8, -8});
  CHECK(saturated(value, {}) == value);
  const auto within = std::make_shared<const Value>(doubles({0, 1}));
  CHECK(saturated(within, {{"", {0, 1}}}) == within);
}
