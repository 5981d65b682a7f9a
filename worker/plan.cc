#include "worker/plan.h"

#include <algorithm>
#include <set>

#include "protocol/calls.h"
#include "protocol/graph_bytes.h"
#include "worker/release_rules.h"
#include "worker/task_memory.h"

namespace curia {
namespace {

void note_last_uses(const std::vector<Op>& ops, const std::vector<ValueId>& results,
                    const TypedRegion& typed, Plan& plan) {
  std::vector<std::uint32_t> last(typed.types.size(), 0);
  for (std::uint32_t i = 0; i < ops.size(); ++i) {
    const std::size_t end = i + 1 < ops.size() ? typed.ops[i + 1].first_result : typed.types.size();
    for (std::size_t v = typed.ops[i].first_result; v < end; ++v) last[v] = i;
    for (const ValueId operand : ops[i].operands) last[operand] = i;
    for (std::size_t r = 0; r < ops[i].regions.size(); ++r) {
      const Region& region = ops[i].regions[r];
      note_last_uses(region.ops, region.results, typed.ops[i].regions[r], plan);
    }
  }
  for (const ValueId result : results) last[result] = UINT32_MAX;
  plan.last_uses[&typed] = std::move(last);
}

// Control ops take none themselves; what comes from outside is there already.
bool takes_memory(const Op& op) {
  static const std::set<std::string_view> none{"call",    "cond", "while", "for",
                                               "dataset", "load", "save",  "loop_index"};
  return !none.contains(op.name);
}

void note_unknown_sizes(const std::vector<Op>& ops, const TypedRegion& typed, Plan& plan) {
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const TypedOp& own = typed.ops[i];
    const auto unknown = [&](std::size_t value) {
      return TaskMemory::concerns(typed.types[value]);
    };
    bool any = std::ranges::any_of(ops[i].operands, unknown);
    const std::size_t end = i + 1 < ops.size() ? typed.ops[i + 1].first_result : typed.types.size();
    for (std::size_t v = own.first_result; v < end; ++v) any = any || unknown(v);
    const bool here = std::ranges::binary_search(own.parties, plan.party);
    // Between a dataset and a dp_ op memory is open (task_rows.cc).
    const bool row_wise = plan.verified.row_wise.contains(own.number);
    if (any && here && !row_wise && takes_memory(ops[i])) plan.unknown_sizes.push_back(own.number);
    for (std::size_t r = 0; r < ops[i].regions.size(); ++r) {
      note_unknown_sizes(ops[i].regions[r].ops, own.regions[r], plan);
    }
  }
}

constexpr std::int64_t kQuickOps = 16;
constexpr std::int64_t kQuickBytes = 64 << 10;

// The types tell how much work and memory the ops are only where they tell every size.
bool is_quick(const Plan& plan) {
  if (!plan.others.empty() || plan.verified.ops > kQuickOps || plan.result_bytes > kQuickBytes) {
    return false;
  }
  if (std::ranges::any_of(plan.verified.body.types, TaskMemory::concerns)) return false;
  for (const External& external : plan.outside) {
    if (external.kind != External::Kind::kInput || !external.type.is_tensor()) return false;
    const std::int64_t bytes = byte_count(external.type.tensor());
    if (bytes == kUnknown || bytes > kQuickBytes) return false;
  }
  return std::none_of(plan.graph.ops.begin(), plan.graph.ops.end(), [](const Op& op) {
    return !op.regions.empty() || op.name == "matmul" || op.name == "save";
  });
}

// A load of what the same program saves would make its label depend on the order of execution.
void refuse_load_of_save(const std::vector<Op>& ops, const std::vector<External>& outside,
                         const Graph& graph) {
  for (const Op& op : ops) {
    for (const Region& region : op.regions) refuse_load_of_save(region.ops, outside, graph);
    if (op.name != "save") continue;
    const auto& uri = std::get<std::string>(op.attrs.at("uri"));
    for (const External& external : outside) {
      if (external.kind == External::Kind::kLoad && external.name == uri) {
        throw Error(Code::kInvalid,
                    "this program both saves and loads " + uri + "; use the value itself")
            .at_op(op.name, graph.site_of(op));
      }
    }
  }
}

bool is_steered(const std::vector<Op>& ops) {
  return std::ranges::any_of(ops, [](const Op& op) {
    return op.name == "cond" || op.name == "while" ||
           std::ranges::any_of(op.regions,
                               [](const Region& region) { return is_steered(region.ops); });
  });
}

}  // namespace

bool Plan::uses(const SecureDevice& device) const {
  const auto places = [&](const std::vector<Type>& types) {
    return std::ranges::find(types, device.name, &Type::device) != types.end();
  };
  const auto search = [&](const auto& self, const TypedRegion& region) -> bool {
    return places(region.types) || std::ranges::any_of(region.ops, [&](const TypedOp& op) {
             return std::ranges::any_of(
                 op.regions, [&](const TypedRegion& inner) { return self(self, inner); });
           });
  };
  return search(search, verified.body);
}

const std::vector<std::uint32_t>& Plan::last_use(const TypedRegion& region) const {
  return last_uses.at(&region);
}

const Flow& Plan::flow(const std::vector<LabelPtr>& labels, const ReleaseRules& rules,
                       const Digest& run) {
  const auto same = [](const LabelPtr& a, const LabelPtr& b) { return a == b || *a == *b; };
  // What a run releases with differential privacy is its own.
  if (known_flow == nullptr || !verified.row_wise.empty() ||
      !std::equal(labels.begin(), labels.end(), flow_labels.begin(), flow_labels.end(), same)) {
    known_flow = std::make_unique<Flow>(rules.flow(graph, verified, digest, driver, labels, run));
    flow_labels = labels;
  }
  return *known_flow;
}

std::unique_ptr<Plan> make_plan(const std::string& party, const std::string& driver,
                                const Digest& digest, std::string_view graph_bytes,
                                std::string_view site_bytes) {
  auto plan = std::make_unique<Plan>();
  plan->party = party;
  plan->driver = driver;
  plan->digest = program_digest(graph_bytes);
  if (plan->digest != digest) {
    throw Error(Code::kInvalid, "the program's digest is " + plan->digest.hex() +
                                    ", but it was announced as " + digest.hex());
  }
  plan->graph = decode_graph(graph_bytes);
  if (!site_bytes.empty()) decode_sites(site_bytes, plan->graph);
  plan->verified = verify(plan->graph);
  plan->verified.range_notes = {};  // warnings are the driver's to show
  plan->outside = externals(plan->graph, plan->verified);
  refuse_load_of_save(plan->graph.ops, plan->outside, plan->graph);
  for (std::uint32_t i = 0; i < plan->graph.outputs.size(); ++i) {
    const auto places =
        holders(plan->graph.devices, plan->verified.output_type(plan->graph, i).device);
    if (std::ranges::find(places, party) == places.end()) continue;
    const GraphOutput& output = plan->graph.outputs[i];
    plan->outputs.push_back({i, part_of(plan->graph, plan->verified, output.value),
                             aliased_input(plan->graph, plan->verified, output)});
  }
  plan->parts = part_count(plan->graph);
  for (const std::string& name : plan->verified.parties) {
    if (name == party) plan->takes_part = true;
    if (name != party) plan->others.push_back(name);
  }
  if (const auto found = plan->verified.bytes.find(party); found != plan->verified.bytes.end()) {
    plan->result_bytes = found->second;
  }
  if (const auto found = plan->verified.input_bytes.find(party);
      found != plan->verified.input_bytes.end()) {
    plan->result_bytes -= found->second;
  }
  plan->quick = is_quick(*plan);
  plan->steered = is_steered(plan->graph.ops);
  std::vector<ValueId> results;
  for (const GraphOutput& output : plan->graph.outputs) results.push_back(output.value);
  note_last_uses(plan->graph.ops, results, plan->verified.body, *plan);
  note_unknown_sizes(plan->graph.ops, plan->verified.body, *plan);
  return plan;
}

}  // namespace curia
