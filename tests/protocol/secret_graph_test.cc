// Secure devices in programs: what verify() accepts, infers and refuses, where data flows, and the
// forms of a graph.
#include <doctest/doctest.h>

#include "graphs.h"
#include "protocol/flow.h"
#include "protocol/graph_bytes.h"
#include "protocol/graph_json.h"
#include "protocol/graph_text.h"
#include "protocol/op_table.h"
#include "protocol/verify.h"

using namespace curia;
using namespace curia::test;

namespace {

using Attrs = std::map<std::string, Attr>;

const SecureDevice kAbc = {"abc", "replicated3", {"alice", "bob", "carol"}};

Graph secret_graph(std::vector<GraphInput> inputs, std::vector<Op> ops,
                   std::vector<GraphOutput> outputs = {}) {
  Graph graph = graph_of(std::move(inputs), std::move(ops), std::move(outputs));
  graph.devices = {kAbc};
  return graph;
}

std::string refusal(const Graph& graph) {
  try {
    verify(graph);
  } catch (const Error& error) {
    CHECK(error.code() == Code::kInvalid);
    return error.message();
  }
  return "accepted";
}

// The type of the one result of an op on abc: "secret<..." and "@abc" may be left out: operands
// that begin with '=' are public constants of that type.
std::string infer(const std::string& name, const std::vector<std::string>& operands,
                  Attrs attrs = {}) {
  std::vector<GraphInput> inputs;
  Ops ops;
  std::vector<ValueId> ids(operands.size());
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (operands[i][0] == '=') continue;
    ids[i] = static_cast<ValueId>(inputs.size());
    Type type = parse_type(operands[i]);
    type.device = "abc";
    inputs.push_back({"x" + std::to_string(i), type});
  }
  Ops body(inputs.size());
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (operands[i][0] != '=') continue;
    Tensor value{parse_type(operands[i].substr(1)).tensor().dtype,
                 parse_type(operands[i].substr(1)).tensor().shape,
                 {}};
    value.data =
        Slice::copy_of(std::string(static_cast<std::size_t>(byte_count(value.type())), '\0'));
    ids[i] = body.add("constant", "abc", {}, {{"value", value}});
  }
  const ValueId result = body.add(name, "abc", ids, std::move(attrs));
  try {
    const Verified verified = verify(secret_graph(inputs, body.list));
    CHECK(verified.body.types[result].device == "abc");
    Type type = verified.body.types[result];
    type.device.clear();
    return type.str();
  } catch (const Error& error) {
    CHECK(error.code() == Code::kInvalid);
    CHECK(error.op() == name);
    return error.message();
  }
}

bool has(const std::string& text, const std::string& part) {
  CAPTURE(text);
  const bool found = text.find(part) != std::string::npos;
  CHECK_MESSAGE(found, part);
  return found;
}

std::string share_type(const char* from, Attrs attrs = {}) {
  Ops ops(1);
  const ValueId s = ops.add("share", "abc", {0}, std::move(attrs));
  const Graph graph = secret_graph({{"x", type(from)}}, ops.list, {{"s", s}});
  try {
    return verify(graph).output_type(graph, 0).str();
  } catch (const Error& error) {
    return error.message();
  }
}

const std::string kF = "secret<fixed,18>";

}  // namespace

TEST_CASE("Secret graph: share and reveal infer kind, fraction bits and clear type") {
  CHECK(share_type("f64[4] @dan") == "secret<fixed,18>[4] @abc");
  CHECK(share_type("f32[4] @alice", {{"fraction_bits", std::int64_t{20}}}) ==
        "secret<fixed,20>[4] @abc");
  CHECK(share_type("u8[2,3] @alice") == "secret<int>[2,3] @abc");
  CHECK(share_type("i64[] @alice", {{"kind", std::string("fixed")}}) == "secret<fixed,18>[] @abc");
  CHECK(share_type("bool[5] @bob") == "secret<bool>[5] @abc");
  CHECK(share_type("bool[5] @bob", {{"kind", std::string("int")}}) == "secret<int>[5] @abc");
  has(share_type("f64[4] @alice", {{"kind", std::string("int")}}), "cast it first");
  has(share_type("i64[4] @alice", {{"kind", std::string("bool")}}), "compare it with 0 first");
  has(share_type("i64[4] @alice", {{"fraction_bits", std::int64_t{9}}}), "leave it out");
  has(share_type("f64[4] @alice", {{"fraction_bits", std::int64_t{31}}}), "from 1 to 30, found 31");
  has(share_type("f64[?] @alice"), "pad_to");
  has(share_type("table[3]{a:i64} @alice"), "expected operand 0 to be a tensor");
  has(share_type("secret<int>[4] @abc"), "on secure device abc already");
  has(share_type("f64[4] @alice", {{"kind", std::string("real")}}), "found \"real\"");

  for (const auto& [secret, clear] :
       std::vector<std::pair<const char*, const char*>>{{"secret<fixed,9>[2]", "f64[2] @dan"},
                                                        {"secret<int>[]", "i64[] @dan"},
                                                        {"secret<bool>[7]", "bool[7] @dan"}}) {
    Ops ops(1);
    const ValueId r = ops.add("reveal", "dan", {0});
    Type held = parse_type(secret);
    held.device = "abc";
    const Graph graph = secret_graph({{"s", held}}, ops.list, {{"r", r}});
    const Verified verified = verify(graph);
    CHECK(verified.output_type(graph, 0).str() == clear);
    CHECK(verified.parties == strings({"alice", "bob", "carol", "dan"}));
    CHECK(verified.body.ops[0].parties == verified.parties);
  }
}

TEST_CASE("Secret graph: what an op gives follows from its clear rule and the kinds") {
  CHECK(infer("add", {kF + "[4,3]", kF + "[3]"}) == kF + "[4,3]");
  CHECK(infer("mul", {kF + "[4]", "=f64[]"}) == kF + "[4]");
  CHECK(infer("mul", {"=i32[4]", kF + "[4]"}) == kF + "[4]");
  CHECK(infer("mul", {"secret<int>[4]", kF + "[4]"}) == kF + "[4]");
  CHECK(infer("matmul", {"secret<int>[4,2]", "=u8[2,5]"}) == "secret<int>[4,5]");
  CHECK(infer("lt", {kF + "[4]", kF + "[4]"}) == "secret<bool>[4]");
  CHECK(infer("eq", {"secret<bool>[4]", "=bool[]"}) == "secret<bool>[4]");
  CHECK(infer("and", {"secret<bool>[4]", "secret<bool>[4]"}) == "secret<bool>[4]");
  CHECK(infer("select", {"secret<bool>[4]", kF + "[4]", "=f64[]"}) == kF + "[4]");
  CHECK(infer("select", {"=bool[4]", "secret<int>[]", "secret<int>[]"}) == "secret<int>[4]");
  CHECK(infer("sum", {"secret<bool>[4,3]"}, {{"axes", ints({1})}}) == "secret<int>[4]");
  CHECK(infer("mean", {"secret<fixed,9>[4,3]"}) == "secret<fixed,9>[]");
  CHECK(infer("variance", {kF + "[4,3]"}, {{"axes", ints({0})}}) == kF + "[3]");
  CHECK(infer("argmax", {kF + "[4,3]"}, {{"axis", std::int64_t{1}}}) == "secret<int>[4]");
  CHECK(infer("cast", {"secret<bool>[4]"}, {{"dtype", std::string("i64")}}) == "secret<int>[4]");
  CHECK(infer("cast", {kF + "[4]"},
              {{"dtype", std::string("f64")}, {"fraction_bits", std::int64_t{9}}}) ==
        "secret<fixed,9>[4]");
  CHECK(infer("concat", {kF + "[2,3]", "=f64[1,3]"}, {{"axis", std::int64_t{0}}}) == kF + "[3,3]");
  CHECK(infer("gather", {kF + "[4]", "=i64[2]"}, {{"axis", std::int64_t{0}}}) == kF + "[2]");
  CHECK(infer("transpose", {"secret<bool>[4,3]"}) == "secret<bool>[3,4]");
  CHECK(infer("sort", {kF + "[4,2]"}, {{"key", std::int64_t{1}}}) == kF + "[4,2]");
  CHECK(infer("shuffle", {"secret<int>[4,2]"}) == "secret<int>[4,2]");
  CHECK(infer("relu", {kF + "[4]"}) == kF + "[4]");
  CHECK(infer("reshape", {"=f64[4]"}, {{"shape", ints({2, 2})}}) == "f64[2,2]");
  CHECK(infer("iota", {}, {{"count", std::int64_t{3}}}) == "i64[3]");
}

TEST_CASE("Secret graph: what does not fit is refused, with what was expected and found") {
  has(infer("add", {kF + "[4]", "secret<fixed,9>[4]"}), "equal fraction bits, found 18 and 9");
  has(infer("add", {kF + "[4]", "secret<int>[4]"}), "secrets of one kind");
  has(infer("add", {"secret<int>[4]", "=f64[4]"}), "to fit beside secret<int>[4] @abc");
  has(infer("and", {"secret<int>[4]", "secret<int>[4]"}), "to be secret<bool>");
  has(infer("mul", {"secret<bool>[4]", "secret<bool>[4]"}), "secret<int> or secret<fixed>");
  has(infer("add", {kF + "[4]", kF + "[3]"}), "do not broadcast");
  has(infer("select", {"secret<int>[4]", kF + "[4]", kF + "[4]"}), "operand 0 to be secret<bool>");
  has(infer("gather", {kF + "[4]", "secret<int>[2]"}, {{"axis", std::int64_t{0}}}),
      "operand 1 to be public");
  has(infer("div", {kF + "[4]", kF + "[4]"}), "is not offered on secure device abc");
  has(infer("tanh", {kF + "[4]"}), "is not offered on secure device abc");
  has(infer("exp", {"secret<fixed,25>[4]"}), "8 to 24 fraction bits");
  has(infer("sigmoid", {kF + "[4]"}, {{"pieces", std::int64_t{4}}}), "3 or 8 pieces, found 4");
  has(infer("add", {"=f64[4]", "=f64[4]"}), "expected a secret among the operands");
  has(infer("mean", {kF + "[0]"}), "of nothing is not defined");
  has(infer("random", {},
            {{"distribution", std::string("uniform")},
             {"dtype", std::string("f64")},
             {"seed", std::int64_t{1}},
             {"shape", ints({2})}}),
      "is not offered on secure device abc");
  has(infer("save", {kF + "[4]"}, {{"uri", std::string("fs:///x")}}), "is not offered");
  has(infer("load", {}, {{"uri", std::string("fs:///x")}, {"type", type("f64[2]")}}),
      "is not offered");
  has(infer("cast", {kF + "[4]"}, {{"dtype", std::string("i32")}}), "for a secret, found \"i32\"");
  has(infer("sort", {kF + "[4,2]"}, {{"key", std::int64_t{2}}}), "from 0 to 1, found 2");

  const GraphInput secret{"s", type("secret<fixed,18>[4] @abc")};
  const GraphInput plain{"x", type("f64[4] @alice")};
  const auto one = [&](const char* op, const char* device, std::vector<ValueId> operands) {
    Ops ops(2);
    ops.add(op, device, std::move(operands));
    return refusal(secret_graph({secret, plain}, ops.list));
  };
  has(one("transfer", "dan", {0}), "leaves its device by reveal only");
  has(one("transfer", "abc", {1}), "a value goes there by share");
  has(one("reveal", "dan", {1}), "it is plain already");
  has(one("reveal", "abc", {0}), "expected a party to learn it");
  has(one("share", "dan", {1}), "expected a secure device of this program, found party dan");
  has(one("add", "abc", {0, 1}), "move it first with share");
  has(one("add", "alice", {0, 1}), "move it first with reveal");
  has(one("relu", "alice", {1}), "is offered on secure devices only");
}

TEST_CASE("Secret graph: devices are three known parties under a name of their own") {
  const auto with = [](std::vector<SecureDevice> devices) {
    Graph graph = graph_of({{"x", type("f64[4] @alice")}}, {});
    graph.devices = std::move(devices);
    return refusal(graph);
  };
  CHECK(with({kAbc}) == "accepted");
  has(with({{"abc", "spdz", {"alice", "bob", "carol"}}}), "expected protocol \"replicated3\"");
  has(with({{"abc", "replicated3", {"alice", "bob"}}}), "expected three members");
  has(with({{"abc", "replicated3", {"alice", "bob", "alice"}}}), "found alice twice");
  has(with({{"bob", "replicated3", {"alice", "bob", "carol"}}}), "a name of its own");
  has(with({kAbc, kAbc}), "two devices are called \"abc\"");
  has(with({kAbc, {"abd", "replicated3", {"alice", "bob", "abc"}}}), "found device \"abc\"");
  has(with(std::vector<SecureDevice>(17, kAbc)), "at most 16 devices, found 17");
  has(with({{"a b", "replicated3", {"alice", "bob", "carol"}}}), "device name");

  has(refusal(secret_graph({{"x", type("f64[4] @abc")}}, {})), "a secret on secure device abc");
  has(refusal(secret_graph({{"x", type("secret<int>[4] @alice")}}, {})),
      "no secret at party alice");
  Type odd{SecretType{SecretKind::kInt, 3, {2}}, "abc"};
  has(refusal(secret_graph({{"x", odd}}, {})), "expected 0 to 0 fraction bits, found 3");
  Ops ops;
  const ValueId c = ops.add("iota", "abc", {}, {{"count", std::int64_t{3}}});
  has(refusal(secret_graph({}, ops.list, {{"c", c}})), "live inside of a program only");
}

TEST_CASE("Secret graph: members count both parts of a secret, others nothing") {
  Ops ops(1);
  const ValueId s = ops.add("share", "abc", {0});
  const ValueId r = ops.add("reveal", "erin", {s});
  const Graph graph = secret_graph({{"x", type("f64[1000] @dan")}}, ops.list, {{"r", r}});
  const Verified verified = verify(graph);
  CHECK(verified.parties == strings({"alice", "bob", "carol", "dan", "erin"}));
  CHECK(verified.bytes.at("dan") == 8000);
  CHECK(verified.bytes.at("alice") == 16000);
  CHECK(verified.bytes.at("bob") == 16000);
  CHECK(verified.bytes.at("erin") == 8000);
  CHECK_FALSE(verified.bytes.contains("abc"));
  CHECK(verified.body.ops[0].parties == strings({"alice", "bob", "carol", "dan"}));
}

TEST_CASE("Secret graph: a predicate has to be plain, and loops run on devices") {
  Region same{{type("secret<fixed,18>[4] @abc")}, {}, {0}};
  Ops secret_steers(2);
  secret_steers.add("cond", "abc", {1, 0}, {}, {same, same});
  has(refusal(secret_graph(
          {{"s", type("secret<fixed,18>[4] @abc")}, {"p", type("secret<bool>[] @abc")}},
          secret_steers.list)),
      "to be plain, found secret<bool>[] @abc");
  Ops plain_steers(2);
  plain_steers.add("cond", "dan", {1, 0}, {}, {same, same});
  CHECK(refusal(secret_graph({{"s", type("secret<fixed,18>[4] @abc")}, {"p", type("bool[] @dan")}},
                             plain_steers.list)) == "accepted");
  Ops body(1);
  const ValueId twice = body.add("add", "abc", {0, 0});
  Ops loop(1);
  loop.add("for", "abc", {0}, {{"carried", std::int64_t{1}}, {"count", std::int64_t{3}}},
           {{{type("secret<fixed,18>[4] @abc")}, body.list, {twice}}});
  CHECK(refusal(secret_graph({{"s", type("secret<fixed,18>[4] @abc")}}, loop.list)) == "accepted");
}

TEST_CASE("Secret graph: shares and reveals are release points with everybody who sends") {
  Ops ops;
  const auto dataset = [&](const char* party) {
    return ops.add("dataset", party, {}, {{"name", std::string("x")}, {"type", type("f64[4]")}});
  };
  const ValueId a = ops.add("share", "abc", {dataset("alice")}, {{"label", std::string("in")}});
  const ValueId d = ops.add("share", "abc", {dataset("dan")});
  const ValueId both = ops.add("mul", "abc", {a, d});
  const ValueId r = ops.add("reveal", "erin", {both}, {{"label", std::string("result")}});
  const Graph graph = secret_graph({}, ops.list, {{"r", r}});
  const Verified verified = verify(graph);
  std::vector<LabelPtr> labels;
  for (const char* owner : {"alice", "dan"}) {
    auto label = std::make_shared<Label>();
    label->sources[{owner, "x"}];
    labels.push_back(std::move(label));
  }
  const Flow flow = analyze_flow(graph, verified, Digest{}, "dora", labels);
  REQUIRE(flow.releases.size() == 3);
  CHECK(flow.releases[0].kind == ReleasePoint::Kind::kShare);
  CHECK(flow.releases[0].name == "in");
  CHECK(flow.releases[0].from == strings({"alice"}));
  CHECK(flow.releases[0].to == kAbc.members);
  CHECK(flow.releases[0].device == kAbc);
  CHECK(flow.releases[0].label->str() == "{alice/x}");
  CHECK(flow.releases[1].from == strings({"dan"}));
  CHECK(flow.releases[1].label->str() == "{dan/x}");
  CHECK(flow.releases[2].kind == ReleasePoint::Kind::kReveal);
  CHECK(flow.releases[2].name == "result");
  CHECK(flow.releases[2].from == kAbc.members);
  CHECK(flow.releases[2].to == strings({"erin"}));
  CHECK(flow.releases[2].label->str() == "{alice/x, dan/x}");
  CHECK(flow.outputs[0]->str() == "{alice/x, dan/x}");
}

TEST_CASE("Secret graph: bytes, JSON and text hold the devices") {
  Ops ops(1);
  const ValueId s = ops.add("share", "abc", {0}, {{"fraction_bits", std::int64_t{20}}});
  const ValueId r = ops.add("reveal", "dan", {s});
  Graph graph = secret_graph({{"x", type("f64[4] @alice")}, {"s", type("secret<bool>[2] @abc")}},
                             ops.list, {{"r", r}});
  graph.ops[0].operands = {0};
  graph.ops[1].operands = {2};
  graph.outputs[0].value = 3;
  const std::string bytes = encode_graph(graph);
  CHECK(encode_graph(decode_graph(bytes)) == bytes);
  CHECK(decode_graph(bytes).devices == graph.devices);
  const std::string json = graph_to_json(graph);
  has(json, R"("abc":{"protocol":"replicated3","members":["alice","bob","carol"]})");
  const Graph back = graph_from_json(json);
  CHECK(encode_graph(back) == bytes);
  has(graph_to_text(graph), "device abc = replicated3(alice, bob, carol)");
  for (const char* bad :
       {R"({"devices": {"abc": {"protocol": "replicated3", "members": ["a"]}},)",
        R"({"devices": {"abc": {"protocol": "x", "members": ["a","b","c"]}},)",
        R"({"devices": {"abc": {"members": ["a","b","c"]}},)",
        R"({"devices": {"abc": {"protocol": "replicated3", "members": [1,2,3]}},)",
        R"({"devices": [],)"}) {
    CHECK_THROWS_WITH_AS(graph_from_json(std::string(bad) + R"("ops": [], "outputs": {}})"),
                         doctest::Contains("devices"), Error);
  }
}
