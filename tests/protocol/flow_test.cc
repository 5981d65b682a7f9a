#include "protocol/flow.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "graphs.h"

using namespace curia;
using namespace curia::test;

namespace {

const Digest kProgram = sha256({});

LabelPtr label_of(std::string owner, std::string name) {
  auto label = std::make_shared<Label>();
  label->sources[{std::move(owner), std::move(name)}];
  return label;
}

// Each dataset is labelled with its party and name, each input with dora's name.
Flow flow_of(const Graph& graph) {
  const Verified verified = verify(graph);
  std::vector<LabelPtr> labels;
  for (const External& external : externals(graph, verified)) {
    const bool dataset = external.kind == External::Kind::kDataset;
    labels.push_back(dataset ? label_of(external.place, external.name) : label_of("dora", ""));
  }
  return analyze_flow(graph, verified, kProgram, "dora", labels);
}

ValueId dataset(Ops& ops, const std::string& party, const std::string& name,
                const char* text = "i64[4]") {
  Type plain = type(text);
  return ops.add("dataset", party, {}, {{"name", name}, {"type", plain}});
}

ValueId constant(Ops& ops, std::int64_t number) {
  return ops.add("constant", "alice", {}, {{"value", Tensor::scalar(number)}});
}

}  // namespace

TEST_CASE("Flow: an op joins the labels of its operands, and a transfer keeps and reports them") {
  Ops ops;
  const ValueId x = dataset(ops, "alice", "x");
  const ValueId y = dataset(ops, "alice", "y");
  const ValueId both = ops.add("add", "alice", {x, y});
  const ValueId zero = ops.add("mul", "alice", {both, ops.add("sub", "alice", {both, both})});
  const ValueId moved = ops.add("transfer", "bob", {zero}, {{"label", std::string("part")}});
  const Flow flow = flow_of(graph_of({}, ops.list, {{"x", x}, {"zero", zero}, {"moved", moved}}));
  CHECK(flow.outputs[0]->str() == "{alice/x}");
  CHECK(flow.outputs[1]->str() == "{alice/x, alice/y}");
  CHECK(flow.outputs[2]->str() == "{alice/x, alice/y}");
  CHECK(flow.outputs[0]->sources.begin()->second.contains(kProgram));
  REQUIRE(flow.releases.size() == 1);
  CHECK(flow.releases[0].name == "part");
  CHECK(flow.releases[0].from == strings({"alice"}));
  CHECK(flow.releases[0].to == std::vector<std::string>{"bob"});
  CHECK(flow.releases[0].label->str() == "{alice/x, alice/y}");
  CHECK(flow.releases[0].site.file == "src/plan.cc");
}

TEST_CASE("Flow: a predicate is a release, and governs whatever its branches give") {
  Ops ops;
  const ValueId x = dataset(ops, "alice", "x", "bool[]");
  const ValueId a = constant(ops, 1);
  const ValueId b = constant(ops, 2);
  Region first{{type("i64[] @alice"), type("i64[] @alice")}, {}, {0}};
  Region second{{type("i64[] @alice"), type("i64[] @alice")}, {}, {1}};
  const ValueId picked = ops.add("cond", "alice", {x, a, b}, {}, {first, second});
  const Flow flow = flow_of(graph_of({}, ops.list, {{"picked", picked}, {"a", a}}));
  CHECK(flow.outputs[0]->str() == "{alice/x}");
  CHECK(flow.outputs[1]->str() == "{}");
  REQUIRE(flow.releases.size() == 1);
  CHECK(flow.releases[0].to == std::vector<std::string>{"dora"});
  CHECK(flow.releases[0].label->str() == "{alice/x}");
}

TEST_CASE("Flow: labels go round a loop until they stay as they are") {
  // Three carried values that move on by one place each round: the first needs two rounds to reach
  // the last.
  Ops ops;
  const ValueId x = dataset(ops, "alice", "x", "i64[]");
  const ValueId a = constant(ops, 1);
  const ValueId b = constant(ops, 2);
  const Type one = type("i64[] @alice");
  Region body{{one, one, one}, {}, {0, 0, 1}};
  const ValueId out = ops.add("for", "alice", {x, a, b},
                              {{"count", std::int64_t{5}}, {"carried", std::int64_t{3}}}, {body});
  const Flow flow = flow_of(graph_of({}, ops.list, {{"last", out + 2}, {"before", b}}));
  CHECK(flow.outputs[0]->str() == "{alice/x}");
  CHECK(flow.outputs[1]->str() == "{}");
  CHECK(flow.releases.empty());
}

TEST_CASE("Flow: a program takes every source that it reads through itself, the driver's as well") {
  Ops ops(1);
  const ValueId x = dataset(ops, "alice", "x");
  const ValueId out = ops.add("add", "alice", {x, 0});
  const Flow flow = flow_of(graph_of({{"in", type("i64[4] @alice")}}, ops.list, {{"out", out}}));
  CHECK(flow.outputs[0]->str() == "{alice/x, dora}");
  for (const auto& [source, programs] : flow.outputs[0]->sources) {
    CHECK(programs == std::set<Digest>{kProgram});
  }
}
