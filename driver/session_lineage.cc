// Session::lineage: asks each party for its part of the tree. A worker remembers how the latest
// results of a session were made; what it lost with a restart, the session may know itself.
#include <deque>
#include <map>
#include <utility>

#include "driver/session_state.h"
#include "protocol/lineage.h"

namespace curia {
namespace {

// What a session knows of a run, in the words of the worker.
DescribeReply told_by(const Recipe& recipe, std::uint32_t output) {
  DescribeReply reply;
  reply.type = recipe.type_of(output);
  MadeBy& made = reply.made.emplace();
  made.site = recipe.site;
  if (recipe.is_put()) {
    made.op = "put";
    return reply;
  }
  const Prepared& program = *recipe.program;
  reply.program = program.digest.hex();
  reply.output = program.graph.outputs[output].name;
  made.task = recipe.task;
  made.name = program.graph.name;
  if (const Op* op = op_of(program.graph, program.verified, program.graph.outputs[output].value)) {
    made.op = op->name;
    made.site = program.graph.site_of(*op);
  }
  const std::lock_guard lock(recipe.recipes->mutex());
  reply.lineage = recipe.outputs[output].lineage;
  for (const External& external : externals(program.graph, program.verified)) {
    MadeOf of{.dataset = external.kind == External::Kind::kDataset,
              .name = external.name,
              .uri = external.kind == External::Kind::kLoad ? external.name : "",
              .party = external.holders.front(),
              .type = external.type,
              .site = external.site};
    if (external.kind == External::Kind::kInput) {
      if (external.number >= recipe.inputs.size()) continue;  // forgotten
      const RecipeInput& input = recipe.inputs[external.number];
      of.uri = (input.maker == nullptr ? input.other.uri() : input.maker->outputs[input.output].uri)
                   .str();
    }
    made.of.push_back(std::move(of));
  }
  made.more = recipe.forgotten;
  return reply;
}

}  // namespace

// Finds nodes from the nearest on.
class LineageSearch {
 public:
  LineageSearch(Session::State& state, std::size_t most) : state_(state), most_(most) {}

  LineageTree find(const std::string& uri, const std::string& party, const Type& type,
                   RecipeInput known) {
    add(uri, party, type, std::move(known));
    bool first = true;
    while (!open_.empty()) {
      const Open next = std::move(open_.front());
      open_.pop_front();
      look(next, std::exchange(first, false));
    }
    return std::move(tree_);
  }

 private:
  struct Open {
    std::size_t node = 0;
    std::string party;
    RecipeInput known;
  };

  // The number of the node. REQUIRES: there is one, or room for it.
  std::size_t add(const std::string& uri, const std::string& party, const Type& type,
                  RecipeInput known) {
    const auto [at, fresh] = numbers_.emplace(uri, tree_.nodes.size());
    if (!fresh) return at->second;
    LineageNode node;
    node.what = uri.starts_with("mem:") ? "value" : "stored";
    node.name = uri;
    node.party = party;
    node.type = type;
    tree_.nodes.push_back(std::move(node));
    open_.push_back({at->second, party, std::move(known)});
    return at->second;
  }

  void look(const Open& open, bool is_root) {
    DescribeReply reply;
    std::string state;
    try {
      DescribeRequest request;
      request.uri = tree_.nodes[open.node].name;
      request.after = is_root ? state_.connection.last_sequence(open.party) : 0;
      request.lineage = true;
      reply = decode<DescribeReply>(
          state_.connection.call(open.party, Kind::kDescribe, encode(request), kQueryTimeout));
      state = reply.state;
    } catch (const Error& error) {
      if (open.known.maker == nullptr) {
        if (is_root) throw;
        tree_.nodes[open.node].state = "unknown";
        return;
      }
      const bool lost = error.code() != Code::kNotFound || state_.connection.restarts() != 0;
      state = lost ? "lost" : "released";
    }
    if (!reply.made && open.known.maker != nullptr) {
      const DescribeReply own = told_by(*open.known.maker, open.known.output);
      reply.made = own.made;
      if (reply.program.empty()) {
        reply.program = own.program;
        reply.output = own.output;
        reply.lineage = own.lineage;
      }
    }
    take(open, reply, state);
  }

  void take(const Open& open, const DescribeReply& reply, const std::string& state) {
    LineageNode& node = tree_.nodes[open.node];
    node.state = state;
    node.digest = reply.program;
    node.output = reply.output;
    node.lineage = reply.lineage;
    if (!reply.made) return;
    node.program = reply.made->name;
    node.task = reply.made->task;
    node.op = reply.made->op;
    node.site = reply.made->site;
    node.more = reply.made->more;
    std::size_t input = 0;
    for (const MadeOf& of : reply.made->of) {
      const std::size_t number = input++;
      if (tree_.nodes.size() >= most_ && !numbers_.contains(of.uri)) {
        tree_.nodes[open.node].more = true;
        continue;
      }
      const std::size_t child = of.dataset
                                    ? add_dataset(of)
                                    : add(of.uri, of.party, of.type, maker_of(open.known, number));
      const bool named = !of.dataset && of.uri != of.name;
      tree_.nodes[open.node].inputs.push_back({named ? of.name : "", child});
    }
  }

  static RecipeInput maker_of(const RecipeInput& known, std::size_t input) {
    if (known.maker == nullptr) return {};
    const std::lock_guard lock(known.maker->recipes->mutex());
    const auto& inputs = known.maker->inputs;
    return input < inputs.size() ? inputs[input] : RecipeInput{};
  }

  std::size_t add_dataset(const MadeOf& of) {
    LineageNode node;
    node.what = "dataset";
    node.name = of.name;
    node.party = of.party;
    node.type = of.type;
    node.site = of.site;
    node.state = "unknown";
    try {
      const Digest snapshot = state_.describe_dataset(of.party, of.name).lineage;
      const bool same =
          of.lineage.empty() || dataset_lineage(of.party, of.name, snapshot).id == of.lineage;
      node.state = same ? "present" : "changed";
      if (same && !of.lineage.empty()) node.lineage = snapshot;
    } catch (const Error&) {
      // It has no such dataset any more, or cannot be reached.
    }
    tree_.nodes.push_back(std::move(node));
    return tree_.nodes.size() - 1;
  }

  Session::State& state_;
  const std::size_t most_;
  LineageTree tree_;
  std::map<std::string, std::size_t> numbers_;  // by URI
  std::deque<Open> open_;
};

LineageTree Session::lineage(const Ref& ref, std::size_t most) {
  const std::vector<std::string> parties = ref.parties();
  expect(!parties.empty(), "this reference does not say who holds the secret; use a saved one");
  std::string uri;
  RecipeInput known;
  {
    const std::lock_guard lock(state_->recipes->mutex());
    known = state_->recipes->find_held(ref, uri);
  }
  return LineageSearch(*state_, most).find(uri, parties[0], ref.type(), std::move(known));
}

}  // namespace curia
