// The rule of labels (R1), stated once more as a graph of influences: the label of a value is the
// set of sources from which it can be reached. analyze_flow() says the same of random programs.
#include <doctest/doctest.h>

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "graphs.h"
#include "protocol/flow.h"
#include "protocol/op_table.h"

using namespace curia;
using namespace curia::test;

namespace {

const Digest kProgram = sha256({});

// What influences what. Nodes are numbers; sources are named by the number of their External.
class Influences {
 public:
  Influences(const Graph& graph, const Verified& verified) {
    const std::vector<External> outside = externals(graph, verified);
    for (std::size_t i = 0; i < outside.size(); ++i) {
      const int node = fresh();
      sources_.push_back(node);
      if (outside[i].kind == External::Kind::kInput) {
        values_.push_back(fresh());
        edge(node, values_.back());
      } else {
        source_of_op_[outside[i].number] = node;
      }
    }
    values_ = region(graph.ops, verified.body, values_, fresh());
  }

  std::set<std::size_t> of_value(ValueId id) const { return reaching(values_.at(id)); }
  // Of what the release of this op would show.
  std::set<std::size_t> of_release(std::uint32_t op) const { return reaching(shown_.at(op)); }
  std::size_t releases() const { return shown_.size(); }

 private:
  int fresh() {
    before_.emplace_back();
    return static_cast<int>(before_.size()) - 1;
  }
  void edge(int from, int to) { before_[static_cast<std::size_t>(to)].push_back(from); }

  // The nodes of a region's values. governs: of what decides whether it runs.
  std::vector<int> region(const std::vector<Op>& ops, const TypedRegion& typed,
                          std::vector<int> values, int governs) {
    for (std::size_t i = 0; i < ops.size(); ++i) {
      const Op& op = ops[i];
      std::vector<int> results;
      for (std::int64_t r = 0; r < result_count(op); ++r) results.push_back(fresh());
      for (const int result : results) edge(governs, result);
      std::vector<int> operands;
      for (const ValueId id : op.operands) operands.push_back(values[id]);
      if (op.regions.empty()) {
        plain(op, typed.ops[i], operands, results, governs);
      } else {
        control(op, typed.ops[i], operands, results, governs);
      }
      values.insert(values.end(), results.begin(), results.end());
    }
    return values;
  }

  void plain(const Op& op, const TypedOp& typed, const std::vector<int>& operands,
             const std::vector<int>& results, int governs) {
    std::vector<int> from = operands;
    if (const auto source = source_of_op_.find(typed.number); source != source_of_op_.end()) {
      from.push_back(source->second);
    }
    for (const int result : results) {
      for (const int node : from) edge(node, result);
    }
    if (op.name != "transfer" && op.name != "share" && op.name != "reveal") return;
    const int shown = shown_[typed.number] = fresh();
    edge(operands[0], shown);
    edge(governs, shown);
  }

  void control(const Op& op, const TypedOp& typed, const std::vector<int>& operands,
               const std::vector<int>& results, int governs) {
    const bool branches = op.name == "cond";
    const int steers = fresh();
    edge(governs, steers);
    for (const int result : results) edge(steers, result);
    if (branches) edge(operands[0], steers);
    if (op.name != "for") shown_[typed.number] = steers;
    std::vector<std::vector<int>> params;
    for (std::size_t r = 0; r < op.regions.size(); ++r) {
      const Region& inside = op.regions[r];
      params.emplace_back();
      for (std::size_t p = 0; p < inside.params.size(); ++p) {
        params[r].push_back(fresh());
        edge(operands[operands.size() - inside.params.size() + p], params[r][p]);
      }
      const std::vector<int> values = region(inside.ops, typed.regions[r], params[r], steers);
      if (op.name == "while" && r == 0) {
        edge(values[inside.results[0]], steers);
        continue;
      }
      for (std::size_t k = 0; k < inside.results.size(); ++k) {
        const int result = values[inside.results[k]];
        edge(result, results[k]);
        if (branches) continue;
        // No round at all, or one more with what this one gave.
        edge(operands[k], results[k]);
        for (const std::vector<int>& of_region : params) {
          edge(result, of_region[k]);
          edge(steers, of_region[k]);
        }
      }
    }
  }

  std::set<std::size_t> reaching(int node) const {
    std::vector<bool> seen(before_.size());
    std::vector<int> open{node};
    while (!open.empty()) {
      const auto at = static_cast<std::size_t>(open.back());
      open.pop_back();
      if (seen[at]) continue;
      seen[at] = true;
      open.insert(open.end(), before_[at].begin(), before_[at].end());
    }
    std::set<std::size_t> found;
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      if (seen[static_cast<std::size_t>(sources_[i])]) found.insert(i);
    }
    return found;
  }

  std::vector<std::vector<int>> before_;
  std::vector<int> sources_;
  std::map<std::uint32_t, int> source_of_op_;
  std::map<std::uint32_t, int> shown_;
  std::vector<int> values_;
};

// External i is labelled with the owner "<i>".
std::set<std::size_t> numbers_in(const Label& label) {
  std::set<std::size_t> found;
  for (const auto& [source, programs] : label.sources) {
    CHECK(programs == std::set<Digest>{kProgram});
    found.insert(std::stoul(source.owner));
  }
  return found;
}

void note_names(const std::vector<Op>& ops, std::set<std::string>& names) {
  for (const Op& op : ops) {
    names.insert(op.name);
    for (const Region& region : op.regions) note_names(region.ops, names);
  }
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kGraphs = 600;
#else
constexpr int kGraphs = 4000;
#endif
constexpr int kMostGraphs = 5000;

}  // namespace

TEST_CASE("Flow: a label is the union of those of operands and predicates, whatever the op") {
  Random random(11);
  std::set<std::string> names;
  std::size_t releases = 0;
  // Rare ops may take more graphs.
  const auto rare_left = [&] { return names.size() < op_table().size(); };
  for (int round = 0; round < kGraphs || (rare_left() && round < kMostGraphs); ++round) {
    Graph graph = random_graph(random);
    Verified verified = verify(graph);
    graph.outputs.clear();
    for (ValueId id = 0; id < verified.body.types.size(); ++id) {
      const Type& type = verified.body.types[id];
      const bool open_on_device = !type.is_secret() && find_device(graph.devices, type.device);
      if (!open_on_device) graph.outputs.push_back({"v" + std::to_string(id), id});
    }
    verified = verify(graph);
    note_names(graph.ops, names);
    std::vector<LabelPtr> labels;
    for (std::size_t i = 0; i < externals(graph, verified).size(); ++i) {
      auto label = std::make_shared<Label>();
      label->sources[{std::to_string(i), ""}];
      labels.push_back(std::move(label));
    }
    const Flow flow = analyze_flow(graph, verified, kProgram, "dora", labels);
    const Influences expected(graph, verified);
    for (std::size_t i = 0; i < flow.outputs.size(); ++i) {
      INFO("graph " << round << ", value " << i);
      REQUIRE(numbers_in(*flow.outputs[i]) == expected.of_value(graph.outputs[i].value));
    }
    CHECK(flow.releases.size() == expected.releases());
    for (const ReleasePoint& release : flow.releases) {
      INFO("graph " << round << ", release at op " << release.op);
      REQUIRE(numbers_in(*release.label) == expected.of_release(release.op));
    }
    releases += flow.releases.size();
  }
  CHECK(releases > static_cast<std::size_t>(kGraphs) / 4);
  for (const OpSpec& spec : op_table()) {
    INFO(spec.name);
    CHECK(names.contains(std::string(spec.name)));
  }
}
