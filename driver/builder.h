// The recording side of Program: scopes, captured values and the numbering of values.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "driver/program.h"

namespace curia {

// Names a scope. Nodes share it, so a later scope is never taken for one that is gone.
using ScopeMark = std::shared_ptr<const char>;

// One value: a parameter of its scope or a result of an op there. `id` is set by Scope::close().
struct ValueNode {
  ScopeMark scope;
  Type type;
  ValueId id = 0;
  bool of_call = false;  // comes after all that is no call
};
using NodePtr = std::shared_ptr<ValueNode>;

struct OpRecord {
  Op op;  // operands are filled in by Scope::close()
  std::vector<NodePtr> operands;
  std::vector<NodePtr> results;
  bool saves = false;  // itself or inside of a region: it is needed though nobody uses its results
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

  const ScopeMark& mark() const { return mark_; }
  NodePtr add_param(const Type& type);
  // The node that stands for `node` here: itself, or a parameter that captures it.
  // Errors: kInvalid when it belongs to a region that is closed.
  NodePtr resolve(const NodePtr& node);
  void record(OpRecord record) { records_.push_back(std::move(record)); }
  bool saves() const;

  // Adds the outer nodes whose captures `results` or a save needs.
  void add_used(const std::vector<NodePtr>& results, std::set<const ValueNode*>& used) const;
  // Numbers all values: params, one parameter for each captured value, then results in order of
  // ops. Ops that neither `results` nor a save needs are left out.
  Region close(const std::vector<NodePtr>& results);

 private:
  // `wanted` grows by all nodes that are needed.
  std::vector<OpRecord> needed(const std::vector<NodePtr>& results,
                               std::set<const ValueNode*>& wanted) const;

  const ScopeMark mark_ = std::make_shared<const char>('s');
  Scope* parent_;
  Captures* captures_;
  std::vector<NodePtr> params_;
  std::map<const ValueNode*, NodePtr> captured_;
  std::vector<OpRecord> records_;
};

struct Program::Builder {
  std::string name;
  Scope root{nullptr, nullptr};
  Scope* current = &root;
  std::vector<GraphInput> inputs;
  std::vector<SecureDevice> devices;
  bool accepts_overflow = false;
  std::vector<std::pair<std::string, NodePtr>> outputs;
  std::map<std::string, Ref> bound;
  std::vector<Site> sites;

  std::uint32_t site_number(const Here& here);
  // Errors: kInvalid for one that is no device, or another than one of the same name.
  void add_device(SecureDevice device);
  // Records a control op whose regions were recorded in `scopes` and end with `results`.
  Arrays control(Program& program, Op op, const Arrays& operands, Captures& captures,
                 std::vector<std::unique_ptr<Scope>>& scopes, const std::vector<Arrays>& results,
                 std::size_t carried, const Here& here);
  // Errors: kInvalid for the result of a call, outside of another one.
  void check_is_there(const NodePtr& node) const;
  // Runs `body` with a new scope as the current one.
  Arrays record_region(Program& program, Scope& scope, const std::function<Arrays()>& body);
};

}  // namespace curia
