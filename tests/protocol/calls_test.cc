#include "protocol/calls.h"

#include <doctest/doctest.h>

#include "graphs.h"
#include "protocol/flow.h"
#include "tests/support/errors.h"

using namespace curia;
using namespace curia::test;

namespace {

const Type kX = parse_type("f64[4] @alice");
const Type kY = parse_type("f64[4] @bob");

// Doubles what it is given, at bob.
Region at_bob() {
  Ops ops(1);
  const ValueId moved = ops.add("transfer", "bob", {0});
  const ValueId twice = ops.add("add", "bob", {moved, moved});
  return {{kX}, ops.list, {twice}};
}

Region same() { return {{kX}, {}, {0}}; }

std::string refusal(const std::vector<Op>& ops, std::vector<GraphOutput> outputs = {}) {
  const Graph graph = graph_of({{"x", kX}}, ops, std::move(outputs));
  const Error error = error_of([&] { verify(graph); });
  CHECK(error.code() == Code::kInvalid);
  return error.message();
}

}  // namespace

TEST_CASE("Calls: each is a part of its own, and may use what those before it gave") {
  Ops ops(1);
  const ValueId neg = ops.add("neg", "alice", {0});
  const ValueId twice = ops.add("call", "alice", {neg}, {}, {at_bob()});
  Ops inner(1);
  const ValueId sum = inner.add("sum", "bob", {0});
  const ValueId total = ops.add("call", "bob", {twice}, {}, {Region{{kY}, inner.list, {sum, 0}}});
  const Graph graph =
      graph_of({{"x", kX}}, ops.list,
               {{"x", 0}, {"neg", neg}, {"twice", twice}, {"total", total}, {"again", total + 1}});
  const Verified verified = verify(graph);
  CHECK(verified.parties == strings({"alice", "bob"}));
  CHECK(verified.output_type(graph, 2) == kY);
  CHECK(verified.output_type(graph, 3).str() == "f64[] @bob");
  REQUIRE(part_count(graph) == 3);
  const auto ops_of = [&](std::size_t part) {
    return std::pair(ops_of_part(graph, part).first, ops_of_part(graph, part).last);
  };
  CHECK(ops_of(0) == std::pair<std::size_t, std::size_t>(0, 1));
  CHECK(ops_of(1) == std::pair<std::size_t, std::size_t>(1, 2));
  CHECK(ops_of(2) == std::pair<std::size_t, std::size_t>(2, 3));
  std::vector<std::size_t> parts;
  for (const GraphOutput& output : graph.outputs) {
    parts.push_back(part_of(graph, verified, output.value));
  }
  CHECK(parts == std::vector<std::size_t>{0, 0, 1, 2, 2});
}

TEST_CASE("Calls: what they move is released like all else that moves") {
  Ops ops(1);
  const ValueId twice = ops.add("call", "alice", {0}, {}, {at_bob()});
  const Graph graph = graph_of({{"x", kX}}, ops.list, {{"twice", twice}});
  auto label = std::make_shared<Label>();
  label->sources[{"alice", "iris"}];
  const Digest program = sha256({});
  const Flow flow = analyze_flow(graph, verify(graph), program, "dora", {label});
  REQUIRE(flow.releases.size() == 1);
  CHECK(flow.releases[0].label->str() == "{alice/iris}");
  CHECK(flow.releases[0].to == strings({"bob"}));
  CHECK(flow.outputs[0]->sources.begin()->second == std::set<Digest>{program});
}

TEST_CASE("Calls: an output that hands on an input is another name of it, be it through calls") {
  Ops ops(1);
  const ValueId first = ops.add("call", "alice", {0}, {}, {same()});
  const ValueId second = ops.add("call", "alice", {first}, {}, {same()});
  Graph graph = graph_of({{"x", kX}}, ops.list, {{"same", 0}, {"again", second}});
  Verified verified = verify(graph);
  CHECK(aliased_input(graph, verified, graph.outputs[0]) == 0);
  CHECK(aliased_input(graph, verified, graph.outputs[1]) == 0);
  // Its label is the input's: the program did nothing to it.
  auto label = std::make_shared<Label>();
  label->sources[{"alice", "iris"}];
  const Flow flow = analyze_flow(graph, verified, sha256({}), "dora", {label});
  CHECK(flow.outputs[0] == label);
  CHECK(flow.outputs[1] == label);
  // What is computed is not, and neither is what may be made to fit a range, or went through a
  // branch.
  Ops more(1);
  const ValueId neg = more.add("neg", "alice", {0});
  const ValueId called = more.add("call", "alice", {neg}, {}, {same()});
  graph = graph_of({{"x", kX}}, more.list, {{"neg", neg}, {"called", called}});
  verified = verify(graph);
  CHECK_FALSE(aliased_input(graph, verified, graph.outputs[0]));
  CHECK_FALSE(aliased_input(graph, verified, graph.outputs[1]));
  graph = graph_of({{"x", kX, {{"", {0, 1}}}}}, {}, {{"x", 0}});
  CHECK_FALSE(aliased_input(graph, verify(graph), graph.outputs[0]));
  Ops branch(2);
  const ValueId either = branch.add("cond", "alice", {1, 0}, {}, {same(), same()});
  graph = graph_of({{"x", kX}, {"p", parse_type("bool[] @alice")}}, branch.list, {{"x", either}});
  CHECK_FALSE(aliased_input(graph, verify(graph), graph.outputs[0]));
}

TEST_CASE("Calls: those that stand elsewhere than at the end are refused") {
  Ops ops(1);
  const ValueId called = ops.add("call", "alice", {0}, {}, {same()});
  ops.add("neg", "alice", {0});
  CHECK(refusal(ops.list) == "expected nothing but calls after the first call");
  Ops uses(1);
  uses.add("call", "alice", {0}, {}, {same()});
  uses.add("neg", "alice", {called});
  CHECK(refusal(uses.list).starts_with("expected operands that are there before the calls"));
  Ops inner(1);
  inner.add("call", "alice", {0}, {}, {same()});
  Ops nested(1);
  nested.add("call", "alice", {0}, {}, {Region{{kX}, inner.list, {}}});
  CHECK(refusal(nested.list).starts_with("expected a call outside of branches, loops"));
  Ops loop(1);
  loop.add("for", "alice", {0}, {{"carried", std::int64_t{1}}, {"count", std::int64_t{2}}},
           {Region{{kX}, inner.list, {0}}});
  CHECK(refusal(loop.list).starts_with("expected a call outside of branches, loops"));
}

TEST_CASE("Calls: wrong bodies and devices are refused") {
  Ops few(1);
  few.add("call", "alice", {}, {}, {same()});
  CHECK(refusal(few.list).find("a parameter for each of the 0 operands, found 1") !=
        std::string::npos);
  Ops other(1);
  other.add("call", "alice", {0}, {}, {Region{{kY}, {}, {0}}});
  CHECK(refusal(other.list).starts_with("expected parameter 0 of region body to be f64[4] @alice"));
  Ops beyond(1);
  beyond.add("call", "alice", {0}, {}, {Region{{kX}, {}, {3}}});
  CHECK(refusal(beyond.list).starts_with("region body gives %3, which is not defined"));
  Ops none(1);
  none.add("call", "alice", {0});
  CHECK(refusal(none.list).find("region") != std::string::npos);
  Ops secure(1);
  secure.add("call", "abc", {0}, {}, {same()});
  Graph graph = graph_of({{"x", kX}}, secure.list);
  graph.devices = {{"abc", "replicated3", {"alice", "bob", "carol"}}};
  CHECK(error_of([&] { verify(graph); }).message() ==
        "expected a party to call, found secure device abc");
  Ops noisy(1);
  noisy.add("dp_sum", "alice", {0}, {{"low", 0.0}, {"high", 1.0}, {"epsilon", 0.5}});
  Ops release(0);
  const ValueId rows =
      release.add("dataset", "alice", {}, {{"name", std::string("x")}, {"type", kX}});
  release.add("call", "alice", {rows}, {}, {Region{{kX}, noisy.list, {}}});
  const Error inside = error_of([&] { verify(graph_of({}, release.list)); });
  CHECK(inside.message().find("and of calls") != std::string::npos);
  CHECK(inside.op() == "dp_sum");
}
