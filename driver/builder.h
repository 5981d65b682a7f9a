// The recording side of Program: scopes, captured values and the numbering of values.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "driver/program.h"

namespace curia {

class Scope;

// One value: a parameter of its scope or a result of an op there. `id` is set by Scope::close().
struct Node {
  Scope* scope = nullptr;
  Type type;
  ValueId id = 0;
};
using NodePtr = std::shared_ptr<Node>;

struct OpRecord {
  Op op;  // operands are filled in by Scope::close()
  std::vector<NodePtr> operands;
  std::vector<NodePtr> results;
};

// What the regions of one control op share: the outer values they turned out to use.
struct Captures {
  std::vector<NodePtr> outer;
};

// The ops of the program or of one region.
class Scope {
 public:
  // The program's own scope has neither parent nor captures.
  Scope(Scope* parent, Captures* captures) : parent_(parent), captures_(captures) {}

  NodePtr add_param(const Type& type);
  // The node that stands for `node` here: itself, or a parameter that captures it.
  // Errors: kInvalid when it belongs to a region that is closed.
  NodePtr resolve(const NodePtr& node);
  void record(OpRecord record) { records_.push_back(std::move(record)); }

  // Numbers all values: params, one parameter for each captured value, then results in order of
  // ops. `only_needed`: leave out ops that neither `results` nor a save needs.
  Region close(const std::vector<NodePtr>& results, bool only_needed);

 private:
  std::vector<OpRecord> needed(const std::vector<NodePtr>& results) const;

  Scope* parent_;
  Captures* captures_;
  std::vector<NodePtr> params_;
  std::map<const Node*, NodePtr> captured_;
  std::vector<OpRecord> records_;
};

struct Program::Builder {
  std::string name;
  Scope root{nullptr, nullptr};
  Scope* current = &root;
  std::vector<GraphInput> inputs;
  std::vector<std::pair<std::string, NodePtr>> outputs;
  std::map<std::string, Ref> bound;
  std::vector<Site> sites;

  std::uint32_t site_number(const Here& here);
  // Records a control op whose regions were recorded in `scopes` and end with `results`.
  Arrays control(Program& program, Op op, const Arrays& operands, Captures& captures,
                 std::vector<std::unique_ptr<Scope>>& scopes, const std::vector<Arrays>& results,
                 std::size_t carried, const Here& here);
  // Runs `body` with a new scope as the current one.
  Arrays record_region(Scope& scope, const std::function<Arrays()>& body);
};

}  // namespace curia
