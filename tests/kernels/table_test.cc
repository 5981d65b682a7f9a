#include <algorithm>
#include <cmath>
#include <functional>
#include <tuple>

#include "tests/kernels/support.h"

using namespace curia;
using namespace curia::test;

namespace {

using Strings = std::vector<std::string>;

Column numbers(const std::string& name, DType dtype, const std::vector<Real>& from) {
  return {name, vec(dtype, from)};
}

Column text(const std::string& name, const Strings& rows) { return {name, StringColumn::of(rows)}; }

Table table(std::vector<Column> columns) {
  Table result;
  result.rows = columns.empty() ? 0 : columns[0].rows();
  result.columns = std::move(columns);
  return result;
}

// Cells as text, a row a string.
Strings rows_of(const Table& from) {
  Strings rows;
  for (std::int64_t i = 0; i < from.rows; ++i) {
    std::string row;
    for (const Column& column : from.columns) {
      if (const auto* tensor = std::get_if<Tensor>(&column.data)) {
        std::string cell = std::to_string(static_cast<double>(at(*tensor, i)));
        cell.erase(cell.find_last_not_of('0') + 1);
        if (cell.back() == '.') cell.pop_back();
        row += cell + "|";
      } else {
        row += std::string(std::get<StringColumn>(column.data).at(i)) + "|";
      }
    }
    rows.push_back(row);
  }
  return rows;
}

std::string header(const Table& from) { return type_text(from.type()); }

const Table& people() {
  static const Table known =
      table({numbers("id", DType::kI64, {3, 1, 2, 1}), text("city", {"oslo", "", "rome", "oslo"}),
             numbers("age", DType::kF64, {30, 10.5L, 20, 11})});
  return known;
}

}  // namespace

TEST_CASE("Table: select, column, with_column, make_table") {
  CHECK(header(run_table("table_select", {people()}, {{"columns", Strings{"age", "id"}}})) ==
        "table[4]{age:f64,id:i64}");
  CHECK_THROWS_AS(run_table("table_select", {people()}, {{"columns", Strings{"nobody"}}}), Error);
  CHECK_THROWS_AS(run_table("table_select", {people()}, {{"columns", Strings{"id", "id"}}}), Error);
  check_vec(run("column", {people()}, {{"name", std::string("id")}}), DType::kI64, {3, 1, 2, 1});
  CHECK_THROWS_AS(run("column", {people()}, {{"name", std::string("city")}}), Error);

  const Tensor flags = vec(DType::kBool, {1, 0, 1, 0});
  CHECK(header(run_table("with_column", {people(), flags}, {{"name", std::string("flag")}})) ==
        "table[4]{id:i64,city:string,age:f64,flag:bool}");
  CHECK(header(run_table("with_column", {people(), flags}, {{"name", std::string("city")}})) ==
        "table[4]{id:i64,city:bool,age:f64}");
  CHECK_THROWS_AS(
      run_table("with_column", {people(), vec(DType::kI8, {1})}, {{"name", std::string("x")}}),
      Error);
  CHECK_THROWS_AS(run_table("with_column", {people(), flags}, {{"name", std::string("a,b")}}),
                  Error);

  CHECK(rows_of(run_table("make_table", {vec(DType::kI8, {1, 2}), vec(DType::kF32, {3, 4})},
                          {{"names", Strings{"a", "b"}}})) == Strings{"1|3|", "2|4|"});
  CHECK_THROWS_AS(run_table("make_table", {vec(DType::kI8, {1, 2}), vec(DType::kF32, {3})},
                            {{"names", Strings{"a", "b"}}}),
                  Error);
  CHECK_THROWS_AS(run_table("make_table", {vec(DType::kI8, {1})}, {{"names", Strings{"a", "b"}}}),
                  Error);
  CHECK_THROWS_AS(run_table("make_table", {Tensor::scalar(1.0)}, {{"names", Strings{"a"}}}), Error);
}

TEST_CASE("Table: filter keeps the marked rows in order") {
  CHECK(rows_of(run_table("filter", {people(), vec(DType::kBool, {1, 1, 0, 1})})) ==
        Strings{"3|oslo|30|", "1||10.5|", "1|oslo|11|"});
  const Table none = run_table("filter", {people(), vec(DType::kBool, {0, 0, 0, 0})});
  CHECK(none.rows == 0);
  CHECK(header(none) == "table[0]{id:i64,city:string,age:f64}");
  CHECK(run_table("filter", {none, vec(DType::kBool, {})}).rows == 0);
  CHECK_THROWS_AS(run_table("filter", {people(), vec(DType::kBool, {1})}), Error);
  CHECK_THROWS_AS(run_table("filter", {people(), vec(DType::kI8, {1, 1, 1, 1})}), Error);
}

TEST_CASE("Table: join keeps the left order, then the right order within a key") {
  const Table right = table(
      {text("city", {"rome", "oslo", "paris", "oslo"}), numbers("zip", DType::kI32, {5, 6, 7, 8})});
  const Table joined = run_table("join", {people(), right}, {{"on", Strings{"city"}}});
  CHECK(header(joined) == "table[5]{id:i64,city:string,age:f64,zip:i32}");
  CHECK(rows_of(joined) ==
        Strings{"3|oslo|30|6|", "3|oslo|30|8|", "2|rome|20|5|", "1|oslo|11|6|", "1|oslo|11|8|"});
  CHECK(run_table("join", {people(), table({text("city", {}), numbers("z", DType::kI8, {})})},
                  {{"on", Strings{"city"}}})
            .rows == 0);
}

TEST_CASE("Table: join on several keys does not mix their boundaries") {
  const Table a = table({text("x", {"ab", "a", ""}), text("y", {"c", "bc", "abc"}),
                         numbers("v", DType::kI8, {1, 2, 3})});
  const Table b = table({text("x", {"a", "abc", "ab"}), text("y", {"bc", "", "c"}),
                         numbers("w", DType::kI8, {4, 5, 6})});
  CHECK(rows_of(run_table("join", {a, b}, {{"on", Strings{"x", "y"}}})) ==
        Strings{"ab|c|1|6|", "a|bc|2|4|"});
}

TEST_CASE("Table: join refuses keys it cannot compare and names that would clash") {
  const auto join = [](const Table& a, const Table& b, const Strings& on) {
    return run_table("join", {a, b}, {{"on", on}});
  };
  const Table b = table({numbers("id", DType::kI32, {1}), numbers("age", DType::kF64, {1})});
  CHECK_THROWS_AS(join(people(), b, {"id"}), Error);
  CHECK_THROWS_AS(join(people(), b, {"age"}), Error);
  CHECK_THROWS_AS(join(people(), b, {"nobody"}), Error);
  CHECK_THROWS_AS(join(people(), b, {}), Error);
  CHECK_THROWS_AS(join(people(), people(), {"id"}), Error);
}

TEST_CASE("Table: join agrees with two nested loops on random keys") {
  for (const DType dtype : {DType::kBool, DType::kI8, DType::kU16, DType::kI64}) {
    std::vector<Real> left, right, left_row, right_row;
    std::mt19937_64 random(8);
    for (int i = 0; i < 300; ++i) {
      left.push_back(dtype == DType::kBool ? random() % 2 : random() % 100);
      left_row.push_back(i);
    }
    for (int i = 0; i < 200; ++i) {
      right.push_back(dtype == DType::kBool ? random() % 2 : random() % 100);
      right_row.push_back(i);
    }
    Strings wanted;
    for (std::size_t i = 0; i < left.size(); ++i) {
      for (std::size_t j = 0; j < right.size(); ++j) {
        if (left[i] == right[j]) {
          wanted.push_back(std::to_string(static_cast<int>(left[i])) + "|" + std::to_string(i) +
                           "|" + std::to_string(j) + "|");
        }
      }
    }
    const Table a = table({numbers("k", dtype, left), numbers("i", DType::kI64, left_row)});
    const Table b = table({numbers("j", DType::kI64, right_row), numbers("k", dtype, right)});
    Table joined = run_table("join", {a, b}, {{"on", Strings{"k"}}});
    CHECK(joined.rows == static_cast<std::int64_t>(wanted.size()));
    std::int64_t wrong = 0;
    for (std::int64_t r = 0; r < joined.rows; ++r) {
      std::string row;
      for (const Column& column : joined.columns) {
        row +=
            std::to_string(static_cast<std::int64_t>(at(std::get<Tensor>(column.data), r))) + "|";
      }
      wrong += row != wanted[static_cast<std::size_t>(r)] ? 1 : 0;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("Table: group_by gives one row a key, sorted, with the aggregates asked for") {
  const Table grouped = run_table("group_by", {people()},
                                  {{"keys", Strings{"city"}},
                                   {"aggs", Strings{"sum:age:total", "count:city:n", "min:id:low",
                                                    "max:id:high", "mean:id:middle"}}});
  CHECK(header(grouped) == "table[3]{city:string,total:f64,n:i64,low:i64,high:i64,middle:f64}");
  CHECK(rows_of(grouped) == Strings{"|10.5|1|1|1|1|", "oslo|41|2|1|3|2|", "rome|20|1|2|2|2|"});
  CHECK(rows_of(run_table("group_by", {people()},
                          {{"keys", Strings{"id", "city"}}, {"aggs", Strings{"count:age:n"}}})) ==
        Strings{"1||1|", "1|oslo|1|", "2|rome|1|", "3|oslo|1|"});
  const Table none = run_table("filter", {people(), vec(DType::kBool, {0, 0, 0, 0})});
  CHECK(run_table("group_by", {none}, {{"keys", Strings{"id"}}, {"aggs", Strings{"min:age:m"}}})
            .rows == 0);
}

TEST_CASE("Table: group_by sums follow the rules of sum") {
  const Table t = table(
      {numbers("k", DType::kI8, {2, -1, 2, -1}), numbers("u", DType::kU8, {255, 1, 255, 1}),
       numbers("b", DType::kBool, {1, 0, 1, 1}), numbers("f", DType::kF32, {1e8L, kNan, 1, 2}),
       numbers("d", DType::kF64, {1e16L, 1, -1e16L, 2})});
  const Table grouped =
      run_table("group_by", {t},
                {{"keys", Strings{"k"}},
                 {"aggs", Strings{"sum:u:su", "sum:b:sb", "max:f:mf", "sum:d:sd", "min:b:mb"}}});
  CHECK(header(grouped) == "table[2]{k:i8,su:u64,sb:i64,mf:f32,sd:f64,mb:bool}");
  CHECK(rows_of(grouped)[1] == "2|510|2|100000000|0|1|");
  CHECK(std::isnan(at(std::get<Tensor>(grouped.column("mf").data), 0)));
  check_vec(std::get<Tensor>(grouped.column("sb").data), DType::kI64, {1, 2});
}

TEST_CASE("Table: group_by with many keys agrees with a map") {
  std::vector<Real> keys, amounts;
  std::map<std::int64_t, std::int64_t> wanted;
  std::mt19937_64 random(9);
  for (int i = 0; i < 50'000; ++i) {
    const auto key = static_cast<std::int64_t>(random() % 20'000) - 10'000;
    keys.push_back(key);
    amounts.push_back(i);
    wanted[key] += i;
  }
  const Table grouped = run_table(
      "group_by", {table({numbers("k", DType::kI64, keys), numbers("v", DType::kI64, amounts)})},
      {{"keys", Strings{"k"}}, {"aggs", Strings{"sum:v:s"}}});
  std::vector<Real> want_keys, want_sums;
  for (const auto& [key, total] : wanted) {
    want_keys.push_back(key);
    want_sums.push_back(total);
  }
  check_vec(std::get<Tensor>(grouped.column("k").data), DType::kI64, want_keys);
  check_vec(std::get<Tensor>(grouped.column("s").data), DType::kI64, want_sums);
}

TEST_CASE("Table: group_by refuses aggregates it does not understand") {
  for (const char* bad : {"sum:age", "sum:age:a:b", "median:age:m", "sum:city:s", "sum:nobody:s",
                          "sum:age:id", "", "sum:age:"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(
        run_table("group_by", {people()}, {{"keys", Strings{"id"}}, {"aggs", Strings{bad}}}),
        Error);
  }
  CHECK_THROWS_AS(
      run_table("group_by", {people()}, {{"keys", Strings{"age"}}, {"aggs", Strings{}}}), Error);
}

TEST_CASE("Table: to_tensor casts, lays out rows, pads and cuts") {
  const Attrs columns = {{"columns", Strings{"age", "id"}}, {"dtype", std::string("i32")}};
  check_equal(run("to_tensor", {people()}, columns), DType::kI32, {4, 2},
              {30, 3, 10, 1, 20, 2, 11, 1});
  Attrs padded = columns;
  padded["pad_to"] = std::int64_t{6};
  auto results = run_all("to_tensor", {people()}, padded);
  REQUIRE(results.size() == 2);
  check_equal(results[0]->tensor(), DType::kI32, {6, 2}, {30, 3, 10, 1, 20, 2, 11, 1, 0, 0, 0, 0});
  check_vec(results[1]->tensor(), DType::kBool, {1, 1, 1, 1, 0, 0});
  padded["pad_to"] = std::int64_t{3};
  results = run_all("to_tensor", {people()}, padded);
  check_equal(results[0]->tensor(), DType::kI32, {3, 2}, {30, 3, 10, 1, 20, 2});
  check_vec(results[1]->tensor(), DType::kBool, {1, 1, 1});
  padded["pad_to"] = std::int64_t{-1};
  CHECK_THROWS_AS(run_all("to_tensor", {people()}, padded), Error);
  CHECK_THROWS_AS(
      run("to_tensor", {people()}, {{"columns", Strings{"city"}}, {"dtype", std::string("f64")}}),
      Error);
  CHECK(
      run("to_tensor", {people()}, {{"columns", Strings{}}, {"dtype", std::string("f64")}}).shape ==
      Shape{4, 0});
}

TEST_CASE("Table: no cell value appears in an error") {
  const Table secret = table({text("name", {"canary"}), numbers("x", DType::kF64, {271828})});
  for (const auto& [op, attrs] : std::vector<std::pair<std::string, Attrs>>{
           {"column", {{"name", std::string("name")}}},
           {"to_tensor", {{"columns", Strings{"name"}}, {"dtype", std::string("f64")}}},
           {"group_by", {{"keys", Strings{"x"}}, {"aggs", Strings{}}}},
           {"group_by", {{"keys", Strings{"name"}}, {"aggs", Strings{"sum:name:s"}}}}}) {
    try {
      run_all(op, {secret}, attrs);
      FAIL_CHECK(op);
    } catch (const Error& error) {
      CHECK(std::string(error.what()).find("canary") == std::string::npos);
      CHECK(std::string(error.what()).find("271828") == std::string::npos);
    }
  }
}

TEST_CASE("Table: rows that depend on values are reserved, all of them, or not made") {
  const Table people = table({numbers("key", DType::kI64, {1, 2, 1, 2, 1}),
                              numbers("age", DType::kF64, {31, 32, 33, 34, 35}),
                              text("name", {"ann", "bob", "cyd", "dan", "a longer name"})});
  const Table visits =
      table({numbers("key", DType::kI64, {1, 1, 2}), text("at", {"x", "yy", "z"})});
  const Tensor adults = make(DType::kBool, {5}, {1, 0, 1, 1, 1});
  const std::vector<std::tuple<std::string, std::vector<Value>, Attrs>> cases = {
      {"filter", {people, adults}, {}},
      {"join", {people, visits}, {{"on", Strings{"key"}}}},
      {"group_by",
       {people},
       {{"keys", Strings{"name"}}, {"aggs", Strings{"sum:age:s", "count:age:n"}}}}};
  for (const auto& [name, operands, attrs] : cases) {
    INFO(name);
    Op op;
    op.name = name;
    op.attrs = attrs;
    std::vector<ValuePtr> values;
    for (const Value& operand : operands) values.push_back(std::make_shared<const Value>(operand));
    std::int64_t reserved = 0;
    std::function<void(std::int64_t)> reserver = [&](std::int64_t bytes) { reserved += bytes; };
    const auto run_with = [&] {
      return (*find_kernel(name))(
          {.op = op, .operands = values, .pool = &pool(), .reserver = &reserver});
    };
    const std::int64_t made = run_with().at(0)->bytes();
    CHECK(reserved >= made);
    std::int64_t left = made - 1;
    reserver = [&](std::int64_t bytes) {
      left -= bytes;
      if (left < 0) throw Error(Code::kQuota, "no more");
    };
    CHECK_THROWS_WITH_AS(run_with(), "QUOTA: no more", Error);
  }
}
