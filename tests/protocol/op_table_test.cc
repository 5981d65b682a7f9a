#include "protocol/op_table.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "graphs.h"
#include "protocol/verify.h"

using namespace curia;
using namespace curia::test;

namespace {

using Attrs = std::map<std::string, Attr>;

// The result types of one op at alice on these operands, or what is wrong with it.
std::string infer(const std::string& name, const std::vector<const char*>& operands,
                  Attrs attrs = {}) {
  Graph graph;
  Op op{name, "alice", {}, std::move(attrs), {}, 0};
  const bool release = find_op(name) != nullptr && find_op(name)->dp;
  for (const char* text : operands) {
    op.operands.push_back(static_cast<ValueId>(op.operands.size()));
    Type type = parse_type(text);
    type.device = "alice";
    const std::string operand = "x" + std::to_string(op.operands.back());
    if (release) {  // takes datasets only
      graph.ops.push_back({"dataset", "alice", {}, {{"name", operand}, {"type", type}}, {}, 0});
    } else {
      graph.inputs.push_back({operand, std::move(type)});
    }
  }
  graph.ops.push_back(std::move(op));
  try {
    const Verified verified = verify(graph);
    std::string text;
    for (std::size_t i = operands.size(); i < verified.body.types.size(); ++i) {
      Type type = verified.body.types[i];
      CHECK(type.device == "alice");
      type.device.clear();
      text += (text.empty() ? "" : " ") + type.str();
    }
    return text;
  } catch (const Error& error) {
    CHECK(error.code() == Code::kInvalid);
    CHECK(error.op() == name);
    return error.message();
  }
}

bool refused(const std::string& inferred, const std::string& part) {
  CAPTURE(inferred);
  const bool found = inferred.find(part) != std::string::npos;
  CHECK(found);
  return found;
}

std::int64_t i64(std::int64_t value) { return value; }
std::string str(const char* value) { return value; }

}  // namespace

TEST_CASE("Op table: sorted, without duplicates, and every attribute has a kind") {
  const auto table = op_table();
  CHECK(table.size() == 75);
  for (std::size_t i = 0; i < table.size(); ++i) {
    const OpSpec& spec = table[i];
    CAPTURE(spec.name);
    if (i > 0) CHECK(table[i - 1].name < spec.name);
    CHECK(find_op(spec.name) == &spec);
    CHECK(region_names(spec.name).size() == static_cast<std::size_t>(spec.regions));
    for (const auto* keys : {&spec.required_attrs, &spec.optional_attrs}) {
      for (const std::string_view key : *keys) CHECK(attr_kind(key).has_value());
    }
  }
  CHECK(find_op("") == nullptr);
  CHECK(find_op("adds") == nullptr);
  CHECK_FALSE(attr_kind("axe").has_value());
}

TEST_CASE("Op table: attribute access says what was expected and what was found") {
  const Op op{"iota", "alice", {}, {{"count", true}}, {}, 0};
  const OpContext context{op, {}, {}};
  CHECK_THROWS_WITH_AS(
      context.int_attr("count"),
      "INVALID: op iota: expected attribute count to be an integer, found a boolean", Error);
  CHECK_THROWS_WITH_AS(context.string_attr("uri"),
                       "INVALID: op iota: expected attribute uri to be a string, found none",
                       Error);
  CHECK(context.int_attr_or("limit", 4) == 4);
}

TEST_CASE("Op rules: sources") {
  CHECK(infer("iota", {}, {{"count", i64(5)}}) == "i64[5]");
  refused(infer("iota", {}, {{"count", i64(-1)}}), "found -1");
  CHECK(infer("dataset", {}, {{"name", str("iris")}, {"type", type("f64[4,2]")}}) == "f64[4,2]");
  CHECK(
      infer("dataset", {}, {{"name", str("iris")}, {"type", type("table[?]{a:string} @alice")}}) ==
      "table[?]{a:string}");
  refused(infer("dataset", {}, {{"name", str("iris")}, {"type", type("f64[4] @bob")}}), "on alice");
  refused(infer("dataset", {}, {{"name", str("a/b")}, {"type", type("f64[4]")}}), "character 1");
  CHECK(infer("load", {}, {{"uri", str("fs:///a")}, {"type", type("u8[2]")}}) == "u8[2]");
  CHECK_FALSE(infer("load", {}, {{"uri", str("fs:///../a")}, {"type", type("u8[2]")}}) == "u8[2]");
  CHECK(infer("save", {"f64[3]"}, {{"uri", str("fs:///a")}}) == "");
  refused(infer("loop_index", {}), "expected inside the body of a for");
}

TEST_CASE("Op rules: constants") {
  CHECK(infer("constant", {}, {{"value", Tensor::scalar(1.5)}}) == "f64[]");
  Tensor large{DType::kU8, {kMaxConstantBytes + 1}, {}};
  refused(infer("constant", {}, {{"value", large}}), "expected a constant of at most 65536 bytes");
  refused(infer("constant", {}, {{"value", Tensor{DType::kF64, {2}, {}}}}),
          "expected 16 bytes of data for a constant f64[2] @alice, found 0");
  refused(infer("constant", {}, {{"value", Tensor{DType::kF64, {kUnknown}, {}}}}),
          "unknown extent");
}

TEST_CASE("Op rules: random") {
  const Attrs good = {{"shape", ints({2, 3})},
                      {"seed", i64(7)},
                      {"distribution", str("normal")},
                      {"dtype", str("f32")}};
  CHECK(infer("random", {}, good) == "f32[2,3]");
  Attrs bad = good;
  bad["distribution"] = str("poisson");
  refused(infer("random", {}, bad), "\"uniform\" or \"normal\", found \"poisson\"");
  bad = good;
  bad["dtype"] = str("i64");
  refused(infer("random", {}, bad), "found \"i64\"");
  bad = good;
  bad["shape"] = ints({2, -1});
  refused(infer("random", {}, bad), "known extents");
}

TEST_CASE("Op rules: elementwise ops broadcast like numpy and promote nothing") {
  CHECK(infer("add", {"f64[4,1]", "f64[3]"}) == "f64[4,3]");
  CHECK(infer("mul", {"i8[]", "i8[2,2]"}) == "i8[2,2]");
  CHECK(infer("sub", {"f64[0]", "f64[1]"}) == "f64[0]");
  CHECK(infer("lt", {"f64[?]", "f64[]"}) == "bool[?]");
  CHECK(infer("eq", {"bool[2]", "bool[2]"}) == "bool[2]");
  CHECK(infer("add", {"f64[?]", "f64[?]"}) == "f64[?]");
  CHECK(infer("add", {"f64[?]", "f64[5]"}) == "f64[5]");
  CHECK(infer("add", {"f64[5]", "f64[?]"}) == "f64[5]");
  CHECK(infer("add", {"f64[1]", "f64[?]"}) == "f64[?]");
  refused(infer("add", {"f64[4,2]", "f64[3]"}),
          "shapes do not broadcast: f64[4,2] and f64[3] have 2 and 3 at dimension 1 from the back");
  refused(infer("add", {"f64[2]", "f32[2]"}), "cast one of them");
  refused(infer("add", {"bool[2]", "bool[2]"}), "expected operand 0 to hold numbers");
  refused(infer("add", {"table[2]{a:f64}", "f64[2]"}), "expected operand 0 to be a tensor");
  refused(infer("pow", {"i64[]", "i64[]"}), "floats");
  refused(infer("and", {"f64[]", "f64[]"}), "bool or integers");
  CHECK(infer("xor", {"u8[2]", "u8[1]"}) == "u8[2]");
  CHECK(infer("not", {"bool[2]"}) == "bool[2]");
  CHECK(infer("neg", {"i64[2]"}) == "i64[2]");
  refused(infer("exp", {"i64[2]"}), "cast it first");
  CHECK(infer("cast", {"bool[2]"}, {{"dtype", str("f32")}}) == "f32[2]");
  refused(infer("cast", {"f64[2]"}, {{"dtype", str("string")}}), "found string");
  CHECK(infer("select", {"bool[4,1]", "f64[3]", "f64[]"}) == "f64[4,3]");
  refused(infer("select", {"f64[3]", "f64[3]", "f64[3]"}), "the condition");
  refused(infer("select", {"bool[3]", "f64[3]", "i64[3]"}), "one dtype");
}

TEST_CASE("Op rules: matmul") {
  CHECK(infer("matmul", {"f64[2,3]", "f64[3,4]"}) == "f64[2,4]");
  CHECK(infer("matmul", {"i64[2,3]", "i64[3]"}) == "i64[2]");
  CHECK(infer("matmul", {"f64[3]", "f64[3,4]"}) == "f64[4]");
  CHECK(infer("matmul", {"f64[?,3]", "f64[3,4]"}) == "f64[?,4]");
  CHECK(infer("matmul", {"f64[2,?]", "f64[3,4]"}) == "f64[2,4]");
  refused(infer("matmul", {"f64[2,3]", "f64[4,3]"}), "found 3 and 4");
  CHECK(infer("matmul", {"f64[3]", "f64[3]"}) == "f64[]");
  refused(infer("matmul", {"f64[]", "f64[3]"}), "reshape first");
  refused(infer("matmul", {"f64[1,2,3]", "f64[3,4]"}), "reshape first");
  refused(infer("matmul", {"f64[2,3]", "f32[3,4]"}), "cast first");
}

TEST_CASE("Op rules: shape ops") {
  CHECK(infer("transpose", {"f64[2,3,4]"}) == "f64[4,3,2]");
  CHECK(infer("transpose", {"f64[2,3,4]"}, {{"perm", ints({1, 0, 2})}}) == "f64[3,2,4]");
  refused(infer("transpose", {"f64[2,3]"}, {{"perm", ints({1, 1})}}), "once");
  refused(infer("transpose", {"f64[2,3]"}, {{"perm", ints({0})}}), "once");
  CHECK(infer("reshape", {"f64[2,3]"}, {{"shape", ints({6})}}) == "f64[6]");
  refused(infer("reshape", {"f64[2,3]"}, {{"shape", ints({5})}}), "of 6 elements");
  refused(infer("reshape", {"f64[?,3]"}, {{"shape", ints({6})}}), "pad_to");
  refused(infer("reshape", {"f64[2,3]"}, {{"shape", ints({-1})}}), "known extents");
  CHECK(infer("broadcast", {"f64[3,1]"}, {{"shape", ints({2, 3, 4})}}) == "f64[2,3,4]");
  refused(infer("broadcast", {"f64[3]"}, {{"shape", ints({1})}}), "broadcasts to");
  refused(infer("broadcast", {"f64[?]"}, {{"shape", ints({4})}}), "pad_to");
  refused(infer("broadcast", {"f64[]"}, {{"shape", ints({1 << 30, 1 << 30})}}), "elements");
  CHECK(infer("concat", {"f64[2,3]", "f64[5,3]"}, {{"axis", i64(0)}}) == "f64[7,3]");
  CHECK(infer("concat", {"f64[?,3]", "f64[5,?]"}, {{"axis", i64(0)}}) == "f64[?,3]");
  refused(infer("concat", {"f64[2,3]", "f64[5,4]"}, {{"axis", i64(0)}}), "dimension 1");
  refused(infer("concat", {"f64[2,3]", "f64[3]"}, {{"axis", i64(0)}}), "rank");
  refused(infer("concat", {"f64[]"}, {{"axis", i64(0)}}), "at least one dimension");
  refused(infer("concat", {"f64[2]"}, {{"axis", i64(-1)}}), "counted from 0");
  CHECK(infer("slice", {"f64[10,4]"}, {{"starts", ints({2, 0})}, {"ends", ints({INT64_MAX, 2})}}) ==
        "f64[8,2]");
  CHECK(infer("slice", {"f64[10]"},
              {{"starts", ints({1})}, {"ends", ints({8})}, {"steps", ints({3})}}) == "f64[3]");
  CHECK(infer("slice", {"f64[?]"}, {{"starts", ints({0})}, {"ends", ints({5})}}) == "f64[?]");
  CHECK(infer("slice", {"f64[3]"}, {{"starts", ints({5})}, {"ends", ints({9})}}) == "f64[0]");
  CHECK(infer("slice", {"f64[7]"}, {{"starts", ints({-3})}, {"ends", ints({INT64_MAX})}}) ==
        "f64[3]");
  CHECK(infer("slice", {"f64[7]"}, {{"starts", ints({INT64_MIN})}, {"ends", ints({-1})}}) ==
        "f64[6]");
  CHECK(infer("slice", {"f64[3]"}, {{"starts", ints({2})}, {"ends", ints({1})}}) == "f64[0]");
  refused(infer("slice", {"f64[3]"},
                {{"starts", ints({0})}, {"ends", ints({1})}, {"steps", ints({0})}}),
          "a step of at least 1");
  refused(infer("slice", {"f64[3,3]"}, {{"starts", ints({0})}, {"ends", ints({1})}}), "each of");
  CHECK(infer("gather", {"f64[5,4]", "i64[7]"}, {{"axis", i64(1)}}) == "f64[5,7]");
  refused(infer("gather", {"f64[5]", "i32[7]"}, {{"axis", i64(0)}}), "i64[k]");
  refused(infer("gather", {"f64[0]", "i64[7]"}, {{"axis", i64(0)}}), "empty");
}

TEST_CASE("Op rules: reductions") {
  CHECK(infer("sum", {"f32[2,3]"}) == "f32[]");
  CHECK(infer("sum", {"i8[2,3]"}, {{"axes", ints({0})}}) == "i64[3]");
  CHECK(infer("sum", {"u8[2]"}) == "u64[]");
  CHECK(infer("sum", {"bool[?]"}) == "i64[]");
  CHECK(infer("sum", {"f64[0]"}) == "f64[]");
  CHECK(infer("mean", {"i64[2,3]"}, {{"axes", ints({1})}, {"keep_dims", true}}) == "f64[2,1]");
  CHECK(infer("mean", {"f32[2]"}) == "f32[]");
  refused(infer("mean", {"bool[2]"}), "cast it first");
  CHECK(infer("max", {"i8[2,3]"}, {{"axes", ints({1, 0})}}) == "i8[]");
  CHECK(infer("min", {"f64[?]"}) == "f64[]");
  refused(infer("min", {"f64[0,3]"}, {{"axes", ints({0})}}), "the min of nothing is not defined");
  CHECK(infer("min", {"f64[0,3]"}, {{"axes", ints({1})}}) == "f64[0]");
  refused(infer("sum", {"f64[3]"}, {{"axes", ints({1})}}), "found 1");
  refused(infer("sum", {"f64[3]"}, {{"axes", ints({0, 0})}}), "twice");
  refused(infer("sum", {"f64[3]"}, {{"axes", ints({})}}), "leave axes out");
  CHECK(infer("argmax", {"f64[2,3]"}, {{"axis", i64(1)}}) == "i64[2]");
  refused(infer("argmin", {"f64[2,0]"}, {{"axis", i64(1)}}), "the argmin of nothing");
  CHECK(infer("argsort", {"f64[2,3]"}, {{"axis", i64(0)}, {"descending", true}}) == "i64[2,3]");
}

TEST_CASE("Op rules: tables") {
  const char* t = "table[5]{id:string,age:i32,pay:f64,ok:bool}";
  CHECK(infer("table_select", {t}, {{"columns", strings({"pay", "id"})}}) ==
        "table[5]{pay:f64,id:string}");
  refused(infer("table_select", {t}, {{"columns", strings({"pey"})}}),
          "no column \"pey\" in table");
  refused(infer("table_select", {t}, {{"columns", strings({"id", "id"})}}), "stands twice");
  refused(infer("table_select", {t}, {{"columns", strings({})}}), "at least one name");
  refused(infer("table_select", {"f64[3]"}, {{"columns", strings({"a"})}}), "to be a table");
  CHECK(infer("filter", {"table[5]{a:u8}", "bool[?]"}) == "table[?]{a:u8}");
  refused(infer("filter", {"table[5]{a:u8}", "bool[4]"}), "found 5 and 4");
  refused(infer("filter", {"table[5]{a:u8}", "i64[5]"}), "bool[rows]");
  CHECK(infer("join", {t, "table[3]{id:string,city:string}"}, {{"on", strings({"id"})}}) ==
        "table[?]{id:string,age:i32,pay:f64,ok:bool,city:string}");
  refused(infer("join", {t, "table[3]{id:string,pay:f32}"}, {{"on", strings({"id"})}}),
          "both tables have a column \"pay\"");
  refused(infer("join", {t, "table[3]{pay:f64}"}, {{"on", strings({"pay"})}}), "found f64");
  refused(infer("join", {t, "table[3]{id:i64}"}, {{"on", strings({"id"})}}), "string and i64");
  CHECK(infer("group_by", {t},
              {{"keys", strings({"id"})},
               {"aggs", strings({"sum:age:a", "mean:age:b", "min:pay:c", "count:id:d", "sum:ok:e",
                                 "max:age:f"})}}) ==
        "table[?]{id:string,a:i64,b:f64,c:f64,d:i64,e:i64,f:i32}");
  refused(infer("group_by", {t}, {{"keys", strings({"pay"})}, {"aggs", strings({"sum:age:a"})}}),
          "the key \"pay\" to hold strings, integers or bool");
  const auto aggs = [&](const char* agg) {
    return infer("group_by", {t}, {{"keys", strings({"id"})}, {"aggs", strings({agg})}});
  };
  refused(aggs("sum:age"), "function:column:name");
  refused(aggs("sum"), "function:column:name");
  refused(aggs("sum:id:x"), "holds strings");
  refused(aggs("median:age:x"), "sum, mean, min, max, count");
  refused(aggs("max:ok:x"), "bool");
  refused(aggs("sum:age:id"), "two columns");
  CHECK(infer("to_tensor", {t}, {{"columns", strings({"age", "pay"})}, {"dtype", str("f64")}}) ==
        "f64[5,2]");
  CHECK(infer("to_tensor", {"table[?]{a:i8}"},
              {{"columns", strings({"a"})}, {"dtype", str("f64")}, {"pad_to", i64(9)}}) ==
        "f64[9,1] bool[9]");
  refused(infer("to_tensor", {t},
                {{"columns", strings({"age"})}, {"dtype", str("f64")}, {"pad_to", i64(4)}}),
          "at least the 5 rows");
  refused(infer("to_tensor", {t}, {{"columns", strings({"id"})}, {"dtype", str("f64")}}),
          "holds strings");
  CHECK(infer("column", {t}, {{"name", str("age")}}) == "i32[5]");
  refused(infer("column", {t}, {{"name", str("id")}}), "holds strings");
  CHECK(infer("with_column", {"table[?]{a:i8}", "f64[4]"}, {{"name", str("b")}}) ==
        "table[4]{a:i8,b:f64}");
  CHECK(infer("with_column", {"table[4]{a:i8}", "f64[4]"}, {{"name", str("a")}}) ==
        "table[4]{a:f64}");
  refused(infer("with_column", {"table[4]{a:i8}", "f64[5]"}, {{"name", str("b")}}),
          "found 4 and 5");
  refused(infer("with_column", {"table[4]{a:i8}", "f64[4]"}, {{"name", str("b,")}}), "column name");
  CHECK(infer("make_table", {"f64[3]", "i8[?]"}, {{"names", strings({"a", "b"})}}) ==
        "table[3]{a:f64,b:i8}");
  refused(infer("make_table", {"f64[3]"}, {{"names", strings({"a", "b"})}}), "each of the 1");
  refused(infer("make_table", {"f64[3,1]"}, {{"names", strings({"a"})}}), "one dimension");
}

TEST_CASE("Op rules: each attribute of each op is refused in every kind but its own") {
  const std::vector<Attr> samples = {
      true, i64(1), 1.0, str("x"), ints({1}), strings({"x"}), Tensor::scalar(1.0), type("f64[2]")};
  for (const OpSpec& spec : op_table()) {
    for (const auto* keys : {&spec.required_attrs, &spec.optional_attrs}) {
      for (const std::string_view key : *keys) {
        for (const Attr& sample : samples) {
          if (kind_of(sample) == attr_kind(key)) continue;
          Graph graph;
          Op op{std::string(spec.name), "alice", {}, {{std::string(key), sample}}, {}, 0};
          op.regions.resize(static_cast<std::size_t>(spec.regions));
          for (int i = 0; i < spec.min_operands; ++i) {
            graph.inputs.push_back({"x" + std::to_string(i), type("f64[2] @alice")});
            op.operands.push_back(static_cast<ValueId>(i));
          }
          for (const std::string_view other : spec.required_attrs) {
            op.attrs.emplace(other, samples[static_cast<std::size_t>(attr_kind(other).value())]);
          }
          graph.ops.push_back(std::move(op));
          CAPTURE(spec.name);
          CHECK_THROWS_WITH_AS(
              verify(graph), doctest::Contains(("expected attribute " + std::string(key)).c_str()),
              Error);
        }
      }
    }
  }
}
