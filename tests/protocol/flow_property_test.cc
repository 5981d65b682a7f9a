// analyze_flow() says of random programs what the rule of labels says as a graph of influences.
#include <doctest/doctest.h>

#include <set>
#include <vector>

#include "graphs.h"
#include "influences.h"
#include "protocol/calls.h"
#include "protocol/op_table.h"

using namespace curia;
using namespace curia::test;

namespace {

const Digest kProgram = sha256({});

// External i is labelled with the owner "<i>". as_it_is: the program did nothing to it.
std::set<std::size_t> numbers_in(const Label& label, bool as_it_is = false) {
  std::set<std::size_t> found;
  for (const auto& [source, programs] : label.sources) {
    CHECK(programs == (as_it_is ? std::set<Digest>{} : std::set<Digest>{kProgram}));
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
    const Influences expected(graph, verified, {});
    for (std::size_t i = 0; i < flow.outputs.size(); ++i) {
      INFO("graph " << round << ", value " << i);
      const bool alias = aliased_input(graph, verified, graph.outputs[i]).has_value();
      REQUIRE(numbers_in(*flow.outputs[i], alias) == expected.of_value(graph.outputs[i].value));
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
