#include "protocol/graph_json.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "graphs.h"
#include "protocol/graph_bytes.h"
#include "protocol/graph_text.h"
#include "protocol/verify.h"

using namespace curia;
using namespace curia::test;

namespace {

constexpr const char* kMeans = R"({
  "name": "means",
  "inputs": [{"name": "x", "type": "f64[150,4] @alice"}],
  "ops": [
    {"op": "sum", "at": "alice", "in": ["x"], "out": ["s"], "axes": [0], "site": "src/means.cc:12"},
    {"op": "transfer", "at": "bob", "in": ["s"], "out": ["total"]}
  ],
  "outputs": {"total": "total"}
})";

std::string message(std::string_view json) {
  try {
    graph_from_json(json);
  } catch (const Error& error) {
    CHECK(error.code() == Code::kInvalid);
    return error.message();
  }
  return "accepted";
}

// The message for a graph of these ops, with an input x of f64[3] at alice.
std::string ops_message(const std::string& ops, const std::string& outputs = "{}") {
  return message(R"({"inputs": [{"name": "x", "type": "f64[3] @alice"}], "ops": [)" + ops +
                 R"(], "outputs": )" + outputs + "}");
}

}  // namespace

TEST_CASE("Graph JSON: a program written by hand is read, verified and printed") {
  const Graph graph = graph_from_json(kMeans);
  const Verified verified = verify(graph);
  CHECK(verified.output_type(graph, 0) == type("f64[4] @bob"));
  CHECK(graph_to_text(graph, &verified) ==
        "graph means\n"
        "  input x = %0 : f64[150,4] @alice\n"
        "  %1 = sum(%0) @alice {axes=[0]} : f64[4] @alice   # means.cc:12\n"
        "  %2 = transfer(%1) @bob : f64[4] @bob\n"
        "  output total = %2\n");
}

TEST_CASE("Graph JSON: write then read gives the same canonical bytes, for random graphs") {
  Random random(11);
  for (int i = 0; i < 300; ++i) {
    const Graph graph = random_graph(random);
    const std::string json = graph_to_json(graph);
    CAPTURE(json);
    const Graph back = graph_from_json(json);
    CHECK(encode_graph(back) == encode_graph(graph));
    CHECK(graph_to_json(back) == json);
  }
}

TEST_CASE("Graph JSON: NaNs, infinities and the largest integers come back bit for bit") {
  const auto inf = std::numeric_limits<double>::infinity();
  const auto nan = std::numeric_limits<double>::quiet_NaN();
  const auto signaling = std::numeric_limits<double>::signaling_NaN();
  Ops ops;
  ops.add("constant", "a", {},
          {{"value",
            Tensor::of<double>({6}, std::vector<double>{inf, -inf, nan, -nan, signaling, -0.0})}});
  ops.add("constant", "a", {},
          {{"value", Tensor::of<float>(
                         {2}, std::vector<float>{-std::numeric_limits<float>::infinity(), 0.1F})}});
  ops.add("constant", "a", {}, {{"value", Tensor::scalar(UINT64_MAX)}});
  ops.add("constant", "a", {}, {{"value", Tensor::scalar(INT64_MIN)}});
  const Graph graph = graph_of({}, ops.list);
  CHECK(encode_graph(graph_from_json(graph_to_json(graph))) == encode_graph(graph));
}

TEST_CASE("Graph JSON: errors name the place and what was expected there") {
  CHECK(message("[]") == "graph JSON: expected an object, found a list of 0");
  CHECK(message(R"({"ops": [], "outputs": {}, "color": 1})") ==
        "graph JSON: unknown field \"color\"; expected name, devices, inputs, ops, outputs");
  CHECK(message(R"({"ops": []})") == "graph JSON: expected a field \"outputs\", found none");
  CHECK(ops_message(R"({"op": "neg", "at": 3})") ==
        "graph JSON at ops[0].at: expected a string, found the number 3");
  CHECK(ops_message(R"({"op": "negg", "at": "alice"})") ==
        "graph JSON at ops[0].op: unknown op \"negg\"");
  CHECK(ops_message(R"({"op": "neg", "at": "alice", "in": ["x"], "out": ["y"], "axis": 0})") ==
        "graph JSON at ops[0]: unknown field \"axis\"; expected op, at, in, out, site, overflow");
  CHECK(ops_message(R"({"op": "iota", "at": "alice", "out": ["y"], "count": 1.5})") ==
        "graph JSON at ops[0].count: expected an integer of 64 bits, found the number 1.5");
  CHECK(
      ops_message(R"({"op": "sum", "at": "alice", "in": ["x"], "out": ["y"], "axes": [0, "a"]})") ==
      "graph JSON at ops[0].axes[1]: expected an integer of 64 bits, found \"a\"");
  CHECK(ops_message(R"({"op": "neg", "at": "alice", "in": ["x"]})") ==
        "graph JSON at ops[0].out: expected a name for each of the 1 results of neg, found 0");
  CHECK(
      message(R"({"inputs": [{"name": "x", "type": "f65[3]"}], "ops": [], "outputs": {}})") ==
      "graph JSON at inputs[0].type: unknown dtype \"f65\"; expected bool, i8..i64, u8..u64, f32, "
      "f64 or string");
  CHECK(ops_message(R"({"op": "constant", "at": "a", "out": ["c"],
                        "value": {"type": "u8[2]", "data": [1, 256]}})") ==
        "graph JSON at ops[0].value.data[1]: expected an integer in the range of the dtype, found "
        "a number");
  CHECK(ops_message(R"({"op": "constant", "at": "a", "out": ["c"],
                        "value": {"type": "u8[2]", "data": [1]}})") ==
        "graph JSON at ops[0].value.data: expected the elements of u8[2], found a list of 1");
}

TEST_CASE("Graph JSON: undefined, duplicate, later and cyclic values are told apart") {
  const std::string neg_y = R"({"op": "neg", "at": "alice", "in": ["y"], "out": ["z"]})";
  CHECK(ops_message(neg_y) == "graph JSON at ops[0].in[0]: the value \"y\" is not defined");
  CHECK(
      ops_message(neg_y + "," + R"({"op": "neg", "at": "alice", "in": ["z"], "out": ["y"]})") ==
      "graph JSON at ops[0].in[0]: the value \"y\" is defined later, by ops[1]: a cycle or a wrong "
      "order; an op can only use what is defined before it");
  CHECK(ops_message(R"({"op": "neg", "at": "alice", "in": ["y"], "out": ["y"]})") ==
        "graph JSON at ops[0].in[0]: the value \"y\" is a result of this very op: a cycle");
  CHECK(ops_message(R"({"op": "neg", "at": "alice", "in": ["x"], "out": ["x"]})") ==
        "graph JSON at ops[0].out[0]: the value \"x\" is defined twice");
  CHECK(ops_message("", R"({"o": "y"})") ==
        "graph JSON at outputs.o: the value \"y\" is not defined");
  CHECK(
      ops_message(R"({"op": "for", "at": "alice", "carried": 0, "count": 1, "body": {
                        "ops": [{"op": "neg", "at": "alice", "in": ["x"], "out": ["y"]}],
                        "results": []}})") ==
      "graph JSON at ops[0].body.ops[0].in[0]: the value \"x\" is defined outside the region; pass "
      "it to the op in \"in\" and name a parameter for it");
}

TEST_CASE("Graph JSON: what nlohmann would let through is refused") {
  CHECK(message(R"({"ops": [], "ops": [], "outputs": {}})") ==
        "graph JSON: the field \"ops\" stands twice in one object");
  CHECK(message(std::string(100'000, '[')) == "graph JSON: nested deeper than 64");
  CHECK(message(std::string(static_cast<std::size_t>(kMaxJsonBytes) + 1, ' ')) ==
        "graph JSON: expected at most 4194304 bytes, found 4194305");
  CHECK(message("{\"ops\": ") ==
        "graph JSON: not JSON: expected a value, ',' or a closing bracket at byte 9");
  CHECK(message(R"({"name": 1e999})").starts_with("graph JSON: not JSON"));
  CHECK(message("") != "accepted");
  CHECK(message("{} x") != "accepted");
  CHECK(message("{\"name\": \"\xff\"}") != "accepted");
}

TEST_CASE(
    "Graph JSON: no message repeats an element of a constant or the text of a broken document") {
  CHECK(message("{\"name\": \"cell 4711").find("4711") == std::string::npos);
  for (const char* type : {"bool[1]", "i8[1]", "u64[1]", "f32[1]", "f64[1]", "i64[]"}) {
    for (const char* data : {"[\"4711\"]", "[-4711]", "[4711.5]", "[4711e300, 4711]", "[[4711]]"}) {
      const std::string said = ops_message(
          std::string(R"({"op": "constant", "at": "a", "out": ["c"], "value": {"type": ")") + type +
          R"(", "data": )" + data + "}}");
      CHECK(said.find("4711") == std::string::npos);
    }
  }
}

TEST_CASE("Graph text: any graph prints, however wrong") {
  Random random(12);
  for (int i = 0; i < 200; ++i) {
    const std::string text = graph_to_text(wild_graph(random));
    CHECK(text.starts_with("graph "));
    CHECK(std::ranges::all_of(text, [](char c) { return (c >= 0x20 && c < 0x7f) || c == '\n'; }));
  }
}
