#include "protocol/verify.h"

#include <algorithm>
#include <set>
#include <unordered_set>

#include "protocol/calls.h"
#include "protocol/memory.h"
#include "protocol/op_table.h"
#include "protocol/ops.h"
#include "protocol/range.h"
#include "protocol/stability.h"

namespace curia {
namespace {

using ops::brief;
using ops::in_quotes;
using ops::refuse;

// Bounds the memory and time verify itself takes: 50,000 ops on a table of 4096 columns fit a graph
// of 1 MiB.
constexpr std::int64_t kMaxTypeBytes = std::int64_t{128} << 20;
using Bytes = std::map<std::string, std::int64_t>;

std::string number(std::int64_t value) { return std::to_string(value); }

// "1 operand", "2 operands".
std::string counted(std::int64_t count, const std::string& noun) {
  return number(count) + " " + noun + (count == 1 ? "" : "s");
}

// What a region costs, beside its types.
struct Cost {
  std::int64_t steps = 0;
  Bytes own;   // what lives now, without parameters that are values around the region
  Bytes peak;  // the most so far, with the regions of one op inside
};

std::int64_t count_ops(const std::vector<Op>& ops, std::int64_t depth) {
  if (depth > kMaxRegionDepth) {
    refuse("regions are nested deeper than " + number(kMaxRegionDepth));
  }
  auto count = static_cast<std::int64_t>(ops.size());
  for (const Op& op : ops) {
    for (const Region& region : op.regions) count += count_ops(region.ops, depth + 1);
  }
  return count;
}

class Verifier {
 public:
  Verifier(const Graph& graph, const Limits& limits) : graph_(graph), limits_(limits) {}

  Verified run() {
    out_.ops = count_ops(graph_.ops, 0);
    if (out_.ops > kMaxOps) {
      refuse("expected at most " + number(kMaxOps) + " ops, found " + number(out_.ops));
    }
    check_calls(graph_);
    if (!graph_.name.empty()) check_name(graph_.name, "graph");
    check_devices(graph_.devices);
    Cost cost;
    top_ = &cost;
    inputs(cost);
    std::vector<ValueId> ends;
    for (const GraphOutput& output : graph_.outputs) ends.push_back(output.value);
    Lives lives = lives_of(graph_.ops, ends);
    for (ValueId id = 0; id < graph_.inputs.size(); ++id) lives.kept.insert(id);
    body(graph_.ops, false, graph_.inputs.size(), lives, out_.body, cost);
    outputs();
    out_.steps = cost.steps;
    out_.bytes = std::move(cost.peak);
    out_.parties.assign(parties_.begin(), parties_.end());
    if (!graph_.devices.empty()) ranges();
    out_.row_wise = row_wise_ops(graph_, out_.body);
    return std::move(out_);
  }

 private:
  const SecureDevice* secure(std::string_view name) const {
    return find_device(graph_.devices, name);
  }

  void inputs(Cost& cost) {
    std::unordered_set<std::string_view> names;
    for (const GraphInput& input : graph_.inputs) {
      check_name(input.name, "input");
      if (!names.insert(input.name).second) {
        refuse("two inputs are called " + in_quotes(input.name));
      }
      try {
        check_place(input.type);
        declared_value(input.type, out_.body.types);
        check_taken_ranges(input.ranges, input.type);
      } catch (const Error& error) {
        refuse("input " + in_quotes(input.name) + ": " + error.message());
      }
      hold(cost, input.type);
      if (!may_be_copied(input.ranges, input.type)) note_input(input.type);
    }
  }

  // Plain values have ranges too, but only secrets have limits.
  void ranges() {
    RangeAnalysis found = analyze_ranges(graph_, out_);
    out_.range_notes = std::move(found.notes);
    out_.output_ranges.resize(graph_.outputs.size());
    for (std::size_t i = 0; i < found.outputs.size(); ++i) {
      const bool secret = out_.output_type(graph_, i).is_secret();
      const Interval& range = found.outputs[i].all;
      if (secret && range.known()) out_.output_ranges[i] = {{"", range}};
    }
    for (const RangeNote& note : out_.range_notes) {
      if (note.refused) throw Error(Code::kInvalid, note.text).at_op(note.op_name, note.site);
    }
  }

  void outputs() {
    std::unordered_set<std::string_view> names;
    for (const GraphOutput& output : graph_.outputs) {
      check_name(output.name, "output");
      if (!names.insert(output.name).second) {
        refuse("two outputs are called " + in_quotes(output.name));
      }
      if (output.value >= out_.body.types.size()) {
        refuse("output " + in_quotes(output.name) + " is %" + number(output.value) +
               ", which is not defined: the graph has " +
               counted(size_of(out_.body.types), "value"));
      }
      const Type& type = out_.body.types[output.value];
      if (!type.is_secret() && secure(type.device) != nullptr) {
        refuse("output " + in_quotes(output.name) + " is " + brief(type) +
               ", public on a secure device; such values live inside of a program only");
      }
    }
  }

  // An input is a secret exactly where it is on a secure device.
  void check_place(const Type& type) const {
    const bool device = secure(type.device) != nullptr;
    if (type.is_secret() == device) return;
    refuse("expected " +
           std::string(device ? "a secret on secure device " : "no secret at party ") +
           type.device + ", found " + brief(type) +
           (device ? "; give public values as constants"
                   : "; a secret is on a secure device, which the program declares"));
  }

  // An input or parameter.
  void declared_value(const Type& type, std::vector<Type>& types) {
    check_name(type.device, "device");
    note_parties(type.device);
    add_type(type, types);
  }

  void add_type(const Type& type, std::vector<Type>& types) {
    ops::check_type(type);
    charge(type);
    types.push_back(type);
  }

  void charge(const Type& type) {
    out_.type_bytes += type_bytes(type);
    if (out_.type_bytes > kMaxTypeBytes) {
      refuse("the types of all values together take more than " + number(kMaxTypeBytes) +
             " bytes; use fewer ops on tables with many columns");
    }
  }

  void note_parties(const std::string& device) {
    for (const std::string& party : holders(graph_.devices, device)) {
      parties_.insert(party);
      if (static_cast<std::int64_t>(parties_.size()) > kMaxParties) {
        refuse("expected at most " + number(kMaxParties) + " parties, " + in_quotes(party) +
               " is one more");
      }
    }
  }

  void hold(Cost& cost, const Type& type) {
    for (const std::string& party : holders(graph_.devices, type.device)) {
      std::int64_t& own = cost.own[party];
      own += held_bytes(type);
      raise_peak(cost, party, own);
    }
  }

  void note_input(const Type& type) {
    for (const std::string& party : holders(graph_.devices, type.device)) {
      out_.input_bytes[party] += held_bytes(type);
    }
  }

  void add_holders(const std::string& device, std::set<std::string>& parties) const {
    for (std::string& party : holders(graph_.devices, device)) parties.insert(std::move(party));
  }

  // What ops[i] used for the last time goes, and what nobody uses. Of the parameters, from
  // `foreign` on, nothing was held; results follow.
  void let_go(const std::vector<Op>& ops, std::size_t i, std::size_t foreign, Lives& lives,
              const TypedRegion& typed, Cost& cost) const {
    const auto go = [&](ValueId id) {
      if (id < typed.ops[0].first_result && id >= foreign) return;
      if (lives.kept.contains(id)) return;
      const Type& type = typed.types[id];
      for (const std::string& party : holders(graph_.devices, type.device)) {
        cost.own[party] -= held_bytes(type);
      }
    };
    for (const ValueId id : ops[i].operands) {
      const auto at = lives.last_use.find(id);
      if (at == lives.last_use.end() || at->second != i) continue;
      lives.last_use.erase(at);  // it may be an operand twice
      go(id);
    }
    for (ValueId id = typed.ops[i].first_result; id < typed.types.size(); ++id) {
      if (!lives.last_use.contains(id)) go(id);
    }
  }

  void raise_peak(Cost& cost, const std::string& party, std::int64_t bytes) const {
    std::int64_t& peak = cost.peak[party];
    peak = std::max(peak, bytes);
    if (bytes > limits_.max_bytes) {
      refuse("the values at " + party + " would take " + number(bytes) +
             " bytes here, more than the limit of " + number(limits_.max_bytes) +
             "; reduce earlier, or split the graph");
    }
  }

  static std::int64_t size_of(const auto& list) { return static_cast<std::int64_t>(list.size()); }

  // held: how many of the parameters, from the first on, count in `cost`.
  void body(const std::vector<Op>& ops, bool in_for_body, std::size_t held, Lives& lives,
            TypedRegion& out, Cost& cost) {
    for (std::size_t i = 0; i < ops.size(); ++i) {
      try {
        out.ops.push_back(one(ops, i, in_for_body, lives, out, cost));
        let_go(ops, i, held, lives, out, cost);
      } catch (const Error& error) {
        const Op& op = ops[i];
        const std::string name = find_op(op.name) != nullptr ? op.name : in_quotes(op.name);
        throw error.at_op(name, graph_.site_of(op));
      }
    }
  }

  TypedOp one(const std::vector<Op>& ops, std::size_t i, bool in_for_body, Lives& lives,
              TypedRegion& out, Cost& cost) {
    const Op& op = ops[i];
    const OpSpec* spec = find_op(op.name);
    if (spec == nullptr) refuse("unknown op " + in_quotes(op.name));
    check_name(op.device, "device");
    note_parties(op.device);
    check_form(*spec, op);
    if (needs_for_body(op.name) && !in_for_body) {
      refuse("expected inside the body of a for, found outside");
    }
    out_.random = out_.random || spec->random;

    TypedOp typed;
    typed.number = next_number_++;
    typed.first_result = static_cast<ValueId>(out.types.size());
    std::set<std::string> parties;
    add_holders(op.device, parties);
    const std::vector<Type> operands = operand_types(ops, i, *spec, out.types, parties);
    const std::vector<std::vector<Type>> results =
        regions(op, operands, in_for_body, typed, parties, cost);
    add_results(op, *spec, result_types(*spec, {op, operands, results, graph_.devices}), out.types,
                lives, cost);
    typed.parties.assign(parties.begin(), parties.end());
    return typed;
  }

  std::vector<Type> operand_types(const std::vector<Op>& ops, std::size_t i, const OpSpec& spec,
                                  const std::vector<Type>& types, std::set<std::string>& parties) {
    const Op& op = ops[i];
    std::vector<Type> operands;
    for (std::size_t k = 0; k < op.operands.size(); ++k) {
      const ValueId id = op.operands[k];
      const std::string what = "operand " + number(static_cast<std::int64_t>(k));
      if (id >= types.size())
        refuse(what + " is %" + number(id) + ", " + not_yet(ops, i, id, types));
      const Type& type = types[id];
      if (spec.same_device && type.device != op.device) {
        refuse(what + " is " + brief(type) + ", but the op runs at " + op.device +
               "; move it first with " + move_to(type, op.device));
      }
      charge(type);
      add_holders(type.device, parties);
      operands.push_back(type);
    }
    return operands;
  }

  std::string move_to(const Type& type, const std::string& device) const {
    if (type.is_secret()) return "reveal";
    return secure(device) == nullptr ? "transfer" : "share";
  }

  // Why the value is not defined when ops[i] runs.
  static std::string not_yet(const std::vector<Op>& ops, std::size_t i, ValueId id,
                             const std::vector<Type>& types) {
    std::int64_t next = size_of(types);
    for (std::size_t k = i; k < ops.size(); ++k) {
      next += result_count(ops[k]);
      if (id >= next) continue;
      if (k == i) return "a result of this very op: a cycle";
      return "a result of op " + in_quotes(ops[k].name) + ", " +
             counted(static_cast<std::int64_t>(k - i), "op") +
             " later: a cycle or a wrong order; an op can only use what is defined before it";
    }
    return "which is not defined: " + number(next) +
           " values are visible here (a region sees its own parameters and results only)";
  }

  std::vector<std::vector<Type>> regions(const Op& op, const std::vector<Type>& operands,
                                         bool in_for_body, TypedOp& typed,
                                         std::set<std::string>& parties, Cost& cost) {
    std::vector<std::vector<Type>> results;
    std::vector<std::int64_t> steps;
    for (std::size_t r = 0; r < op.regions.size(); ++r) {
      const Region& region = op.regions[r];
      const std::string name(region_names(op.name)[r]);
      if (region.params.size() + (op.name == "cond" ? 1 : 0) != operands.size()) {
        refuse("expected region " + name + " to have a parameter for each of the " +
               number(size_of(operands) - (op.name == "cond" ? 1 : 0)) + " operands, found " +
               number(size_of(region.params)));
      }
      TypedRegion& typed_region = typed.regions.emplace_back();
      for (std::size_t p = 0; p < region.params.size(); ++p) {
        const Type& fed = operands[operands.size() - region.params.size() + p];
        if (region.params[p] != fed) {
          refuse("expected parameter " + number(static_cast<std::int64_t>(p)) + " of region " +
                 name + " to be " + brief(fed) + " as its operand, found " +
                 brief(region.params[p]));
        }
        declared_value(region.params[p], typed_region.types);
      }
      Cost region_cost;
      Lives lives = lives_of(region.ops, region.results);
      // A loop's state is one of the values around it in the first round only.
      const bool loop = op.name == "while" || op.name == "for";
      const std::size_t carried =
          loop ? std::min(op.regions.back().results.size(), region.params.size()) : 0;
      for (std::size_t p = 0; p < carried; ++p) {
        hold(region_cost, region.params[p]);
        // The body still needs the state that the test looks at.
        if (r + 1 < op.regions.size()) lives.kept.insert(static_cast<ValueId>(p));
      }
      body(region.ops, in_for_body || op.name == "for", carried, lives, typed_region, region_cost);
      results.push_back(region_results(region, name, typed_region));
      for (const TypedOp& inner : typed_region.ops) {
        parties.insert(inner.parties.begin(), inner.parties.end());
      }
      for (const auto& [party, bytes] : region_cost.peak) {
        raise_peak(cost, party, cost.own[party] + bytes);
      }
      steps.push_back(region_cost.steps);
    }
    add_steps(op, steps, cost);
    return results;
  }

  std::vector<Type> region_results(const Region& region, const std::string& name,
                                   const TypedRegion& typed) {
    std::vector<Type> results;
    for (const ValueId id : region.results) {
      if (id >= typed.types.size()) {
        refuse("region " + name + " gives %" + number(id) + ", which is not defined: it has " +
               counted(size_of(typed.types), "value"));
      }
      charge(typed.types[id]);
      results.push_back(typed.types[id]);
    }
    return results;
  }

  void add_steps(const Op& op, const std::vector<std::int64_t>& regions, Cost& cost) {
    std::int64_t steps = 0;
    for (const std::int64_t region : regions) steps = ops::saturating_add(steps, region);
    // Of the right kind, as check_form() has seen.
    for (const char* key : {"limit", "count"}) {
      if (regions.empty() || !op.attrs.contains(key)) continue;
      const auto times = std::max<std::int64_t>(std::get<std::int64_t>(op.attrs.at(key)), 0);
      steps = ops::saturating_multiply(std::max<std::int64_t>(steps, 1), times);
    }
    cost.steps = ops::saturating_add(cost.steps, ops::saturating_add(steps, 1));
    if (cost.steps > limits_.max_steps) {
      refuse("the graph could run " + number(cost.steps) +
             " ops up to here, more than the limit of " + number(limits_.max_steps) +
             "; lower the limit or count of its loops");
    }
  }

  void add_results(const Op& op, const OpSpec& spec, std::vector<Type> results,
                   std::vector<Type>& types, Lives& lives, Cost& cost) {
    if (size_of(results) != result_count(op)) {
      throw Error(Code::kFailed, "the type rule of " + std::string(spec.name) + " gave " +
                                     number(size_of(results)) + " results, result_count() said " +
                                     number(result_count(op)));
    }
    // Stored already: it takes none of the run's memory, unless it is copied to fit its range, and
    // lives on.
    const bool stored = &cost == top_ && (op.name == "dataset" || op.name == "load");
    for (const Type& type : results) {
      if (stored) {
        lives.kept.insert(static_cast<ValueId>(types.size()));
        if (op.name != "load" || !op.attrs.contains("range")) note_input(type);
      }
      add_type(type, types);
      hold(cost, type);
    }
  }

  const Graph& graph_;
  const Limits& limits_;
  Verified out_;
  std::set<std::string> parties_;
  std::uint32_t next_number_ = 0;
  const Cost* top_ = nullptr;  // of the graph itself
};

}  // namespace

Verified verify(const Graph& graph, const Limits& limits) { return Verifier(graph, limits).run(); }

const Op* op_of(const Graph& graph, const Verified& verified, ValueId value) {
  const Op* found = nullptr;
  for (std::size_t i = 0; i < graph.ops.size(); ++i) {
    if (verified.body.ops[i].first_result <= value) found = &graph.ops[i];
  }
  return value < graph.inputs.size() ? nullptr : found;
}

}  // namespace curia
