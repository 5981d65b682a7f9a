#include "driver/run_again.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>

#include "driver/recipes.h"
#include "protocol/flow.h"
#include "protocol/op_table.h"

namespace curia {
namespace {

// The first op, regions included, that `wanted` takes.
const Op* first_op(const std::vector<Op>& ops, const std::function<bool(const Op&)>& wanted) {
  for (const Op& op : ops) {
    if (wanted(op)) return &op;
    for (const Region& region : op.regions) {
      if (const Op* inner = first_op(region.ops, wanted)) return inner;
    }
  }
  return nullptr;
}

// Every move of plaintext to somebody who does not own all that may have influenced it. Of inputs
// it is not known here whose they are. Shares are none: they show nothing.
std::optional<ReleasePoint> first_release(const Prepared& program, const std::string& driver) {
  const std::vector<External> outside = externals(program.graph, program.verified);
  std::vector<LabelPtr> labels;
  for (const External& external : outside) {
    auto label = std::make_shared<Label>();
    if (external.kind == External::Kind::kDataset) {
      label->sources[{external.place, external.name}];
    } else {
      label->sources[{"", ""}];  // nobody's name
    }
    labels.push_back(std::move(label));
  }
  const Flow flow = analyze_flow(program.graph, program.verified, program.digest, driver, labels);
  for (const ReleasePoint& release : flow.releases) {
    if (release.kind == ReleasePoint::Kind::kShare) continue;
    for (const auto& [source, ways] : release.label->sources) {
      for (const std::string& to : release.to) {
        if (to != source.owner) return release;
      }
    }
  }
  return std::nullopt;
}

std::string what_moves(const ReleasePoint& release) {
  std::string to;
  for (const std::string& principal : release.to) to += (to.empty() ? "" : ", ") + principal;
  return (release.kind == ReleasePoint::Kind::kPredicate ? "shows which way it goes to "
                                                         : "moves plaintext to ") +
         to;
}

}  // namespace

void RunAgain::check(const Recipe& recipe, std::uint32_t output) {
  const std::string what = recipe.str(output);
  const auto refuse = [&](const std::string& why, std::string_view op, const Site& site) {
    throw Error(Code::kFailed, what + " was lost and is not computed again: " + why)
        .at_op(op, site);
  };
  if (recipe.is_put()) {
    refuse("the driver put it at " + recipe.put_type.device + "; put it there again", "put",
           recipe.site);
  }
  bool forgotten = false;
  bool recorded = false;
  {
    const std::lock_guard lock(recipe.recipes->mutex());
    forgotten = recipe.forgotten;
    recorded =
        std::ranges::any_of(recipe.outputs, [](const auto& o) { return !o.lineage.empty(); });
  }
  if (forgotten) {
    refuse(
        "the session has forgotten what it was made of, as it remembers the latest runs only; "
        "save values of long computations now and then",
        "", recipe.site);
  }
  const Prepared& program = *recipe.program;
  const Graph& graph = program.graph;
  const std::string of = "program \"" + graph.name + "\" ";
  const auto draws = [](const Op& op) { return find_op(op.name)->random; };
  if (const Op* random = program.verified.random ? first_op(graph.ops, draws) : nullptr) {
    refuse(of + "draws randomness, which never gives the same value twice", random->name,
           graph.site_of(*random));
  }
  if (!recorded && !options_.unfinished) {
    const Op* reads =
        first_op(graph.ops, [](const Op& op) { return op.name == "dataset" || op.name == "load"; });
    if (reads != nullptr) {
      refuse(of + "had not ended, so nobody knows which snapshot it would have read; run it "
                  "again, or allow that with \"unfinished\"",
             reads->name, graph.site_of(*reads));
    }
  }
  if (!allowed_.insert(&program).second) return;
  const auto saves = [](const Op& op) { return op.name == "save"; };
  if (const Op* save = options_.saves ? nullptr : first_op(graph.ops, saves)) {
    refuse(of + "saves, which would replace what was saved there since; allow it with \"saves\"",
           save->name, graph.site_of(*save));
  }
  if (options_.releases) return;
  if (const auto release = first_release(program, driver_)) {
    refuse(of + what_moves(*release) +
               ", which its owners would have to agree to again; allow it "
               "with \"releases\"",
           release->op_name, release->site);
  }
}

}  // namespace curia
