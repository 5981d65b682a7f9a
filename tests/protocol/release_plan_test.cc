#include "protocol/release_plan.h"

#include <doctest/doctest.h>

#include "graphs.h"
#include "protocol/error.h"
#include "protocol/graph_bytes.h"
#include "tests/support/errors.h"

using namespace curia;
using namespace curia::test;

namespace {

const Digest kRows = random_digest();
const Digest kWeights = random_digest();

Origin put(const Digest& id, bool committed = true) {
  Origin origin;
  origin.kind = Origin::Kind::kPut;
  origin.id = id;
  origin.site = {"src/plan.cc", 7};
  origin.committed = committed;
  return origin;
}

Origin rows() {
  Origin origin;
  origin.id = kRows;
  return origin;
}

Origin output_of(std::uint32_t step, std::uint32_t number = 0) {
  Origin origin;
  origin.kind = Origin::Kind::kOutput;
  origin.step = step;
  origin.number = number;
  return origin;
}

// alice's x times the driver's w; the product stays at alice.
PlannedStep scaled(const Origin& weights) {
  Ops ops(1);
  const ValueId x = ops.add("dataset", "alice", {}, {{"name", "x"}, {"type", type("f64[4]")}});
  const ValueId scaled = ops.add("mul", "alice", {x, 0});
  return {graph_of({{"w", type("f64[4] @alice")}}, ops.list, {{"scaled", scaled}}),
          {weights, rows()}};
}

// Its sum goes to bob.
PlannedStep summed(const Origin& values) {
  Ops ops(1);
  const ValueId sum = ops.add("sum", "alice", {0}, {{"axes", ints({0})}, {"keep_dims", false}});
  const ValueId moved = ops.add("transfer", "bob", {sum}, {{"label", "sum"}});
  return {graph_of({{"v", type("f64[4] @alice")}}, ops.list, {{"total", moved}}), {values}};
}

ReleasePlan two_steps() {
  return {"dora", {scaled(put(kWeights)), summed(output_of(0))}, {{1, 0}}};
}

std::string refusal(const ReleasePlan& plan) {
  try {
    check_plan(plan);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("ReleasePlan: says what goes to whom, from which sources, by which ops and lines") {
  const CheckedPlan checked = check_plan(two_steps());
  REQUIRE(checked.releases.size() == 2);
  const PlannedRelease& moved = checked.releases[0];
  CHECK(moved.str() ==
        "transfer as \"sum\" (plan.cc:2) in step 2: f64[] @alice of {alice/x, dora} would go to "
        "bob");
  CHECK(moved.owners() == std::set<std::string>{"alice"});
  CHECK(moved.sources_of("alice") == std::set<std::string>{"x"});
  REQUIRE(moved.ops.size() == 2);
  CHECK(moved.ops[0] == "step 1 \"plan\": dataset (plan.cc:1), mul (plan.cc:2)");
  CHECK(moved.ops[1] == "step 2 \"plan\": sum (plan.cc:1), transfer (plan.cc:2)");
  REQUIRE(moved.claims.size() == 1);
  CHECK(moved.claims[0] ==
        "\"w\" of step 1, f64[4] @alice, is put by dora (plan.cc:7): only dora says what it holds");
  CHECK(moved.unsettled.empty());
  const PlannedRelease& fetched = checked.releases[1];
  CHECK(fetched.action == "fetch");
  CHECK(fetched.to == "dora");
  CHECK(fetched.from == std::vector<std::string>{"bob"});
}

TEST_CASE("ReleasePlan: an op inside of a loop counts with all that the loop takes") {
  Ops body(2);
  const ValueId more = body.add("add", "alice", {0, 1});
  Ops ops;
  const ValueId x = ops.add("dataset", "alice", {}, {{"name", "x"}, {"type", type("f64[4]")}});
  const ValueId y = ops.add("dataset", "alice", {}, {{"name", "y"}, {"type", type("f64[4]")}});
  const ValueId unused = ops.add("dataset", "alice", {}, {{"name", "z"}, {"type", type("f64[4]")}});
  const ValueId sums =
      ops.add("for", "alice", {x, y}, {{"carried", std::int64_t{1}}, {"count", std::int64_t{3}}},
              {{{type("f64[4] @alice"), type("f64[4] @alice")}, body.list, {more}}});
  const PlannedStep step{graph_of({}, ops.list, {{"sums", sums}, {"z", unused}}),
                         {rows(), rows(), rows()}};
  const CheckedPlan checked = check_plan({"dora", {step}, {{0, 0}}});
  REQUIRE(checked.releases.size() == 1);
  CHECK(checked.releases[0].sources_of("alice") == std::set<std::string>{"x", "y"});
  CHECK(checked.releases[0].ops[0] ==
        "step 1 \"plan\": dataset (plan.cc:1), dataset (plan.cc:2), for (plan.cc:4), add "
        "(plan.cc:1)");
}

TEST_CASE("ReleasePlan: lineages are those of the workers, so nothing else has them") {
  const CheckedPlan checked = check_plan(two_steps());
  const Digest first = program_digest(two_steps().steps[0].graph);
  const Digest second = program_digest(two_steps().steps[1].graph);
  const RunLineage scale(
      first, {put_lineage("dora", kWeights), dataset_lineage("alice", "x", kRows)}, nullptr);
  const RunLineage sum(second, {scale.output(0)}, nullptr);
  CHECK(checked.releases[0].lineage == sum.move(1));
  CHECK(checked.releases[1].lineage == sum.output(0));
}

TEST_CASE("ReleasePlan: a plan that shows a result as a put does not have the result's lineage") {
  const CheckedPlan real = check_plan(two_steps());
  const RunLineage scale(program_digest(two_steps().steps[0].graph),
                         {put_lineage("dora", kWeights), dataset_lineage("alice", "x", kRows)},
                         nullptr);
  for (const Digest& id : {scale.output(0).id, scale.output(0).pattern}) {
    const CheckedPlan lie = check_plan({"dora", {summed(put(id))}, {{0, 0}}});
    CHECK(lie.releases[0].owners().empty());
    CHECK(lie.releases[0].lineage.pattern != real.releases[0].lineage.pattern);
    CHECK(lie.releases[1].lineage.pattern != real.releases[1].lineage.pattern);
  }
}

TEST_CASE("ReleasePlan: comes back from its JSON with the same releases") {
  const ReleasePlan back = plan_from_json(plan_json(two_steps()), "plan.json");
  const CheckedPlan wanted = check_plan(two_steps());
  const CheckedPlan checked = check_plan(back);
  REQUIRE(checked.releases.size() == wanted.releases.size());
  for (std::size_t i = 0; i < checked.releases.size(); ++i) {
    CHECK(checked.releases[i].lineage == wanted.releases[i].lineage);
    CHECK(checked.releases[i].str() == wanted.releases[i].str());
    CHECK(checked.releases[i].claims == wanted.releases[i].claims);
  }
}

TEST_CASE("ReleasePlan: what is put without a salt is another value each time, so not approvable") {
  ReleasePlan plan = two_steps();
  plan.steps[0].origins[0].committed = false;
  const CheckedPlan checked = check_plan(plan);
  REQUIRE(checked.releases[0].unsettled.size() == 1);
  CHECK(contains(checked.releases[0].unsettled[0], "put without a salt (plan.cc:7)"));
  CHECK_THROWS_AS(approval_of(plan, checked, "alice"), Error);
}

TEST_CASE("ReleasePlan: an approval has what its owner must agree to, in the words shown") {
  const ReleasePlan plan = two_steps();
  const CheckedPlan checked = check_plan(plan);
  const Approval approval = approval_of(plan, checked, "alice");
  CHECK(approval.owner == "alice");
  CHECK(approval.driver == "dora");
  REQUIRE(approval.releases.size() == 2);
  CHECK(approval.releases[0].to == "bob");
  CHECK(approval.releases[0].pattern == checked.releases[0].lineage.pattern);
  CHECK(contains(approval.releases[0].what, checked.releases[0].str()));
  CHECK(contains(approval.releases[0].what, "only dora says what it holds"));
  CHECK(approval.releases[1].to == "dora");
  CHECK_THROWS_AS(approval_of(plan, checked, "bob"), Error);
}

TEST_CASE("ReleasePlan: what does not fit together is refused with step and reason") {
  ReleasePlan plan = two_steps();
  plan.steps[1].origins[0].step = 1;
  CHECK(contains(refusal(plan), "step 2: \"v\" comes from step 2, which is not before it"));
  plan = two_steps();
  plan.steps[1].origins[0].number = 1;
  CHECK(contains(refusal(plan), "\"v\" is output 1 of a step that has 1"));
  plan = two_steps();
  plan.steps[0].origins.pop_back();
  CHECK(contains(refusal(plan), "expected an origin for each of its 2"));
  plan = two_steps();
  plan.steps[0].origins[1] = put(kRows);
  CHECK(contains(refusal(plan), "\"x\" is a dataset, its origin says otherwise"));
  plan = two_steps();
  plan.steps[0].origins[0] = rows();
  CHECK(contains(refusal(plan), "\"w\" is no dataset, its origin says otherwise"));
  plan = two_steps();
  plan.steps[1].origins[0].kind = Origin::Kind::kSaved;
  CHECK(contains(refusal(plan), "saves nothing"));
  // Whoever writes plans names where a value comes from, and none of its other names.
  plan = two_steps();
  plan.steps[1].graph.outputs.push_back({"name", 0});
  plan.fetches = {{1, 1}};
  CHECK(contains(refusal(plan), "output \"name\" is another name of input \"v\""));
  plan.fetches = {};
  plan.steps.push_back(summed(output_of(1, 1)));
  CHECK(contains(refusal(plan), "step 3: output \"name\" is another name of input \"v\""));
  plan = two_steps();
  plan.fetches = {{2, 0}};
  CHECK(contains(refusal(plan), "a fetch names output 0 of step 3"));
  plan = two_steps();
  plan.steps[0].graph.ops[1].name = "nonsense";
  CHECK(contains(refusal(plan), "nonsense"));
}

TEST_CASE("ReleasePlan: a chain as long as a graph is followed, and lines are no terminal codes") {
  Ops ops;
  ValueId value = ops.add("dataset", "alice", {}, {{"name", "x"}, {"type", type("f64[4]")}});
  for (int i = 0; i < 60'000; ++i) value = ops.add("neg", "alice", {value});
  Graph graph = graph_of({}, ops.list, {{"out", value}});
  graph.sites[0].file = "evil\x1b[2J\n.cc";
  const CheckedPlan checked = check_plan({"dora", {{graph, {rows()}}}, {{0, 0}}});
  REQUIRE(checked.releases.size() == 1);
  CHECK(checked.releases[0].sources_of("alice") == std::set<std::string>{"x"});
  CHECK(contains(checked.releases[0].ops[0], "dataset (evil?[2J?.cc:1)"));
}

TEST_CASE("ReleasePlan: what a release would cost under a rule is told for each source") {
  Ops ops;
  const ValueId x = ops.add("dataset", "alice", {}, {{"name", "x"}, {"type", type("f64[4]")}});
  std::map<std::string, Attr> attrs = {{"low", 0.0}, {"high", 1.0}, {"epsilon", 0.5}};
  const ValueId laplace = ops.add("dp_sum", "alice", {x}, attrs);
  attrs["delta"] = 1e-6;
  const ValueId gaussian = ops.add("dp_sum", "alice", {x}, attrs);
  const ValueId both = ops.add("add", "alice", {laplace, gaussian});
  const Graph graph = graph_of({}, ops.list, {{"rows", x}, {"laplace", laplace}, {"both", both}});
  const CheckedPlan checked = check_plan({"dora", {{graph, {rows()}}}, {{0, 0}, {0, 1}, {0, 2}}});
  REQUIRE(checked.releases.size() == 3);
  CHECK(checked.releases[0].privacy().empty());
  CHECK(checked.releases[1].privacy() == std::vector<std::string>{"epsilon 0.5 of alice/x"});
  CHECK(checked.releases[2].privacy() ==
        std::vector<std::string>{"epsilon 1 and delta 1e-06 of alice/x"});
}

TEST_CASE("ReleasePlan: equal releases are approved one by one") {
  ReleasePlan plan = two_steps();
  plan.fetches = {{1, 0}, {1, 0}};
  const Approval approval = approval_of(plan, check_plan(plan), "alice");
  REQUIRE(approval.releases.size() == 3);
  CHECK(approval.releases[1] == approval.releases[2]);
  plan.fetches.assign(static_cast<std::size_t>(kMaxApprovalReleases), {1, 0});
  CHECK_THROWS_AS(check_plan(plan), Error);
}

TEST_CASE("ReleasePlan: JSON that is none is refused with the field's name") {
  const std::string good = plan_json(two_steps());
  const auto with = [&good](const std::string& from, const std::string& to) -> std::string {
    std::string text = good;
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    try {
      plan_from_json(text.replace(at, from.size(), to), "plan.json");
    } catch (const Error& error) {
      return error.message();
    }
    return "";
  };
  CHECK(contains(with("\"curia_release_plan\": 1", "\"curia_release_plan\": 9"),
                 "curia_release_plan"));
  CHECK(contains(with("{", std::string(100'000, '[')), "plan.json: nested deeper than 32"));
  CHECK(contains(with("{", ""), "plan.json: not JSON"));
  CHECK(contains(with("\"graph\": \"", "\"graph\": \"0"), "graph"));
  CHECK(contains(with("\"sites\": \"", "\"sites\": \"00"), "graph"));
  CHECK(contains(with("\"put\": \"", "\"put\": \"0"), "put"));
  CHECK(contains(with("\"step\": 0", "\"step\": -1"), "step"));
  CHECK(contains(with("\"driver\"", "\"drivers\""), "driver"));
  CHECK(contains(with("\"fetches\": [", "\"fetched\": ["), "fetched"));
}
