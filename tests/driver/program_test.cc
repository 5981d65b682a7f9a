#include "driver/program.h"

#include <doctest/doctest.h>

#include "driver/session.h"
#include "protocol/graph_text.h"
#include "protocol/verify.h"
#include "tests/support/errors.h"

using namespace curia;

namespace {

Array table_at(Program& program, const std::string& party) {
  return program.dataset({"people", parse_type("table[10]{id:string,age:i64,pay:f64} @" + party)});
}

Array vector_at(Program& program, const std::string& party, const std::string& type = "f64[4]") {
  return program.input("v" + party + std::to_string(program.graph().inputs.size()),
                       parse_type(type + " @" + party));
}

// The error is of this very file, at this line, and says all of `words`.
void check_error(const Error& error, int line, const std::string& op,
                 const std::vector<std::string>& words) {
  INFO(error.what());
  CHECK(error.code() == Code::kInvalid);
  CHECK(error.op() == op);
  CHECK(error.site().str() == "program_test.cc:" + std::to_string(line));
  for (const std::string& word : words) {
    CHECK_MESSAGE(error.message().find(word) != std::string::npos, word);
  }
}

std::vector<std::string> op_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const Op& op : graph.ops) names.push_back(op.name);
  return names;
}

}  // namespace

TEST_CASE("Program: operands at two parties are an error that names both, and the line") {
  Program program("p");
  const Array a = vector_at(program, "alice");
  const Array b = vector_at(program, "bob");
  const Error error = error_of([&] { a + b; });
  check_error(error, __LINE__ - 1, "add", {"at bob", "at alice", ".to(\"alice\")"});
  const Error product = error_of([&] { matmul(a, b); });
  check_error(product, __LINE__ - 1, "matmul", {"at bob", "at alice"});
}

TEST_CASE("Program: dtypes and shapes that do not fit are an error at the line") {
  Program program("p");
  const Array a = vector_at(program, "alice");
  const Array ints = vector_at(program, "alice", "i64[4]");
  const Array five = vector_at(program, "alice", "f64[5]");
  check_error(error_of([&] { a* ints; }), __LINE__, "mul", {"f64", "i64"});
  check_error(error_of([&] { a - five; }), __LINE__, "sub", {"4", "5"});
  check_error(error_of([&] { exp(ints); }), __LINE__, "exp", {"i64"});
  check_error(error_of([&] { sum(a, {1}); }), __LINE__, "sum", {"1"});
  check_error(error_of([&] { sum(a, {-2}); }), __LINE__, "sum", {"-1"});
  check_error(error_of([&] { a.reshape({3}); }), __LINE__, "reshape", {"3"});
  check_error(error_of([&] { -table_at(program, "alice"); }), __LINE__, "neg", {"table"});
  check_error(error_of([&] { table_at(program, "alice") + 1; }), __LINE__, "add", {"table"});
  check_error(error_of([&] { table_at(program, "alice").column("wage"); }), __LINE__, "column",
              {"wage"});
}

TEST_CASE("Program: numbers may stand on both sides, and take the dtype of the other") {
  Program program("p");
  const Array floats = vector_at(program, "alice");
  const Array ints = vector_at(program, "alice", "i64[4]");
  const Array bytes = vector_at(program, "alice", "u8[4]");
  CHECK((floats * 2).type() == floats.type());
  CHECK((2 * floats).type() == floats.type());
  CHECK((1 - ints).type() == ints.type());
  CHECK((ints - 1).type() == ints.type());
  CHECK((bytes / std::size_t{3}).type() == bytes.type());
  CHECK((0.5 < floats).type().str() == "bool[4] @alice");
  CHECK((floats > 0.5f).type().str() == "bool[4] @alice");
  CHECK((!(ints == 3)).type().str() == "bool[4] @alice");
  check_error(error_of([&] { ints * 0.5; }), __LINE__, "mul", {"fraction", "i64"});
  check_error(error_of([&] { 0.5 * ints; }), __LINE__, "mul", {"fraction", "i64"});
  check_error(error_of([&] { bytes + 256; }), __LINE__, "add", {"out of range", "u8"});
  check_error(error_of([&] { bytes + -1; }), __LINE__, "add", {"out of range", "u8"});
}

TEST_CASE("Program: a whole number beyond 2^53 was rounded on its way through a double") {
  Program program("p");
  const std::int64_t large = (std::int64_t{1} << 53) + 1;
  program.output("sum", vector_at(program, "alice", "i64[4]") + large);
  const Graph graph = program.graph();
  const auto& value = std::get<Tensor>(graph.ops[0].attrs.at("value"));
  CHECK(value.as<std::int64_t>()[0] == large);
}

TEST_CASE("Program: negative axes count from the end") {
  Program program("p");
  const Array a = vector_at(program, "alice", "f64[2,3,5]");
  CHECK(sum(a, {-1}).type().tensor().shape == Shape{2, 3});
  CHECK(mean(a, {-3, -1}).type().tensor().shape == Shape{3});
  CHECK(argmax(a, -2).type().tensor().shape == Shape{2, 5});
  CHECK(argmin(a, -1).type().tensor().shape == Shape{2, 3});
  CHECK(argsort(a, -1).type().tensor().shape == Shape{2, 3, 5});
  CHECK(concat({a, a}, -1).type().tensor().shape == Shape{2, 3, 10});
  CHECK(gather(a, program.iota("alice", 4), -1).type().tensor().shape == Shape{2, 3, 4});
  CHECK(a.transpose({-1, 0, 1}).type().tensor().shape == Shape{5, 2, 3});
}

TEST_CASE("Program: an end of -1 lost the last of an unknown number of rows") {
  Program program("p");
  const Array table = table_at(program, "alice");
  const Array pay = table.filter(table.column("age") > 30).column("pay");
  program.output("pay", pay.slice({0}, {-1}));
  const Graph graph = program.graph();
  const auto& ends = std::get<std::vector<std::int64_t>>(graph.ops.back().attrs.at("ends"));
  CHECK(ends[0] == INT64_MAX);
}

TEST_CASE("Program: unary operators name the line of the caller") {
  Program program("p");
  check_error(error_of([&] { !vector_at(program, "alice"); }), __LINE__, "not", {"f64"});
}

TEST_CASE("Program: dead code is left out, also inside of loops, with what only it used") {
  Program program("p");
  const Array a = vector_at(program, "alice");
  const Array unused = exp(a);
  const Array inner_only = log(a);
  const Arrays loop = for_loop(3, {a}, [&](const Arrays& state, const Index& index) {
    const Array dead = (state[0] + inner_only).to("bob");
    index("alice");
    return Arrays{state[0] * 2};
  });
  program.output("out", loop[0]);
  const Graph graph = program.graph();
  CHECK(op_names(graph) == std::vector<std::string>{"for"});
  CHECK(graph.ops[0].operands.size() == 1);
  CHECK(graph.ops[0].regions[0].ops.size() == 2);
  CHECK(verify(graph).parties == std::vector<std::string>{"alice"});
}

TEST_CASE("Program: a save inside of a branch whose results nobody used was left out") {
  Program program("p");
  const Array a = vector_at(program, "alice");
  cond(
      sum(a) > 0,
      [&] {
        program.save(a, Uri::parse("fs:///kept"));
        return Arrays{a};
      },
      [&] { return Arrays{-a}; });
  const Graph graph = program.graph();
  CHECK(graph.ops.back().name == "cond");
  verify(graph);
}

TEST_CASE("Program: values of the surrounding code may be used in nested loops and branches") {
  Program program("p");
  const Array a = vector_at(program, "alice");
  const Array b = exp(a);
  const Arrays out = for_loop(2, {a}, [&](const Arrays& outer, const Index&) {
    const Array c = outer[0] + b;
    return for_loop(3, {outer[0]}, [&](const Arrays& inner, const Index&) {
      return cond(
          sum(inner[0] + c) > 0, [&] { return Arrays{inner[0] + b + a}; },
          [&] { return Arrays{c}; });
    });
  });
  program.output("out", out[0]);
  verify(program.graph());
}

TEST_CASE("Program: a value used outside of the loop it was made in is an error") {
  Program program("p");
  const Array a = vector_at(program, "alice");
  Array leaked;
  const auto body = [&](const Arrays& state, const Index&) {
    leaked = state[0] + 1;
    return Arrays{leaked};
  };
  for_loop(2, {a}, body);
  check_error(error_of([&] { leaked + 1; }), __LINE__, "add", {"outside", "return it"});
  CHECK_THROWS_WITH_AS(program.output("out", leaked), doctest::Contains("outside"), Error);
  CHECK_THROWS_WITH_AS(program.save(leaked, Uri::parse("fs:///x")), doctest::Contains("outside"),
                       Error);
}

TEST_CASE("Program: a value of one loop was taken for one of a later loop at the same address") {
  Program program("p");
  const Array a = vector_at(program, "alice");
  for (int i = 0; i < 50; ++i) {
    Array leaked;
    for_loop(2, {a}, [&](const Arrays& state, const Index&) {
      leaked = state[0] + 1;
      return Arrays{leaked};
    });
    const auto again = [&](const Arrays& state, const Index&) { return Arrays{state[0] + leaked}; };
    CHECK_THROWS_WITH_AS(for_loop(2, {a}, again), doctest::Contains("outside"), Error);
  }
}

TEST_CASE("Program: arrays of two programs do not mix") {
  Program one("one");
  Program two("two");
  const Array a = vector_at(one, "alice");
  const Array b = vector_at(two, "alice");
  const std::string words = "another program";
  check_error(error_of([&] { a + b; }), __LINE__, "add", {words});
  CHECK_THROWS_WITH_AS(one.output("b", b), doctest::Contains("another program"), Error);
  CHECK_THROWS_WITH_AS(one.save(b, Uri::parse("fs:///x")), doctest::Contains("another program"),
                       Error);
  CHECK_THROWS_WITH_AS(for_loop(2, {a}, [&](const Arrays&, const Index&) { return Arrays{b}; }),
                       doctest::Contains("another program"), Error);
  CHECK_THROWS_WITH_AS(for_loop(2, {a, b}, [&](const Arrays& s, const Index&) { return s; }),
                       doctest::Contains("another program"), Error);
}

TEST_CASE("Program: an Array that came from no program says so") {
  CHECK_THROWS_WITH_AS(Array() + 1, doctest::Contains("came from no program"), Error);
  CHECK_THROWS_WITH_AS(for_loop(1, {}, nullptr), doctest::Contains("at least one value"), Error);
}

TEST_CASE("Program: bodies that give something else than they carry are refused at their line") {
  Program program("p");
  const Array a = vector_at(program, "alice");
  check_error(
      error_of([&] { for_loop(2, {a}, [&](const Arrays&, const Index&) { return Arrays{}; }); }),
      __LINE__ - 1, "for", {"expected as many values", "1", "0"});
  const auto total = [&](const Arrays& s, const Index&) { return Arrays{sum(s[0])}; };
  check_error(error_of([&] { for_loop(2, {a}, total); }), __LINE__, "for",
              {"value 0", "f64[4] @alice", "f64[] @alice"});
  const auto moved = [&](const Arrays& s, const Index&) { return Arrays{s[0].to("bob")}; };
  check_error(error_of([&] { for_loop(2, {a}, moved); }), __LINE__, "for", {"@alice", "@bob"});
  const auto yes = [&] { return Arrays{a}; };
  const auto no = [&] { return Arrays{sum(a)}; };
  check_error(error_of([&] { cond(sum(a) > 0, yes, no); }), __LINE__, "cond", {"other branch"});
}

TEST_CASE("Program: names are checked and not given twice") {
  CHECK_THROWS_AS(Program("no spaces"), Error);
  Program program("p");
  const Array a = vector_at(program, "alice");
  program.output("out", a);
  CHECK_THROWS_WITH_AS(program.output("out", a), doctest::Contains("two outputs \"out\""), Error);
  CHECK_THROWS_AS(program.output("", a), Error);
  program.input("x", parse_type("f64[] @alice"));
  CHECK_THROWS_WITH_AS(program.input("x", parse_type("f64[] @alice")),
                       doctest::Contains("two inputs \"x\""), Error);
  CHECK_THROWS_AS(program.op("no_such_op", "alice", {}, {}), Error);
}

TEST_CASE("Program: the same program has the same digest, wherever its lines stand") {
  const auto write = [](Program& program, bool elsewhere) {
    const Array a = vector_at(program, "alice");
    Array b;
    if (elsewhere) b = exp(a);
    if (!elsewhere) b = exp(a);
    const Arrays out = for_loop(3, {b}, [&](const Arrays& state, const Index& index) {
      return Arrays{state[0] + a + index("alice").cast(DType::kF64)};
    });
    program.output("out", out[0]);
    program.output("other", b.to("bob"));
  };
  Program one("p");
  Program two("p");
  write(one, false);
  write(two, true);
  const PreparedPtr first = prepare(one);
  CHECK(first->digest == prepare(one)->digest);
  CHECK(first->bytes == prepare(two)->bytes);
  CHECK(first->sites != prepare(two)->sites);
  Program renamed("q");
  write(renamed, false);
  CHECK(prepare(renamed)->digest != first->digest);
}

TEST_CASE("Program: every op remembers its line") {
  Program program("p");
  const Array a = vector_at(program, "alice");
  const int line = __LINE__ + 1;
  const Array b = exp(a);
  const Array c = b + 1;
  program.output("c", c);
  const Graph graph = program.graph();
  CHECK(graph.site_of(graph.ops[0]).str() == "program_test.cc:" + std::to_string(line));
  CHECK(graph.site_of(graph.ops.back()).str() == "program_test.cc:" + std::to_string(line + 1));
}
