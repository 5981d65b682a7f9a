#include "protocol/release_plan.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "protocol/calls.h"
#include "protocol/error.h"
#include "protocol/graph_bytes.h"
#include "protocol/list_text.h"

namespace curia {
namespace {

constexpr std::size_t kMostOps = 40;  // of a release, in words

// Call sites are what the driver says, and end on the owner's terminal.
std::string at_line(const Site& site) {
  std::string line = site.str();
  const auto strange = [](unsigned char c) { return c < 0x20 || c > 0x7E; };
  std::ranges::replace_if(line, strange, '?');
  return line.empty() ? "" : " (" + line + ")";
}

// An op of a step, wherever it is nested.
struct Found {
  const Op* op = nullptr;
  const TypedRegion* around = nullptr;
};

Found find_op(const std::vector<Op>& ops, const TypedRegion& typed, std::uint32_t number) {
  const auto after = std::ranges::upper_bound(typed.ops, number, {}, &TypedOp::number);
  if (after == typed.ops.begin()) return {};
  const auto i = static_cast<std::size_t>(after - typed.ops.begin()) - 1;
  if (typed.ops[i].number == number) return {&ops[i], &typed};
  for (std::size_t r = 0; r < ops[i].regions.size(); ++r) {
    const Found found = find_op(ops[i].regions[r].ops, typed.ops[i].regions[r], number);
    if (found.op != nullptr) return found;
  }
  return {};
}

// The number of the op outside of regions that is `number`, or has it inside.
std::size_t top_of(const CheckedStep& step, std::uint32_t number) {
  const auto& ops = step.verified.body.ops;
  const auto after = std::ranges::upper_bound(ops, number, {}, &TypedOp::number);
  return static_cast<std::size_t>(after - ops.begin()) - 1;
}

// Of each step the datasets and loads, by the op outside of regions that they are of.
using Sources = std::vector<std::map<std::size_t, std::vector<std::size_t>>>;

// All that a value went through, and the puts it began with.
class Way {
 public:
  Way(const ReleasePlan& plan, const CheckedPlan& checked, const Sources& sources)
      : plan_(plan), checked_(checked), sources_(sources) {}

  void of_output(std::uint32_t step, std::uint32_t output) {
    of_value(step, plan_.steps[step].graph.outputs[output].value);
  }
  void of_op(std::uint32_t step, std::uint32_t number) {
    of_top(step, top_of(checked_.steps[step], number));
  }
  void finish(PlannedRelease& release) {
    // Not by recursion: a chain of ops may be as long as a graph.
    while (!todo_.empty()) {
      const auto [step, i] = todo_.back();
      todo_.pop_back();
      const auto found = sources_[step].find(i);
      if (found != sources_[step].end()) {
        for (const std::size_t e : found->second) of_external(step, e);
      }
      for (const ValueId operand : plan_.steps[step].graph.ops[i].operands) {
        of_value(step, operand);
      }
    }
    for (const auto& [step, numbers] : seen_) add_ops(step, numbers, release);
    release.claims = std::move(claims_);
    release.unsettled = std::move(unsettled_);
  }

 private:
  void of_value(std::uint32_t step, ValueId value) {
    if (value < plan_.steps[step].graph.inputs.size()) return of_external(step, value);
    const auto& ops = checked_.steps[step].verified.body.ops;
    const auto after = std::ranges::upper_bound(ops, value, {}, &TypedOp::first_result);
    of_top(step, static_cast<std::size_t>(after - ops.begin()) - 1);
  }

  void of_top(std::uint32_t step, std::size_t i) {
    if (seen_[step].insert(i).second) todo_.emplace_back(step, i);
  }

  void of_external(std::uint32_t step, std::size_t e) {
    if (!externals_.insert({step, e}).second) return;
    const Origin& origin = plan_.steps[step].origins[e];
    const External& external = checked_.steps[step].outside[e];
    if (origin.kind == Origin::Kind::kOutput) return of_output(origin.step, origin.number);
    if (origin.kind == Origin::Kind::kSaved) return of_op(origin.step, origin.number);
    if (origin.kind != Origin::Kind::kPut) return;
    claims_.push_back("\"" + external.name + "\" of step " + std::to_string(step + 1) + ", " +
                      external.type.str() + ", is put by " + plan_.driver + at_line(origin.site) +
                      ": only " + plan_.driver + " says what it holds");
    if (!origin.committed) {
      unsettled_.push_back("\"" + external.name + "\" of step " + std::to_string(step + 1) +
                           " is put without a salt" + at_line(origin.site) +
                           ", so it is another value each time; give Session::put() one");
    }
  }

  void add_ops(std::uint32_t step, const std::set<std::size_t>& numbers, PlannedRelease& release) {
    const Graph& graph = plan_.steps[step].graph;
    std::vector<std::string> ops;
    for (const std::size_t i : numbers) note(graph, graph.ops[i], ops);
    const std::size_t left = ops.size() > kMostOps ? ops.size() - kMostOps : 0;
    ops.resize(ops.size() - left);
    release.ops.push_back("step " + std::to_string(step + 1) + " \"" + graph.name +
                          "\": " + list_text(ops) +
                          (left == 0 ? "" : " and " + std::to_string(left) + " more"));
  }
  static void note(const Graph& graph, const Op& op, std::vector<std::string>& ops) {
    std::string text = op.name + at_line(graph.site_of(op));
    if (std::ranges::find(ops, text) == ops.end()) ops.push_back(std::move(text));
    for (const Region& region : op.regions) {
      for (const Op& inner : region.ops) note(graph, inner, ops);
    }
  }

  const ReleasePlan& plan_;
  const CheckedPlan& checked_;
  const Sources& sources_;
  std::vector<std::pair<std::uint32_t, std::size_t>> todo_;
  std::map<std::uint32_t, std::set<std::size_t>> seen_;
  std::set<std::pair<std::uint32_t, std::size_t>> externals_;
  std::vector<std::string> claims_;
  std::vector<std::string> unsettled_;
};

class Check {
 public:
  explicit Check(const ReleasePlan& plan) : plan_(plan) {}

  CheckedPlan run() {
    for (std::uint32_t i = 0; i < plan_.steps.size(); ++i) {
      try {
        step(i);
      } catch (const Error& error) {
        throw Error(error.code(), "step " + std::to_string(i + 1) + ": " + error.message())
            .at_op(error.op(), error.site());
      }
    }
    for (const PlannedFetch& fetch : plan_.fetches) note_fetch(fetch);
    return std::move(checked_);
  }

 private:
  void step(std::uint32_t number) {
    const PlannedStep& planned = plan_.steps[number];
    CheckedStep step;
    step.verified = verify(planned.graph);
    step.program = program_digest(planned.graph);
    step.outside = externals(planned.graph, step.verified);
    if (planned.origins.size() != step.outside.size()) {
      throw Error(Code::kInvalid, "expected an origin for each of its " +
                                      std::to_string(step.outside.size()) +
                                      " inputs, datasets and loads, found " +
                                      std::to_string(planned.origins.size()));
    }
    std::vector<LabelPtr> labels;
    std::vector<Lineage> lineages;
    for (std::size_t e = 0; e < step.outside.size(); ++e) {
      add_external(number, step.outside[e], planned.origins[e], labels, lineages);
    }
    Hasher run("curia planned run");
    run.add(std::uint64_t{number});
    instances_.push_back(std::make_unique<const Digest>(run.finish()));
    step.flow = analyze_flow(planned.graph, step.verified, step.program, plan_.driver, labels,
                             *instances_.back());
    made_.emplace_back(step.program, std::move(lineages),
                       step.verified.random ? instances_.back().get() : nullptr);
    auto& by_op = sources_.emplace_back();
    for (std::size_t e = 0; e < step.outside.size(); ++e) {
      if (step.outside[e].kind == External::Kind::kInput) continue;
      by_op[top_of(step, step.outside[e].number)].push_back(e);
    }
    checked_.steps.push_back(std::move(step));
    for (const ReleasePoint& point : checked_.steps.back().flow.releases) note_move(number, point);
  }

  static void check_is_made(const Graph& graph, const CheckedStep& step, std::uint32_t number) {
    const GraphOutput& output = graph.outputs[number];
    if (const auto input = aliased_input(graph, step.verified, output)) {
      throw Error(Code::kInvalid, "output \"" + output.name + "\" is another name of input \"" +
                                      graph.inputs[*input].name + "\"; name where that comes from");
    }
  }

  void add_external(std::uint32_t number, const External& external, const Origin& origin,
                    std::vector<LabelPtr>& labels, std::vector<Lineage>& lineages) const {
    const bool dataset = external.kind == External::Kind::kDataset;
    if (dataset != (origin.kind == Origin::Kind::kDataset)) {
      throw Error(Code::kInvalid, "\"" + external.name + "\" is " +
                                      (dataset ? "a dataset" : "no dataset") +
                                      ", its origin says otherwise");
    }
    if (dataset || origin.kind == Origin::Kind::kPut) {
      auto label = std::make_shared<Label>();
      label->sources[dataset ? Source{external.place, external.name} : Source{plan_.driver, ""}];
      labels.push_back(std::move(label));
      lineages.push_back(dataset ? dataset_lineage(external.place, external.name, origin.id)
                                 : put_lineage(plan_.driver, origin.id));
      return;
    }
    if (origin.step >= number) {
      throw Error(Code::kInvalid, "\"" + external.name + "\" comes from step " +
                                      std::to_string(origin.step + 1) + ", which is not before it");
    }
    const CheckedStep& from = checked_.steps[origin.step];
    const Graph& graph = plan_.steps[origin.step].graph;
    if (origin.kind == Origin::Kind::kOutput) {
      if (origin.number >= graph.outputs.size()) {
        throw Error(Code::kInvalid, "\"" + external.name + "\" is output " +
                                        std::to_string(origin.number) + " of a step that has " +
                                        std::to_string(graph.outputs.size()));
      }
      check_is_made(graph, from, origin.number);
      labels.push_back(from.flow.outputs[origin.number]);
      lineages.push_back(made_[origin.step].output(origin.number));
      return;
    }
    const Op* op = find_op(graph.ops, from.verified.body, origin.number).op;
    if (op == nullptr || op->name != "save") {
      throw Error(Code::kInvalid, "\"" + external.name + "\": op" + std::to_string(origin.number) +
                                      " of step " + std::to_string(origin.step + 1) +
                                      " saves nothing");
    }
    auto label = std::make_shared<Label>();
    for (const LabelPtr& saved : from.flow.saves) label->merge(*saved);
    labels.push_back(std::move(label));
    lineages.push_back(made_[origin.step].save(origin.number, origin.time));
  }

  void note_move(std::uint32_t number, const ReleasePoint& point) {
    const CheckedStep& step = checked_.steps[number];
    PlannedRelease release;
    release.lineage = made_[number].move(point.op);
    release.step = number;
    release.action = point.op_name;
    release.name = point.name;
    release.site = point.site;
    const Found found = find_op(plan_.steps[number].graph.ops, step.verified.body, point.op);
    const bool predicate = point.kind == ReleasePoint::Kind::kPredicate || found.op == nullptr;
    release.type =
        predicate ? "which way it goes" : found.around->types[found.op->operands[0]].str();
    release.from = point.from;
    release.label = point.label;
    Way way(plan_, checked_, sources_);
    way.of_op(number, point.op);
    finish(way, release);
    if (point.kind == ReleasePoint::Kind::kShare) {
      release.members = point.device.members;
      release.protocol = point.device.protocol;
      checked_.releases.push_back(std::move(release));
      return;
    }
    for (const std::string& to : point.to) {
      release.to = to;
      checked_.releases.push_back(release);
    }
  }

  void note_fetch(const PlannedFetch& fetch) {
    if (fetch.step >= plan_.steps.size() ||
        fetch.output >= plan_.steps[fetch.step].graph.outputs.size()) {
      throw Error(Code::kInvalid, "a fetch names output " + std::to_string(fetch.output) +
                                      " of step " + std::to_string(fetch.step + 1) +
                                      ", which there is not");
    }
    const Graph& graph = plan_.steps[fetch.step].graph;
    const CheckedStep& step = checked_.steps[fetch.step];
    check_is_made(graph, step, fetch.output);
    const Type& type = step.verified.output_type(graph, fetch.output);
    PlannedRelease release;
    release.lineage = made_[fetch.step].output(fetch.output);
    release.step = fetch.step;
    release.action = "fetch";
    release.name = graph.outputs[fetch.output].name;
    release.type = type.str();
    release.from = holders(graph.devices, type.device);
    release.to = plan_.driver;
    release.label = step.flow.outputs[fetch.output];
    Way way(plan_, checked_, sources_);
    way.of_output(fetch.step, fetch.output);
    finish(way, release);
    checked_.releases.push_back(std::move(release));
  }

  void finish(Way& way, PlannedRelease& release) const {
    if (std::ssize(checked_.releases) >= kMaxApprovalReleases) {
      throw Error(Code::kQuota,
                  "a plan has at most " + std::to_string(kMaxApprovalReleases) + " releases");
    }
    way.finish(release);
    if (!release.lineage.bound) {
      release.unsettled.emplace_back(
          "it mixes values of two runs of a program that draws random numbers");
    }
  }

  const ReleasePlan& plan_;
  CheckedPlan checked_;
  Sources sources_;
  std::vector<std::unique_ptr<const Digest>> instances_;
  std::vector<RunLineage> made_;
};

}  // namespace

std::set<std::string> PlannedRelease::sources_of(const std::string& owner) const {
  std::set<std::string> names;
  for (const auto& [source, unused] : label->sources) {
    if (source.owner == owner && !source.name.empty()) names.insert(source.name);
  }
  return names;
}

std::set<std::string> PlannedRelease::owners() const {
  std::set<std::string> names;
  for (const auto& [source, unused] : label->sources) {
    if (!source.name.empty() && source.owner != to) names.insert(source.owner);
  }
  return names;
}

std::vector<std::string> PlannedRelease::privacy() const {
  std::vector<std::string> costs;
  for (const Source& source : label->released) {
    Charge sum;
    for (const auto& [id, charge] : label->cost(source)) sum.add(charge);
    costs.push_back(sum.str(sum.delta != 0) + " of " + source.str());
  }
  return costs;
}

std::string PlannedRelease::str() const {
  const std::string called = action == "fetch" ? "fetch of output \"" + name + "\""
                                               : action + " as \"" + name + "\"" + at_line(site);
  const std::string where =
      to.empty() ? "be shared among " + list_text(members) + " by " + protocol : "go to " + to;
  return called + " in step " + std::to_string(step + 1) + ": " + type + " of " + label->str() +
         " would " + where;
}

CheckedPlan check_plan(const ReleasePlan& plan) { return Check(plan).run(); }

Approval approval_of(const ReleasePlan& plan, const CheckedPlan& checked,
                     const std::string& owner) {
  Approval approval;
  approval.owner = owner;
  approval.driver = plan.driver;
  for (const PlannedRelease& planned : checked.releases) {
    if (!planned.owners().contains(owner)) continue;
    if (!planned.unsettled.empty()) {
      throw Error(Code::kInvalid,
                  planned.str() + " cannot be approved: " + list_text(planned.unsettled));
    }
    ApprovedRelease release{planned.lineage.pattern,
                            planned.to,
                            {planned.members.begin(), planned.members.end()},
                            planned.protocol,
                            planned.sources_of(owner),
                            planned.str()};
    for (const std::string& claim : planned.claims) release.what += "; " + claim;
    approval.releases.push_back(std::move(release));
  }
  if (approval.releases.empty()) {
    throw Error(Code::kInvalid, "nothing in this plan needs the consent of " + owner);
  }
  return approval;
}

}  // namespace curia
