#include "protocol/calls.h"

#include <algorithm>
#include <unordered_set>

#include "protocol/ops.h"
#include "protocol/range.h"

namespace curia {
namespace {

std::size_t first_call(const Graph& graph) {
  return static_cast<std::size_t>(std::ranges::find_if(graph.ops, is_call) - graph.ops.begin());
}

// REQUIRES: not nested deeper than kMaxRegionDepth.
void refuse_inside(const Graph& graph, const std::vector<Op>& ops) {
  for (const Op& op : ops) {
    if (is_call(op)) {
      throw Error(Code::kInvalid,
                  "expected a call outside of branches, loops and other calls; put the branch or "
                  "loop into the call, or one call after the other")
          .at_op(op.name, graph.site_of(op));
    }
    for (const Region& region : op.regions) refuse_inside(graph, region.ops);
  }
}

// The op that gives a value which is no input.
std::size_t maker(const Verified& verified, ValueId value) {
  const auto after = std::ranges::upper_bound(verified.body.ops, value, {}, &TypedOp::first_result);
  return static_cast<std::size_t>(after - verified.body.ops.begin()) - 1;
}

}  // namespace

bool is_call(const Op& op) { return op.name == "call"; }

void check_calls(const Graph& graph) {
  const std::size_t first = first_call(graph);
  auto next = static_cast<ValueId>(graph.inputs.size());
  std::unordered_set<ValueId> later;  // results of calls
  for (std::size_t i = 0; i < graph.ops.size(); ++i) {
    const Op& op = graph.ops[i];
    for (const Region& region : op.regions) refuse_inside(graph, region.ops);
    if (!is_call(op)) {
      if (i > first) {
        const bool uses = std::ranges::any_of(
            op.operands, [&](ValueId operand) { return later.contains(operand); });
        throw Error(Code::kInvalid,
                    uses ? "expected operands that are there before the calls, found the result of "
                           "a call; compute with it in that call, or in another one"
                         : "expected nothing but calls after the first call")
            .at_op(op.name, graph.site_of(op));
      }
      next += static_cast<ValueId>(result_count(op));
      continue;
    }
    for (std::int64_t r = 0; r < result_count(op); ++r) later.insert(next++);
  }
}

std::size_t part_count(const Graph& graph) { return 1 + graph.ops.size() - first_call(graph); }

PartOps ops_of_part(const Graph& graph, std::size_t part) {
  const std::size_t first = first_call(graph);
  if (part == 0) return {0, first};
  return {first + part - 1, first + part};
}

std::size_t part_of(const Graph& graph, const Verified& verified, ValueId value) {
  if (value < graph.inputs.size()) return 0;
  const std::size_t first = first_call(graph), made = maker(verified, value);
  return made < first ? 0 : made - first + 1;
}

std::optional<ValueId> aliased_input(const Graph& graph, const Verified& verified,
                                     const GraphOutput& output) {
  ValueId value = output.value;
  while (value >= graph.inputs.size()) {
    const std::size_t made = maker(verified, value);
    const Op& op = graph.ops[made];
    if (!is_call(op)) return std::nullopt;
    const Region& body = op.regions[0];
    const ValueId inner = body.results[value - verified.body.ops[made].first_result];
    if (inner >= body.params.size()) return std::nullopt;
    value = op.operands[inner];
  }
  // What is made to fit a range is another value.
  const GraphInput& input = graph.inputs[value];
  if (may_be_copied(input.ranges, input.type)) return std::nullopt;
  return value;
}

}  // namespace curia
