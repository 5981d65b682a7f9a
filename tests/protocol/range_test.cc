// Ranges through a graph: what is refused, at which op and line, and what is only said.
#include "protocol/range.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <set>

#include "graphs.h"
#include "protocol/graph_bytes.h"
#include "protocol/graph_json.h"
#include "protocol/graph_text.h"
#include "protocol/range_rules.h"

using namespace curia;
using namespace curia::test;

namespace {

using Attrs = std::map<std::string, Attr>;

const SecureDevice kAbc = {"abc", "replicated3", {"alice", "bob", "carol"}};

Attrs with_range(Attrs attrs, double low, double high) {
  attrs["range"] = Ranges{{"", {low, high}}};
  return attrs;
}

// Secrets of alice, declared to be in a range, then one op on them. Line 2 n + 1 of plan.cc is the
// dataset of operand n, the line behind the last share the op.
struct Trial {
  Ops ops{0};
  std::vector<ValueId> ids = {};
  Attrs op_attrs = {};
  int fraction_bits = 18;
  std::string kind = "fixed";

  Trial& add(const std::string& type_text, double low, double high) {
    return share(with_range(
        {{"name", std::string("d") + std::to_string(ids.size())}, {"type", parse_type(type_text)}},
        low, high));
  }
  Trial& unknown(const std::string& type_text) {
    return share({{"name", std::string("u")}, {"type", parse_type(type_text)}});
  }
  Trial& share(Attrs attrs) {
    const ValueId clear = ops.add("dataset", "alice", {}, std::move(attrs));
    Attrs how = {{"kind", kind}};
    if (kind == "fixed") how["fraction_bits"] = std::int64_t{fraction_bits};
    ids.push_back(ops.add("share", "abc", {clear}, how));
    return *this;
  }
  Graph graph(const std::string& op) {
    const ValueId result = ops.add(op, "abc", ids, op_attrs);
    Graph graph = graph_of({}, ops.list, {{"out", result}});
    graph.devices = {kAbc};
    return graph;
  }
  // "accepted", or the error.
  std::string outcome(const std::string& op) {
    const Graph tried = graph(op);
    try {
      verify(tried);
    } catch (const Error& error) {
      CHECK(error.code() == Code::kInvalid);
      CHECK(error.op() == op);
      CHECK(error.site() == Site{"src/plan.cc", static_cast<std::int32_t>(tried.ops.size())});
      return error.message();
    }
    return "accepted";
  }
  std::vector<RangeNote> notes(const std::string& op) { return verify(graph(op)).range_notes; }
};

Trial one(const std::string& type, double low, double high) { return Trial{}.add(type, low, high); }
Trial two(const std::string& type, double low, double high) {
  return Trial{}.add(type, low, high).add(type, low, high);
}

bool has(const std::string& text, const std::string& part) {
  CAPTURE(text);
  const bool found = text.find(part) != std::string::npos;
  CHECK_MESSAGE(found, part);
  return found;
}

}  // namespace

TEST_CASE("Ranges: a variance over 10^8 rows is refused with its line, and passes when scaled") {
  const std::string text = one("f64[100000000]", 0, 1000).outcome("variance");
  has(text, "sums of 100000000 squares of distances from the mean");
  has(text, "2^43");
  has(text, "[0, 1000]");
  has(text, "fraction_bits");
  CHECK(one("f64[100000000]", 0, 100).outcome("variance") == "accepted");
  Trial coarse;
  coarse.fraction_bits = 12;
  CHECK(coarse.add("f64[100000000]", 0, 1000).outcome("variance") == "accepted");
  // Squares that are too large by themselves, over few rows.
  has(one("f64[10]", 0, 9000).outcome("variance"), "squares of distances");
}

TEST_CASE("Ranges: a sum of large products is refused with its line, and passes when scaled") {
  const std::string text = two("f64[1000000]", -10, 10).outcome("matmul");
  has(text, "sums of 1000000 products below 2^26");
  has(text, "found [-1e+08, 1e+08] from operands in [-10, 10] and [-10, 10]");
  has(text, "at most 17 fraction_bits");
  CHECK(two("f64[1000000]", -1, 1).outcome("matmul") == "accepted");
  Trial coarse;
  coarse.fraction_bits = 17;
  CHECK(coarse.add("f64[1000000]", -10, 10).add("f64[1000000]", -10, 10).outcome("matmul") ==
        "accepted");
  has(one("f64[1000000]", 0, 1e8).outcome("sum"), "sums of 1000000 numbers below 2^44");
  CHECK(one("f64[1000000]", 0, 1e7).outcome("sum") == "accepted");
  has(one("f64[1000000]", 0, 1e7).outcome("mean"), "below 2^43");
}

TEST_CASE("Ranges: the reciprocal of values near zero is refused with its line") {
  const std::string text = one("f64[4]", 0, 10).outcome("reciprocal");
  has(text, "at least 2^-16");
  has(text, "found [0, 10]");
  has(text, "keep it away from 0");
  has(one("f64[4]", -1, 1).outcome("reciprocal"), "keep it away from 0");
  CHECK(one("f64[4]", 0.001, 10).outcome("reciprocal") == "accepted");
  CHECK(one("f64[4]", -10, -0.001).outcome("reciprocal") == "accepted");
  has(one("f64[4]", 1, 1e8).outcome("reciprocal"), "below 2^26");
}

TEST_CASE("Ranges: every limit of OPS.md, just below and on it") {
  const double number = std::ldexp(1, 44), product = std::ldexp(1, 13);
  CHECK(two("f64[4]", -product + 1, product - 1).outcome("mul") == "accepted");
  has(two("f64[4]", -product, product).outcome("mul"), "products below 2^26");
  CHECK(two("f64[4]", 0, number / 2 - 1).outcome("add") == "accepted");
  has(two("f64[4]", 0, number / 2).outcome("add"), "sums below 2^44");
  has(two("f64[4]", -number / 2, number / 2).outcome("sub"), "differences below 2^44");
  CHECK(two("f64[4]", -number + 1, number - 1).outcome("lt") == "accepted");
  CHECK(one("f64[4]", 0, 13).outcome("exp") == "accepted");
  has(one("f64[4]", 0, 13.2).outcome("exp"), "below 13.1");
  CHECK(one("f64[4]", 0.00001, 6e7).outcome("log") == "accepted");
  has(one("f64[4]", 0, 1).outcome("log"), "more than 0");
  has(one("f64[4]", 1, 7e7).outcome("log"), "below 2^26");
  CHECK(one("f64[4]", 0, 6e7).outcome("sqrt") == "accepted");
  has(one("f64[4]", -0.1, 1).outcome("sqrt"), "at least 0");
  CHECK(one("f64[4]", -1e12, 1e12).outcome("sigmoid") == "accepted");
  Trial whole;
  whole.kind = "int";
  has(whole.add("i64[4]", 0, 4e9).add("i64[4]", 0, 4e9).outcome("mul"), "products below 2^62");
}

TEST_CASE("Ranges: a share of more than fits is refused; unknown ranges are said, not refused") {
  Trial trial;
  trial.add("f64[4]", 0, 2e13);
  Graph graph = trial.graph("neg");
  CHECK_THROWS_WITH_AS(verify(graph), doctest::Contains("expected cells below 2^44"), Error);
  Trial open;
  open.unknown("f64[4]").unknown("f64[4]");
  const std::vector<RangeNote> notes = open.notes("mul");
  REQUIRE(notes.size() == 3);
  CHECK(notes[0].op_name == "share");
  CHECK(notes[0].site == Site{"src/plan.cc", 2});
  has(notes[0].text, "cells beyond 2^44");
  CHECK(notes[2].op_name == "mul");
  has(notes[2].text, "unknown");
  CHECK_FALSE(notes[2].known);
  CHECK_FALSE(notes[2].refused);
  // The dtype alone tells enough.
  CHECK(Trial{}.unknown("i8[4]").unknown("i8[4]").notes("mul").empty());
  CHECK(Trial{}.unknown("bool[4]").notes("sum").empty());
  CHECK(Trial{}.unknown("f64[4]").notes("sigmoid").size() == 1);
}

TEST_CASE("Ranges: overflow \"warn\" accepts what is refused, as a warning, and is in the digest") {
  Trial trial = two("f64[4]", -1e6, 1e6);
  trial.op_attrs["overflow"] = std::string("warn");
  const std::vector<RangeNote> notes = trial.notes("mul");
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].known);
  CHECK_FALSE(notes[0].refused);
  has(notes[0].text, "products below 2^26");
  Trial other = two("f64[4]", -1e6, 1e6);
  other.op_attrs["overflow"] = std::string("ignore");
  has(other.outcome("mul"), "expected overflow \"warn\"");
}

TEST_CASE("Ranges: many unknown ranges do not hide what is accepted or refused") {
  Trial many = two("f64[4]", -1e6, 1e6);
  many.unknown("f64[4]");
  const ValueId unknown = many.ids[2];
  for (int i = 0; i < 300; ++i) many.ops.add("mul", "abc", {unknown, unknown});
  const auto with_product = [&](const Attrs& attrs) {
    Ops ops = many.ops;
    const ValueId result = ops.add("mul", "abc", {many.ids[0], many.ids[1]}, attrs);
    Graph graph = graph_of({}, ops.list, {{"out", result}});
    graph.devices = {kAbc};
    return graph;
  };
  const Graph accepted = with_product({{"overflow", std::string("warn")}});
  const std::vector<RangeNote> notes = verify(accepted).range_notes;
  CHECK(notes.size() == kMaxRangeNotes + 1);
  CHECK(notes.back().op == accepted.ops.size() - 1);
  CHECK(notes.back().known);
  CHECK_THROWS_WITH_AS(verify(with_product({})), doctest::Contains("products below 2^26"), Error);
}

namespace {

// The range of the last value of a graph on abc, where x is a secret that enters in [low, high].
Interval after(const std::function<ValueId(Ops&, ValueId)>& write, double low, double high) {
  Ops ops{1};
  const ValueId result = write(ops, 0);
  Graph graph = graph_of({{"x", parse_type("secret<fixed,18>[4] @abc"), {{"", {low, high}}}}},
                         ops.list, {{"out", result}});
  graph.devices = {kAbc};
  return analyze_ranges(graph, verify(graph)).outputs[0].all;
}

Attrs loop(std::int64_t count) { return {{"carried", std::int64_t{1}}, {"count", count}}; }

Region body(const std::function<ValueId(Ops&, ValueId)>& write) {
  Ops ops{1};
  const ValueId result = write(ops, 0);
  return {{parse_type("secret<fixed,18>[4] @abc")}, ops.list, {result}};
}

ValueId doubled(Ops& ops, ValueId x) { return ops.add("add", "abc", {x, x}); }

}  // namespace

TEST_CASE("Ranges: a loop of few rounds is followed exactly, a long one to what stays the same") {
  const auto many = [](std::int64_t count, auto step) {
    return after(
        [&](Ops& ops, ValueId x) { return ops.add("for", "abc", {x}, loop(count), {body(step)}); },
        -1, 1);
  };
  CHECK(many(0, doubled) == Interval{-1, 1});
  CHECK(many(10, doubled) == Interval{-1024, 1024});
  // Refused in the round that passes the limit, with the line inside the loop.
  CHECK_THROWS_WITH_AS(many(60, doubled), doctest::Contains("sums below 2^44"), Error);
  const auto halved = [](Ops& ops, ValueId x) {
    const ValueId no_less = ops.add("relu", "abc", {x});
    return ops.add("sigmoid", "abc", {no_less}, {{"pieces", std::int64_t{3}}});
  };
  CHECK(many(1'000'000, halved) == Interval{-1, 1});
  CHECK_FALSE(many(1'000'000, doubled).known());
}

TEST_CASE("Ranges: loops in loops take bounded work") {
  std::function<ValueId(Ops&, ValueId)> step = doubled;
  for (int depth = 0; depth < 12; ++depth) {
    step = [inner = step](Ops& ops, ValueId x) {
      return ops.add("for", "abc", {x}, loop(5), {body(inner)});
    };
  }
  CHECK_THROWS_WITH_AS(after(step, -1, 1), doctest::Contains("sums below"), Error);
  const auto held = [](Ops& ops, ValueId x) { return ops.add("relu", "abc", {x}); };
  step = held;
  for (int depth = 0; depth < 12; ++depth) {
    step = [inner = step](Ops& ops, ValueId x) {
      return ops.add("for", "abc", {x}, loop(5), {body(inner)});
    };
  }
  CHECK(after(step, -1, 1).low <= 0);
}

TEST_CASE("Ranges: branches are united, and a while may stop in any round") {
  Ops then(1), otherwise(1);
  const Type secret = parse_type("secret<fixed,18>[4] @abc");
  Region low{{secret}, then.list, {0}}, high{{secret}, {}, {}};
  high.results = {doubled(otherwise, 0)};
  high.ops = otherwise.list;
  Ops ops(2);
  const ValueId either = ops.add("cond", "alice", {1, 0}, {}, {low, high});
  Region test{{secret, type("bool[] @alice")}, {}, {1}};
  Ops again(2);
  const ValueId twice = doubled(again, 0);
  Region turn{{secret, type("bool[] @alice")}, again.list, {twice}};
  const ValueId end =
      ops.add("while", "alice", {either, 1},
              {{"carried", std::int64_t{1}}, {"limit", std::int64_t{3}}}, {test, turn});
  Graph graph = graph_of({{"x", secret, {{"", {1, 2}}}}, {"p", type("bool[] @alice")}}, ops.list,
                         {{"either", either}, {"end", end}});
  graph.devices = {kAbc};
  const RangeAnalysis found = analyze_ranges(graph, verify(graph));
  CHECK(found.outputs[0].all == Interval{1, 4});
  CHECK(found.outputs[1].all == Interval{1, 32});
}

TEST_CASE("Ranges: of tables by column, through the ops that pick and join them") {
  Ops ops;
  const ValueId table =
      ops.add("dataset", "alice", {},
              {{"name", std::string("people")},
               {"type", parse_type("table[5]{id:string,age:i64,pay:f64,kids:u8}")},
               {"range", Ranges{{"age", {0, 120}}, {"", {-1000, 5000.5}}}}});
  const ValueId age = ops.add("column", "alice", {table}, {{"name", std::string("age")}});
  const ValueId both = ops.add("to_tensor", "alice", {table},
                               {{"columns", strings({"age", "kids"})},
                                {"dtype", std::string("f64")},
                                {"pad_to", std::int64_t{8}}});
  const ValueId grouped =
      ops.add("group_by", "alice", {table},
              {{"keys", strings({"id"})}, {"aggs", strings({"sum:age:total", "count:id:n"})}});
  const ValueId total = ops.add("column", "alice", {grouped}, {{"name", std::string("total")}});
  const ValueId pay = ops.add("column", "alice", {table}, {{"name", std::string("pay")}});
  Graph graph =
      graph_of({}, ops.list, {{"age", age}, {"both", both}, {"total", total}, {"pay", pay}});
  const RangeAnalysis found = analyze_ranges(graph, verify(graph));
  CHECK(found.outputs[0].all == Interval{0, 120});
  CHECK(found.outputs[1].all == Interval{0, 255});
  CHECK(found.outputs[2].all == Interval{0, 600});
  CHECK(found.outputs[3].all == Interval{-1000, 5000.5});
}

TEST_CASE("Ranges: ones that are no ranges, or of no column, are refused") {
  const auto refusal = [](const char* declared, const Ranges& ranges) -> std::string {
    Ops ops;
    ops.add("dataset", "alice", {},
            {{"name", std::string("d")}, {"type", parse_type(declared)}, {"range", ranges}});
    try {
      verify(graph_of({}, ops.list));
    } catch (const Error& error) {
      CHECK(error.site() == Site{"src/plan.cc", 1});
      return error.message();
    }
    return "accepted";
  };
  CHECK(refusal("f64[4]", {{"", {0, 1}}}) == "accepted");
  has(refusal("f64[4]", {{"", {1, 0}}}), "the lower one first");
  has(refusal("f64[4]", {{"", {0, std::numeric_limits<double>::infinity()}}}), "finite");
  has(refusal("f64[4]", {{"", {std::nan(""), 1}}}), "finite");
  has(refusal("f64[4]", {{"age", {0, 1}}}), "only tables have columns");
  has(refusal("table[4]{id:string,age:i64}", {{"id", {0, 1}}}), "no column of numbers");
  has(refusal("table[4]{id:string,age:i64}", {{"pay", {0, 1}}}), "no column of numbers");
  CHECK(refusal("table[?]{age:i64}", {{"age", {0, 1}}}) == "accepted");
}

TEST_CASE("Ranges: are part of the digest, and of every form of a graph") {
  const auto graph_with = [](const Ranges& of_input, const Ranges& of_dataset) {
    Ops ops{1};
    Attrs attrs = {{"name", std::string("d")}, {"type", parse_type("table[4]{age:i64}")}};
    if (!of_dataset.empty()) attrs["range"] = of_dataset;
    ops.add("dataset", "alice", {}, attrs);
    Graph graph = graph_of({{"x", parse_type("f64[4] @alice"), of_input}}, ops.list);
    graph.sites.clear();
    for (Op& op : graph.ops) op.site = 0;
    return graph;
  };
  std::set<std::string> digests;
  for (const Ranges& of_input : {Ranges{}, Ranges{{"", {0, 1}}}, Ranges{{"", {0, 2}}}}) {
    for (const Ranges& of_dataset : {Ranges{}, Ranges{{"", {0, 1}}}, Ranges{{"age", {0, 1}}}}) {
      const Graph graph = graph_with(of_input, of_dataset);
      const std::string bytes = encode_graph(graph);
      CHECK(digests.insert(program_digest(bytes).hex()).second);
      CHECK(encode_graph(decode_graph(bytes)) == bytes);
      CHECK(encode_graph(graph_from_json(graph_to_json(graph))) == bytes);
    }
  }
  CHECK(has(graph_to_json(graph_with({{"", {0, 1}}}, {{"age", {0, 120}}})),
            "\"range\": {\"age\":[0.0,120.0]}"));
  CHECK(
      has(graph_to_text(graph_with({{"", {0, 1}}}, {{"age", {0, 120}}})), "range={age: [0, 120]}"));
  // A list of inputs with ranges that names none has no place in the one form of a graph.
  CHECK_THROWS_AS(decode_graph(encode_graph(graph_with({}, {})) + '\0'), Error);
}

TEST_CASE("Ranges: every op has a rule, plain and on secrets, where there is such an op") {
  for (const OpSpec& spec : op_table()) {
    INFO(spec.name);
    const bool control = spec.regions > 0;
    const bool only_secret = spec.only_device || spec.name == "share" || spec.name == "reveal";
    CHECK((ranges::find_rule(spec.name, false) != nullptr) == (!control && !only_secret));
    const bool secrets =
        spec.secrets != kNoSecrets || spec.name == "share" || spec.name == "reveal";
    CHECK((ranges::find_rule(spec.name, true) != nullptr) == secrets);
  }
}
