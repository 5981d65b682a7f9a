#include "protocol/flow.h"

#include <algorithm>
#include <functional>
#include <map>

#include "protocol/calls.h"
#include "protocol/op_table.h"

namespace curia {
namespace {

LabelPtr join(const LabelPtr& a, const LabelPtr& b) {
  if (a == b || a->covers(*b)) return a;
  if (b->covers(*a)) return b;
  auto both = std::make_shared<Label>(*a);
  both->merge(*b);
  return both;
}

void collect(const Graph& graph, const std::vector<Op>& ops, const std::vector<TypedOp>& typed,
             const std::vector<Type>& types, std::vector<External>& out) {
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const Op& op = ops[i];
    const bool dataset = op.name == "dataset";
    if (dataset || op.name == "load") {
      const auto range = op.attrs.find("range");
      out.push_back({dataset ? External::Kind::kDataset : External::Kind::kLoad,
                     typed[i].number,
                     op.device,
                     {op.device},
                     std::get<std::string>(op.attrs.at(dataset ? "name" : "uri")),
                     types[typed[i].first_result],
                     range == op.attrs.end() ? Ranges{} : std::get<Ranges>(range->second),
                     op.name,
                     graph.site_of(op)});
    }
    for (std::size_t r = 0; r < op.regions.size(); ++r) {
      collect(graph, op.regions[r].ops, typed[i].regions[r].ops, typed[i].regions[r].types, out);
    }
  }
}

using Labels = std::vector<LabelPtr>;

class Analysis {
 public:
  Analysis(const Graph& graph, const Verified& verified, const std::string& driver,
           std::map<std::uint32_t, LabelPtr> sources,
           std::function<Digest(std::uint32_t)> charge_of, Flow& flow)
      : graph_(graph),
        verified_(verified),
        driver_(driver),
        sources_(std::move(sources)),
        charge_of_(std::move(charge_of)),
        flow_(flow) {}

  // Labels of all values of a region, given those of its parameters. `governs`: of the predicates
  // around it. Releases are noted only when `final`: before that, loops are still being explored.
  Labels region(const std::vector<Op>& ops, const TypedRegion& typed, Labels values,
                const LabelPtr& governs, bool final) {
    for (std::size_t i = 0; i < ops.size(); ++i) {
      const Labels results = step(ops[i], typed, typed.ops[i], values, governs, final);
      values.insert(values.end(), results.begin(), results.end());
    }
    return values;
  }

 private:
  Labels step(const Op& op, const TypedRegion& around, const TypedOp& typed, const Labels& values,
              const LabelPtr& governs, bool final) {
    if (op.name == "cond") return cond(op, typed, values, governs, final);
    if (op.name == "while" || op.name == "for") return loop(op, typed, values, governs, final);
    if (is_call(op)) return call(op, typed, values, governs, final);
    LabelPtr label = governs;
    if (const auto source = sources_.find(typed.number); source != sources_.end()) {
      label = join(label, source->second);
    }
    for (const ValueId operand : op.operands) label = join(label, values[operand]);
    if (find_op(op.name)->dp) label = released(op, typed, *label);
    if (final) note_op(typed, label);
    if (final) note_move(op, typed, around, label);
    if (final && op.name == "save") flow_.saves.push_back(label);
    const bool last = &typed == &around.ops.back();
    const std::size_t after = last ? around.types.size() : (&typed + 1)->first_result;
    return Labels(after - typed.first_result, label);
  }

  // What the rows were is hidden by the noise: those of one dataset, as verify() has seen. All else
  // was public or released before.
  LabelPtr released(const Op& op, const TypedOp& typed, const Label& rows) const {
    auto label = std::make_shared<Label>(rows);
    const auto delta = op.attrs.find("delta");
    const Charge charge{std::get<double>(op.attrs.at("epsilon")),
                        delta == op.attrs.end() ? 0 : std::get<double>(delta->second)};
    for (const auto& [source, programs] :
         sources_.at(verified_.row_wise.at(typed.number))->sources) {
      label->release(source, charge_of_(typed.number), charge);
    }
    return label;
  }

  Labels cond(const Op& op, const TypedOp& typed, const Labels& values, const LabelPtr& governs,
              bool final) {
    const LabelPtr predicate = join(governs, values[op.operands[0]]);
    if (final) note_predicate(op, typed, op.device, predicate);
    Labels params;
    for (std::size_t i = 1; i < op.operands.size(); ++i) params.push_back(values[op.operands[i]]);
    Labels merged;
    for (std::size_t r = 0; r < op.regions.size(); ++r) {
      const Region& region_of = op.regions[r];
      const Labels inner = region(region_of.ops, typed.regions[r], params, predicate, final);
      for (std::size_t i = 0; i < region_of.results.size(); ++i) {
        const LabelPtr label = join(predicate, inner[region_of.results[i]]);
        if (r == 0) {
          merged.push_back(label);
        } else {
          merged[i] = join(merged[i], label);
        }
      }
    }
    return merged;
  }

  Labels call(const Op& op, const TypedOp& typed, const Labels& values, const LabelPtr& governs,
              bool final) {
    Labels params;
    for (const ValueId operand : op.operands) params.push_back(values[operand]);
    const Region& body = op.regions[0];
    const Labels inner = region(body.ops, typed.regions[0], std::move(params), governs, final);
    Labels results;
    for (const ValueId result : body.results) results.push_back(inner[result]);
    return results;
  }

  Labels loop(const Op& op, const TypedOp& typed, const Labels& values, const LabelPtr& governs,
              bool final) {
    const bool has_condition = op.name == "while";
    const auto carried = static_cast<std::size_t>(std::get<std::int64_t>(op.attrs.at("carried")));
    const std::size_t body = op.regions.size() - 1;
    Labels params;
    for (const ValueId operand : op.operands) params.push_back(join(governs, values[operand]));
    LabelPtr steer = governs;
    // Labels only grow and are bounded by the program's sources, so this ends.
    for (bool last = false;;) {
      const Labels before = params;
      const LabelPtr steer_before = steer;
      const bool note_now = last && final;
      if (has_condition) {
        const Labels inner = region(op.regions[0].ops, typed.regions[0], params, steer, note_now);
        steer = join(steer, inner[op.regions[0].results[0]]);
        if (note_now) note_predicate(op, typed, op.device, steer);
      }
      const Labels inner =
          region(op.regions[body].ops, typed.regions[body], params, steer, note_now);
      for (std::size_t i = 0; i < carried; ++i) {
        params[i] = join(join(params[i], steer), inner[op.regions[body].results[i]]);
      }
      if (last) break;
      last = steer->covers(*steer_before) && steer_before->covers(*steer) && params == before;
    }
    params.resize(carried);
    return params;
  }

  void note_op(const TypedOp& typed, const LabelPtr& label) {
    if (flow_.ops.size() <= typed.number) flow_.ops.resize(typed.number + std::size_t{1});
    flow_.ops[typed.number] = label;
  }

  void note_predicate(const Op& op, const TypedOp& typed, const std::string& holder,
                      const LabelPtr& label) {
    std::vector<std::string> to;
    for (const std::string& party : typed.parties) {
      if (party != holder) to.push_back(party);
    }
    to.push_back(driver_);
    note(ReleasePoint::Kind::kPredicate, op, typed, {holder}, std::move(to), label);
  }

  void note_move(const Op& op, const TypedOp& typed, const TypedRegion& around,
                 const LabelPtr& label) {
    using Kind = ReleasePoint::Kind;
    if (op.name != "transfer" && op.name != "share" && op.name != "reveal") return;
    const std::string& place = around.types[op.operands[0]].device;
    if (op.name == "transfer") return note(Kind::kTransfer, op, typed, {place}, {op.device}, label);
    const bool share = op.name == "share";
    const SecureDevice& device = *find_device(graph_.devices, share ? op.device : place);
    if (share) {
      note(Kind::kShare, op, typed, {place}, device.members, label);
    } else {
      note(Kind::kReveal, op, typed, device.members, {op.device}, label);
    }
    flow_.releases.back().device = device;
  }

  void note(ReleasePoint::Kind kind, const Op& op, const TypedOp& typed,
            std::vector<std::string> from, std::vector<std::string> to, const LabelPtr& label) {
    const auto given = op.attrs.find("label");
    const std::string name = given == op.attrs.end() ? "op" + std::to_string(typed.number)
                                                     : std::get<std::string>(given->second);
    flow_.releases.push_back({kind,
                              typed.number,
                              op.name,
                              name,
                              graph_.site_of(op),
                              std::move(from),
                              std::move(to),
                              {},
                              label});
  }

  const Graph& graph_;
  const Verified& verified_;
  const std::string& driver_;
  std::map<std::uint32_t, LabelPtr> sources_;
  std::function<Digest(std::uint32_t)> charge_of_;  // by number of the op
  Flow& flow_;
};

}  // namespace

std::vector<External> externals(const Graph& graph, const Verified& verified) {
  std::vector<External> out;
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    const GraphInput& input = graph.inputs[i];
    out.push_back({External::Kind::kInput,
                   static_cast<std::uint32_t>(i),
                   input.type.device,
                   holders(graph.devices, input.type.device),
                   input.name,
                   input.type,
                   input.ranges,
                   "",
                   {}});
  }
  const auto first_op = static_cast<std::ptrdiff_t>(out.size());
  collect(graph, graph.ops, verified.body.ops, verified.body.types, out);
  std::stable_sort(out.begin() + first_op, out.end(),
                   [](const External& a, const External& b) { return a.number < b.number; });
  return out;
}

Flow analyze_flow(const Graph& graph, const Verified& verified, const Digest& program,
                  const std::string& driver, const std::vector<LabelPtr>& labels,
                  const Digest& run) {
  const std::vector<External> outside = externals(graph, verified);
  expect(outside.size() == labels.size(), "one label for each input, dataset and load");
  Labels inputs;
  std::map<std::uint32_t, LabelPtr> sources;
  for (std::size_t i = 0; i < outside.size(); ++i) {
    auto label = std::make_shared<Label>(*labels[i]);
    label->pass(program);
    if (outside[i].kind == External::Kind::kInput) {
      inputs.push_back(std::move(label));
    } else {
      sources[outside[i].number] = std::move(label);
    }
  }
  Flow flow;
  const auto charge_of = [&](std::uint32_t op) { return charge_id(program, run, op); };
  Analysis analysis(graph, verified, driver, std::move(sources), charge_of, flow);
  const Labels values =
      analysis.region(graph.ops, verified.body, inputs, std::make_shared<Label>(), true);
  for (const GraphOutput& output : graph.outputs) {
    const auto input = aliased_input(graph, verified, output);
    flow.outputs.push_back(input ? labels[*input] : values[output.value]);
  }
  return flow;
}

}  // namespace curia
