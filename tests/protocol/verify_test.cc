#include "protocol/verify.h"

#include <doctest/doctest.h>

#include "graphs.h"

using namespace curia;
using namespace curia::test;

namespace {

using Attrs = std::map<std::string, Attr>;

// What verify() says of a graph with one input, x = %0 of f64[4,3] at alice.
std::string refusal(const std::vector<Op>& ops, std::vector<GraphOutput> outputs = {},
                    const Limits& limits = {}) {
  try {
    verify(graph_of({{"x", type("f64[4,3] @alice")}}, ops, std::move(outputs)), limits);
  } catch (const Error& error) {
    CHECK(error.code() == Code::kInvalid);
    return error.what();
  }
  return "accepted";
}

Op op(std::string name, std::string device, std::vector<ValueId> operands = {}, Attrs attrs = {},
      std::vector<Region> regions = {}) {
  return {std::move(name),  std::move(device),  std::move(operands),
          std::move(attrs), std::move(regions), 7};
}

Attrs loop(std::int64_t carried, const char* key, std::int64_t times) {
  return {{"carried", carried}, {key, times}};
}

const Type kState = parse_type("f64[] @alice");
const Type kFlag = parse_type("bool[] @alice");

// A graph with a state and a flag at alice and one control op on them.
std::string control_refusal(Op control) {
  try {
    verify(graph_of({{"state", kState}, {"flag", kFlag}}, {std::move(control)}));
  } catch (const Error& error) {
    return error.message();
  }
  return "accepted";
}

Region doubling() {
  Ops body(1);
  const ValueId twice = body.add("add", "alice", {0, 0});
  return {{kState}, body.list, {twice}};
}

Region test_region() {
  Ops body(1);
  const ValueId zero = body.add("constant", "alice", {}, {{"value", Tensor::scalar(0.0)}});
  const ValueId more = body.add("gt", "alice", {0, zero});
  return {{kState}, body.list, {more}};
}

}  // namespace

TEST_CASE("verify: types, parties and numbers of a graph over two parties") {
  Ops ops(1);
  const ValueId s = ops.add("sum", "alice", {0}, {{"axes", ints({0})}});
  const ValueId t = ops.add("transfer", "bob", {s});
  const ValueId n = ops.add("neg", "bob", {t});
  const Graph graph = graph_of({{"x", type("f64[4,3] @alice")}}, ops.list, {{"n", n}});
  const Verified verified = verify(graph);
  CHECK(verified.body.types[s] == type("f64[3] @alice"));
  CHECK(verified.output_type(graph, 0) == type("f64[3] @bob"));
  CHECK(verified.parties == strings({"alice", "bob"}));
  CHECK(verified.body.ops[0].parties == strings({"alice"}));
  CHECK(verified.body.ops[1].parties == strings({"alice", "bob"}));
  CHECK(verified.body.ops[2].first_result == n);
  CHECK(verified.ops == 3);
  CHECK(verified.steps == 3);
  CHECK_FALSE(verified.random);
  CHECK(verified.bytes.at("alice") == 15 * 8);
  CHECK(verified.bytes.at("bob") == 6 * 8);
}

TEST_CASE("verify: op numbers are preorder, and a control op knows the parties inside") {
  Ops body(1);
  const ValueId there = body.add("transfer", "bob", {0});
  const ValueId back = body.add("transfer", "alice", {there});
  Ops ops(1);
  ops.add("neg", "alice", {0});
  ops.add("for", "alice", {0}, loop(1, "count", 10), {{{kState}, body.list, {back}}});
  ops.add("neg", "alice", {0});
  const Verified verified = verify(graph_of({{"x", kState}}, ops.list));
  CHECK(verified.body.ops[1].number == 1);
  CHECK(verified.body.ops[1].regions[0].ops[0].number == 2);
  CHECK(verified.body.ops[1].regions[0].ops[1].number == 3);
  CHECK(verified.body.ops[2].number == 4);
  CHECK(verified.body.ops[1].parties == strings({"alice", "bob"}));
  CHECK(verified.body.ops[1].regions[0].types[there] == type("f64[] @bob"));
  CHECK(verified.parties == strings({"alice", "bob"}));
  CHECK(verified.ops == 5);
  CHECK(verified.steps == 23);
}

TEST_CASE("verify: every refusal names the op and its source line") {
  CHECK(refusal({op("negg", "alice", {0})}) ==
        "INVALID at op \"negg\" (plan.cc:7): unknown op \"negg\"");
}

TEST_CASE("verify: wrong arity") {
  CHECK(refusal({op("add", "alice", {0})}) ==
        "INVALID at op add (plan.cc:7): expected 2 operands, found 1");
  CHECK(refusal({op("concat", "alice", {}, {{"axis", std::int64_t{0}}})}) ==
        "INVALID at op concat (plan.cc:7): expected 1 to 4096 operands, found 0");
  CHECK(refusal({op("neg", "alice", {0}, {}, {Region{}})}) ==
        "INVALID at op neg (plan.cc:7): expected 0 regions, found 1");
}

TEST_CASE("verify: missing, unknown and wrongly typed attributes") {
  CHECK(refusal({op("cast", "alice", {0})}) ==
        "INVALID at op cast (plan.cc:7): expected an attribute dtype, a string; found none");
  CHECK(refusal({op("neg", "alice", {0}, {{"axis", std::int64_t{0}}})}) ==
        "INVALID at op neg (plan.cc:7): there is no attribute \"axis\"; it takes overflow");
  CHECK(refusal({op("sum", "alice", {0}, {{"axis", std::int64_t{0}}})}) ==
        "INVALID at op sum (plan.cc:7): there is no attribute \"axis\"; it takes axes, keep_dims, "
        "overflow");
  CHECK(refusal({op("sum", "alice", {0}, {{"axes", std::int64_t{0}}})}) ==
        "INVALID at op sum (plan.cc:7): expected attribute axes to be a list of integers, found an "
        "integer");
}

TEST_CASE("verify: dtype and shape mismatch") {
  CHECK(
      refusal({op("matmul", "alice", {0, 0})}) ==
      "INVALID at op matmul (plan.cc:7): expected the last extent of operand 0 to equal the first "
      "of operand 1, found 3 and 4");
}

TEST_CASE("verify: undefined, later and cyclic values are told apart") {
  CHECK(
      refusal({op("neg", "alice", {9})}) ==
      "INVALID at op neg (plan.cc:7): operand 0 is %9, which is not defined: 2 values are visible "
      "here (a region sees its own parameters and results only)");
  CHECK(refusal({op("neg", "alice", {1})}) ==
        "INVALID at op neg (plan.cc:7): operand 0 is %1, a result of this very op: a cycle");
  CHECK(refusal({op("neg", "alice", {2}), op("exp", "alice", {1})}) ==
        "INVALID at op neg (plan.cc:7): operand 0 is %2, a result of op \"exp\", 1 op later: a "
        "cycle or a wrong order; an op can only use what is defined before it");
}

TEST_CASE("verify: a value of another party has to be moved first") {
  CHECK(refusal({op("neg", "bob", {0})}) ==
        "INVALID at op neg (plan.cc:7): operand 0 is f64[4,3] @alice, but the op runs at bob; move "
        "it first with transfer");
  CHECK(refusal({op("transfer", "alice", {0})}) ==
        "INVALID at op transfer (plan.cc:7): the operand is at alice already; leave the transfer "
        "out");
}

TEST_CASE("verify: bad and duplicate names of inputs, outputs, devices") {
  const Type x = type("f64[2] @alice");
  CHECK_THROWS_WITH_AS(verify(graph_of({{"x", x}, {"x", x}}, {})),
                       "INVALID: two inputs are called \"x\"", Error);
  CHECK_THROWS_AS(verify(graph_of({{"", x}}, {})), Error);
  CHECK_THROWS_AS(verify(graph_of({{"a b", x}}, {})), Error);
  CHECK_THROWS_AS(verify(graph_of({{"x", type("f64[2]")}}, {})), Error);
  CHECK(refusal({}, {{"o", 0}, {"o", 0}}) == "INVALID: two outputs are called \"o\"");
  CHECK(refusal({}, {{"o/", 0}}) != "accepted");
  CHECK(refusal({}, {{"o", 1}}) ==
        "INVALID: output \"o\" is %1, which is not defined: the graph has 1 value");
  CHECK(refusal({op("iota", "al ice", {}, {{"count", std::int64_t{1}}})}) != "accepted");
}

TEST_CASE("verify: a shape product that overflows or passes the limit") {
  const std::int64_t big = std::int64_t{1} << 32;
  const Op zeros = op("random", "alice", {},
                      {{"shape", ints({big, big})},
                       {"seed", std::int64_t{1}},
                       {"distribution", std::string("normal")},
                       {"dtype", std::string("f64")}});
  CHECK(refusal({zeros}).find("a shape has more than") != std::string::npos);
  Graph graph;
  graph.inputs.push_back({"x", Type{TensorType{DType::kF64, {big, big}}, "alice"}});
  CHECK_THROWS_AS(verify(graph), Error);
}

TEST_CASE("verify: a doubling broadcast, 64 times, passes the memory budget long before it runs") {
  Ops ops(1);
  ValueId x = 0;
  for (int i = 0; i < 64; ++i) x = ops.add("concat", "alice", {x, x}, {{"axis", std::int64_t{0}}});
  const std::string refused = refusal(ops.list);
  CHECK(refused.find("the values at alice would take") != std::string::npos);
  CHECK(refused.find("(plan.cc:") != std::string::npos);
}

TEST_CASE("verify: the memory budget is one of each party, and counts what loops need inside") {
  Ops ops(1);
  const ValueId moved = ops.add("transfer", "bob", {0});
  ops.add("neg", "bob", {moved});
  CHECK(refusal(ops.list, {}, {.max_bytes = 2 * 96}) == "accepted");
  CHECK(
      refusal(ops.list, {}, {.max_bytes = 2 * 96 - 1}).find("values at bob would take 192 bytes") !=
      std::string::npos);

  const Type wide = type("f64[4,3] @alice");
  Ops body(1);
  const ValueId a = body.add("neg", "alice", {0});
  const ValueId b = body.add("neg", "alice", {a});
  const Op control = op("for", "alice", {0}, loop(1, "count", 3), {{{wide}, body.list, {b}}});
  CHECK(refusal({control}, {}, {.max_bytes = 3 * 96}) == "accepted");
  CHECK(refusal({control}, {}, {.max_bytes = 3 * 96 - 1}) != "accepted");
}

TEST_CASE("verify: the step budget multiplies nested loops out") {
  Region inner = doubling();
  for (int i = 0; i < 3; ++i) {
    inner = Region{{kState}, {op("for", "alice", {0}, loop(1, "count", 2'000), {inner})}, {1}};
  }
  const std::string refused =
      control_refusal(op("for", "alice", {0}, loop(1, "count", 1), {inner}));
  CHECK(refused.find("more than the limit of 1000000000") != std::string::npos);
  // Overflow of the product itself, and a loop without ops.
  const Region huge{
      {kState}, {op("for", "alice", {0}, loop(1, "count", INT64_MAX), {doubling()})}, {1}};
  CHECK(control_refusal(op("for", "alice", {0}, loop(1, "count", INT64_MAX), {huge})) !=
        "accepted");
  CHECK(control_refusal(op("for", "alice", {0}, loop(1, "count", INT64_MAX),
                           {Region{{kState}, {}, {0}}})) != "accepted");
}

TEST_CASE("verify: regions nested too deep, too many ops, too many parties") {
  Region region{{kState}, {}, {0}};
  for (int i = 0; i < kMaxRegionDepth; ++i) {
    region = Region{{kState}, {op("for", "alice", {0}, loop(1, "count", 1), {region})}, {1}};
  }
  CHECK_NOTHROW(verify(graph_of({{"x", kState}}, region.ops)));
  CHECK_THROWS_WITH_AS(
      verify(graph_of({{"x", kState}}, {op("for", "alice", {0}, loop(1, "count", 1), {region})})),
      "INVALID: regions are nested deeper than 16", Error);

  const std::vector<Op> many(static_cast<std::size_t>(kMaxOps) + 1, op("neg", "alice", {0}));
  CHECK(refusal(many) == "INVALID: expected at most 100000 ops, found 100001");

  std::vector<Op> wide;
  for (int i = 0; i < kMaxParties; ++i) {
    wide.push_back(op("transfer", "p" + std::to_string(i), {0}));
  }
  CHECK(refusal(wide).find("expected at most 64 parties, \"p63\" is one more") !=
        std::string::npos);
}

TEST_CASE("verify: many ops on wide tables are refused before their types fill the memory") {
  TableType table{{}, 1};
  for (int i = 0; i < kMaxColumns; ++i) table.columns.push_back({"c" + std::to_string(i), {}});
  Ops ops(2);
  for (int i = 0; i < 10'000; ++i) ops.add("filter", "alice", {0, 1});
  CHECK_THROWS_WITH_AS(
      verify(graph_of({{"t", {table, "alice"}}, {"m", type("bool[1] @alice")}}, ops.list)),
      doctest::Contains("the types of all values together"), Error);
}

TEST_CASE("verify: loop_index stands anywhere inside the body of a for, and nowhere else") {
  const Region use{{}, {op("loop_index", "alice")}, {}};
  CHECK(control_refusal(op("for", "alice", {}, loop(0, "count", 3), {use})) == "accepted");
  const Op branch = op("cond", "alice", {0}, {}, {use, use});
  CHECK(control_refusal(op("for", "alice", {1}, loop(1, "count", 3), {{{kFlag}, {branch}, {0}}})) ==
        "accepted");
  CHECK(control_refusal(op("cond", "alice", {1}, {}, {use, use})) ==
        "expected inside the body of a for, found outside");
}

TEST_CASE("verify: cond wants a predicate, fitting parameters and equal branches") {
  const Region same{{kState}, {}, {0}};
  CHECK(control_refusal(op("cond", "alice", {1, 0}, {}, {same, doubling()})) == "accepted");
  CHECK(control_refusal(op("cond", "alice", {0, 0}, {}, {same, same})) ==
        "expected operand 0, the predicate, to be bool[] @alice, found f64[] @alice");
  CHECK(control_refusal(op("cond", "bob", {1, 0}, {}, {same, same})) ==
        "expected operand 0, the predicate, to be bool[] @bob, found bool[] @alice");
  CHECK(control_refusal(op("cond", "alice", {1, 0}, {}, {same, Region{{kState}, {}, {}}})) ==
        "expected both branches to give the same number of values, found 1 and 0");
  CHECK(
      control_refusal(op("cond", "alice", {1, 0, 1}, {},
                         {Region{{kState, kFlag}, {}, {0}}, Region{{kState, kFlag}, {}, {1}}})) ==
      "expected result 0 of both branches to have one type, found f64[] @alice and bool[] @alice");
  CHECK(control_refusal(op("cond", "alice", {1, 0}, {}, {same, Region{{kFlag}, {}, {0}}})) ==
        "expected parameter 0 of region else to be f64[] @alice as its operand, found bool[] "
        "@alice");
  CHECK(control_refusal(op("cond", "alice", {1, 0}, {}, {same, Region{{}, {}, {}}})) ==
        "expected region else to have a parameter for each of the 1 operands, found 0");
  CHECK(control_refusal(op("cond", "alice", {1, 0}, {}, {same, Region{{kState}, {}, {4}}})) ==
        "region else gives %4, which is not defined: it has 1 value");
}

TEST_CASE("verify: while wants a test of one bool, and carries values of unchanged types") {
  const auto loop_of = [](Attrs attrs, Region test, Region body) {
    return control_refusal(
        op("while", "alice", {0}, std::move(attrs), {std::move(test), std::move(body)}));
  };
  CHECK(loop_of(loop(1, "limit", 9), test_region(), doubling()) == "accepted");
  CHECK(loop_of(loop(0, "limit", 9), test_region(), Region{{kState}, {}, {}}) == "accepted");
  CHECK(loop_of(loop(1, "limit", 0), test_region(), doubling()).find("limit from 1") !=
        std::string::npos);
  CHECK(loop_of(loop(2, "limit", 9), test_region(), doubling()).find("carried from 0 to 1") !=
        std::string::npos);
  CHECK(loop_of(loop(1, "limit", 9), doubling(), doubling()) ==
        "expected the result of the test to be bool[] @alice, found f64[] @alice");
  CHECK(loop_of(loop(1, "limit", 9), Region{{kState}, {}, {}}, doubling()) ==
        "expected the test to give one value, found 0");
  CHECK(loop_of(loop(1, "limit", 9), test_region(), Region{{kState}, {}, {}}) ==
        "expected the body to give the 1 carried values, found 0");
  CHECK(loop_of(loop(1, "limit", 9), test_region(), test_region()) ==
        "expected result 0 of the body to be f64[] @alice as the value carried in, found bool[] "
        "@alice");
}

TEST_CASE("verify: the refusal of an op inside a region names that op") {
  Region bad = doubling();
  bad.ops[0].operands = {5, 0};
  CHECK_THROWS_WITH_AS(
      verify(graph_of({{"x", kState}}, {op("for", "alice", {0}, loop(1, "count", 2), {bad})})),
      doctest::Contains("at op add (plan.cc:1): operand 0 is %5"), Error);
}

TEST_CASE("verify: nonsense of every kind is refused or accepted, never worse") {
  Random random(21);
  for (int i = 0; i < 500; ++i) {
    try {
      verify(wild_graph(random));
    } catch (const Error& error) {
      CHECK(error.code() == Code::kInvalid);
    }
  }
}
