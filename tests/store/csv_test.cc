#include "store/csv.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

using namespace curia;

namespace {

std::string types(const Table& table) { return type_text(table.type()); }

template <class T>
std::vector<T> column(const Table& table, const std::string& name) {
  const auto& tensor = std::get<Tensor>(table.column(name).data);
  REQUIRE(tensor.dtype == dtype_of<T>());
  const auto values = tensor.as<T>();
  return {values.begin(), values.end()};
}

std::vector<std::string> strings(const Table& table, const std::string& name) {
  const auto& found = std::get<StringColumn>(table.column(name).data);
  std::vector<std::string> rows;
  for (std::int64_t i = 0; i < found.rows(); ++i) rows.emplace_back(found.at(i));
  return rows;
}

// The error of parsing, "" where it succeeds.
std::string failure(std::string_view text, const CsvOptions& options = {}) {
  try {
    parse_csv(text, "in.csv", options);
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

CsvOptions declared(std::vector<ColumnType> columns) {
  CsvOptions options;
  options.columns = std::move(columns);
  return options;
}

}  // namespace

TEST_CASE("Csv: types are inferred from all rows") {
  const Table t = parse_csv(
      "i,f,b,s,id,e,mixed\n"
      "1,1,true,x,007,,true\n"
      "-2,2.5,false,1,12,3,1\n"
      "9223372036854775807,1e-3,true,,5,4,true\n",
      "t");
  CHECK(types(t) == "table[3]{i:i64,f:f64,b:bool,s:string,id:string,e:f64,mixed:string}");
  CHECK(column<std::int64_t>(t, "i") == std::vector<std::int64_t>{1, -2, INT64_MAX});
  CHECK(column<double>(t, "f") == std::vector<double>{1, 2.5, 1e-3});
  CHECK(column<bool>(t, "b") == std::vector<bool>{true, false, true});
  CHECK(strings(t, "s") == std::vector<std::string>{"x", "1", ""});
  CHECK(strings(t, "id") == std::vector<std::string>{"007", "12", "5"});
  CHECK(std::isnan(column<double>(t, "e")[0]));
}

TEST_CASE("Csv: a type that the first thousand rows suggest is mended by a later one") {
  std::string text = "a,b,c,d\n";
  for (int i = 0; i < 3000; ++i) text += "1,2,3,true\n";
  text += "1.5,007,99999999999999999999,false\n2,2,3,maybe\n";
  const Table t = parse_csv(text, "t");
  CHECK(types(t) == "table[3002]{a:f64,b:string,c:string,d:string}");
  CHECK(column<double>(t, "a")[3000] == 1.5);
  CHECK(strings(t, "b")[0] == "2");
  CHECK(strings(t, "c")[3000] == "99999999999999999999");
}

TEST_CASE("Csv: integers that a double would change are not read as one") {
  CHECK(types(parse_csv("a\n1.5\n99999999999999999999\n", "t")) == "table[2]{a:string}");
  CHECK(types(parse_csv("a\n1.5\n1e20\n", "t")) == "table[2]{a:f64}");
}

TEST_CASE("Csv: quoting follows RFC 4180") {
  const Table t = parse_csv("\"a\",b\r\n\"x,\"\"y\"\"\",\"line 1\nline 2\"\r\n\"\",z\r\n", "t");
  CHECK(types(t) == "table[2]{a:string,b:string}");
  CHECK(strings(t, "a") == std::vector<std::string>{"x,\"y\"", ""});
  CHECK(strings(t, "b") == std::vector<std::string>{"line 1\nline 2", "z"});
  CHECK(failure("a,b\n\"x\"y,1\n") == "in.csv, line 2: text after a closing quote");
  CHECK(failure("a,b\nx\"y,1\n") == "in.csv, line 2: a quote inside a field that is not quoted");
  CHECK(failure("a,b\n1,2\n\"x,1\n") == "in.csv, line 3: a quoted field never ends");
  CHECK(failure("a,b\n\"x\"\r,1\n") == "in.csv, line 2: text after a closing quote");
}

TEST_CASE("Csv: line ends, a byte order mark, blank lines and a missing last line end") {
  CHECK(types(parse_csv("\xef\xbb\xbf"
                        "a,b\r\n1,2\r\n\r\n3,4",
                        "t")) == "table[2]{a:i64,b:i64}");
  CHECK(types(parse_csv("a,b\n", "t")) == "table[0]{a:string,b:string}");
  CHECK(types(parse_csv("a,b", "t")) == "table[0]{a:string,b:string}");
  const Table single = parse_csv("a\n1\n\n2\n", "t");  // a blank line is an empty field here
  CHECK(types(single) == "table[3]{a:f64}");
  CHECK(strings(parse_csv("a,b\nx,\n,y", "t"), "b") == std::vector<std::string>{"", "y"});
}

TEST_CASE("Csv: declared types are what comes out") {
  const auto options = declared({{"a", DType::kI8},
                                 {"b", DType::kF32},
                                 {"c", DType::kBool},
                                 {"d", DType::kString},
                                 {"e", DType::kU64}});
  const Table t =
      parse_csv("a,b,c,d,e\n -128 ,,1,5,+18446744073709551615\n007,inf,false,,0\n", "t", options);
  CHECK(types(t) == "table[2]{a:i8,b:f32,c:bool,d:string,e:u64}");
  CHECK(column<std::int8_t>(t, "a") == std::vector<std::int8_t>{-128, 7});
  CHECK(std::isnan(column<float>(t, "b")[0]));
  CHECK(column<float>(t, "b")[1] == std::numeric_limits<float>::infinity());
  CHECK(column<bool>(t, "c") == std::vector<bool>{true, false});
  CHECK(column<std::uint64_t>(t, "e")[0] == UINT64_MAX);
}

TEST_CASE("Csv: errors name line, column and type, never the cell") {
  const auto ints = declared({{"id", DType::kI64}, {"age", DType::kI8}});
  CHECK(failure("id,age\n1,2\n3,canary\n", ints) == "in.csv, line 3: column \"age\": expected i8");
  CHECK(failure("id,age\n\"1\",\"2\n\"\n", ints) == "in.csv, line 2: column \"age\": expected i8");
  CHECK(failure("id,age\n1,128\n", ints) == "in.csv, line 2: column \"age\": expected i8");
  CHECK(failure("id,age\n1,\n", ints) == "in.csv, line 2: column \"age\": expected i8");
  CHECK(failure("id,age\n1\n", ints) == "in.csv, line 2: expected 2 fields, found 1");
  CHECK(failure("id,age\n1,2,3\n", ints) == "in.csv, line 2: expected 2 fields, found 3");
  CHECK(failure("id\n1\n", ints) == "in.csv, line 1: expected 2 columns, found 1");
  CHECK(failure("canary,1\n1,2\n", ints) ==
        "in.csv, line 1: header, column 1: expected the name \"id\"");
  CHECK(failure("x,y\nok,\xff\xfe\n") == "in.csv, line 2: column \"y\": expected string in UTF-8");
  CHECK(failure("") ==
        "in.csv, line 1: expected a header line with the column names, found nothing");
  CHECK(failure("a,a\n1,2\n").find("column 2") != std::string::npos);
  CHECK(failure("a,\n1,2\n").find("column 2") != std::string::npos);
  for (const char* text :
       {"id,age\n1,canary\n", "canary,canary\n", "id,age\n\"canary\"x,1\n", "id,age\ncanary\n"}) {
    CHECK(failure(text, ints).find("canary") == std::string::npos);
  }
}

TEST_CASE("Csv: bad UTF-8 is refused, good is kept") {
  for (const char* bad : {"\x80", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                          "\xf0\x9f\x98", "\xe2\x82"}) {
    CHECK(failure(std::string("a\n") + bad + "\n") != "");
  }
  CHECK(strings(parse_csv("a\ngr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\n", "t"), "a")[0] ==
        "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
}

TEST_CASE("Csv: limits hold") {
  CsvOptions options;
  options.max_columns = 3;
  CHECK(failure("a,b,c\n", options) == "");
  CHECK(failure("a,b,c,d\n", options).find("more than 3 columns") != std::string::npos);
  options.max_line_bytes = 10;
  CHECK(failure("a,b\n12345,7890\n", options) == "");
  CHECK(failure("a,b\n12345,78901\n", options).find("longer than 10 bytes") != std::string::npos);
  CHECK(failure("a,b\n\"1\n2\n3\n4\n5\n6\",1\n", options).find("line 2: a record is longer") !=
        std::string::npos);
  options.max_bytes = 4;
  CHECK(failure("a,b\n1,2\n", options).find("expected at most 4 bytes") != std::string::npos);
}

TEST_CASE("Csv: what is written reads back as the same values") {
  std::mt19937_64 random(3);
  std::vector<double> doubles = {0.1, -0.0, 1e308, 5e-324, std::numeric_limits<double>::infinity(),
                                 -1};
  std::vector<float> floats = {0.1F, 3.4e38F, -0.0F, 1e-45F, 16777216.0F, 2};
  std::vector<std::int64_t> ints = {INT64_MIN, INT64_MAX, 0, -1, 5, 6};
  std::vector<std::string> texts = {"plain", "a,b", "say \"hi\"", "two\nlines", "", "cr\rlf\r\n"};
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t bits = random();
    double value;
    static_assert(sizeof(value) == sizeof(bits));
    __builtin_memcpy(&value, &bits, sizeof(value));
    doubles.push_back(std::isnan(value) ? 1 : value);
    floats.push_back(static_cast<float>(std::isnan(value) ? 1 : value));
    ints.push_back(static_cast<std::int64_t>(bits));
    texts.push_back(std::string(bits % 5, "x,\"\n "[bits % 6 % 5]));
  }
  const auto rows = static_cast<std::int64_t>(doubles.size());
  Table t;
  t.rows = rows;
  t.columns = {{"d", Tensor::of({rows}, doubles)},
               {"f", Tensor::of({rows}, floats)},
               {"i", Tensor::of({rows}, ints)},
               {"s", StringColumn::of(texts)}};
  const Table back = parse_csv(write_csv(t), "t", declared(t.type().columns));
  CHECK(types(back) == types(t));
  CHECK(column<double>(back, "d") == doubles);
  CHECK(std::signbit(column<double>(back, "d")[1]));
  CHECK(column<float>(back, "f") == floats);
  CHECK(column<std::int64_t>(back, "i") == ints);
  CHECK(strings(back, "s") == texts);
}

TEST_CASE("Csv: a table written as text") {
  Table t;
  t.rows = 2;
  t.columns = {{"b", Tensor::of({2}, std::span<const bool>(std::array{true, false}))},
               {"x", Tensor::of<double>({2}, std::vector<double>{1, -std::nan("")})},
               {"s", StringColumn::of({"a\"b", ""})}};
  CHECK(write_csv(t) == "b,x,s\ntrue,1.0,\"a\"\"b\"\nfalse,nan,\n");
  Table single;
  single.rows = 2;
  single.columns = {{"s", StringColumn::of({"", "x"})}};
  CHECK(write_csv(single) == "s\n\"\"\nx\n");
  CHECK(strings(parse_csv(write_csv(single), "t"), "s") == std::vector<std::string>{"", "x"});
}

TEST_CASE("Csv: random bytes never do more than throw") {
  std::mt19937_64 random(4);
  const std::string alphabet = "a1,.\"\n\r-e0 \xc3\xa9x";
  int parsed = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = "a,b\n";
    for (std::uint64_t n = random() % 30; n > 0; --n) text += alphabet[random() % alphabet.size()];
    try {
      const Table t = parse_csv(text, "t");
      CHECK(parse_csv(write_csv(t), "t", declared(t.type().columns)).rows == t.rows);
      ++parsed;
    } catch (const Error& error) {
      CHECK(error.code() == Code::kInvalid);
    }
  }
  CHECK(parsed > 100);
}

TEST_CASE("Csv: iris has the figures everybody knows") {
  const Table iris = read_csv(std::string(CURIA_DATA) + "/iris.csv");
  CHECK(types(iris) ==
        "table[150]{sepal_length_cm:f64,sepal_width_cm:f64,petal_length_cm:f64,petal_width_cm:f64,"
        "species:i64}");
  const double means[] = {5.8433, 3.0573, 3.7580, 1.1993};
  const double variances[] = {0.6811, 0.1887, 3.0955, 0.5771};
  for (std::size_t k = 0; k < 4; ++k) {
    double sum = 0, squares = 0;
    for (const double v : column<double>(iris, iris.columns[k].name)) {
      sum += v;
      squares += v * v;
    }
    CHECK(std::fabs(sum / 150 - means[k]) < 5e-5);
    CHECK(std::fabs(squares / 150 - sum / 150 * sum / 150 - variances[k]) < 5e-5);
  }
}

TEST_CASE("Csv: breast_cancer is all numbers, with 357 benign rows") {
  const Table t = read_csv(std::string(CURIA_DATA) + "/breast_cancer.csv");
  CHECK(t.rows == 569);
  REQUIRE(t.columns.size() == 31);
  for (std::size_t k = 0; k < 30; ++k) CHECK(t.columns[k].dtype() == DType::kF64);
  std::int64_t benign = 0;
  for (const std::int64_t v : column<std::int64_t>(t, "benign")) benign += v;
  CHECK(benign == 357);
}

TEST_CASE("Csv: files that cannot be read") {
  const auto code = [](const std::string& path) {
    try {
      read_csv(path);
    } catch (const Error& error) {
      return error.code();
    }
    return Code::kFailed;
  };
  CHECK(code("/nonexistent/x.csv") == Code::kNotFound);
  CHECK(code("/") == Code::kNotFound);
  CHECK(code("/dev/null") == Code::kNotFound);
}
