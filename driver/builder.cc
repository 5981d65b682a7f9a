#include "driver/builder.h"

#include <algorithm>
#include <set>
#include <utility>

#include "protocol/calls.h"

namespace curia {

NodePtr Scope::add_param(const Type& type) {
  params_.push_back(std::make_shared<ValueNode>(ValueNode{mark_, type}));
  return params_.back();
}

NodePtr Scope::resolve(const NodePtr& node) {
  if (node->scope == mark_) return node;
  if (parent_ == nullptr) {
    throw Error(Code::kInvalid,
                "a value made inside a cond, for or while was used outside of it; return it from "
                "the body instead");
  }
  const NodePtr outer = parent_->resolve(node);
  auto& mine = captured_[outer.get()];
  if (mine == nullptr) {
    auto& shared = captures_->outer;
    if (std::find(shared.begin(), shared.end(), outer) == shared.end()) shared.push_back(outer);
    mine = std::make_shared<ValueNode>(ValueNode{mark_, outer->type});
  }
  return mine;
}

std::vector<OpRecord> Scope::needed(const std::vector<NodePtr>& results,
                                    std::set<const ValueNode*>& wanted) const {
  for (const NodePtr& result : results) wanted.insert(result.get());
  std::vector<OpRecord> kept;
  for (auto at = records_.rbegin(); at != records_.rend(); ++at) {
    const bool used =
        at->saves || std::any_of(at->results.begin(), at->results.end(),
                                 [&](const NodePtr& node) { return wanted.contains(node.get()); });
    if (!used) continue;
    for (const NodePtr& operand : at->operands) wanted.insert(operand.get());
    kept.push_back(*at);
  }
  std::reverse(kept.begin(), kept.end());
  return kept;
}

bool Scope::saves() const {
  return std::any_of(records_.begin(), records_.end(),
                     [](const OpRecord& record) { return record.saves; });
}

void Scope::add_used(const std::vector<NodePtr>& results, std::set<const ValueNode*>& used) const {
  std::set<const ValueNode*> wanted;
  needed(results, wanted);
  for (const auto& [outer, mine] : captured_) {
    if (wanted.contains(mine.get())) used.insert(outer);
  }
}

Region Scope::close(const std::vector<NodePtr>& results) {
  Region region;
  ValueId next = 0;
  for (const NodePtr& param : params_) {
    param->id = next++;
    region.params.push_back(param->type);
  }
  if (captures_ != nullptr) {
    for (const NodePtr& outer : captures_->outer) {
      region.params.push_back(outer->type);
      if (const auto mine = captured_.find(outer.get()); mine != captured_.end()) {
        mine->second->id = next;
      }
      ++next;
    }
  }
  std::set<const ValueNode*> wanted;
  std::vector<OpRecord> records = needed(results, wanted);
  std::ranges::stable_partition(records,
                                [](const OpRecord& record) { return !is_call(record.op); });
  for (const OpRecord& record : records) {
    Op op = record.op;
    for (const NodePtr& operand : record.operands) op.operands.push_back(operand->id);
    for (const NodePtr& result : record.results) result->id = next++;
    region.ops.push_back(std::move(op));
  }
  for (const NodePtr& result : results) region.results.push_back(result->id);
  return region;
}

void Program::Builder::add_device(SecureDevice device) {
  if (const SecureDevice* known = find_device(devices, device.name)) {
    if (*known == device) return;
    throw Error(Code::kInvalid, "device \"" + device.name + "\" is " + known->str() +
                                    " already, found " + device.str() +
                                    "; give each group of parties a name of its own");
  }
  devices.push_back(std::move(device));
  try {
    check_devices(devices);
  } catch (const Error&) {
    devices.pop_back();
    throw;
  }
}

void Program::Builder::check_is_there(const NodePtr& node) const {
  if (!node->of_call) return;
  throw Error(Code::kInvalid,
              "the result of a call comes after all that is no call; compute with it in that call, "
              "or in another one");
}

std::uint32_t Program::Builder::site_number(const Here& here) {
  const Site site{here.file_name(), static_cast<std::int32_t>(here.line())};
  const auto found = std::find(sites.begin(), sites.end(), site);
  if (found != sites.end()) return static_cast<std::uint32_t>(found - sites.begin()) + 1;
  sites.push_back(site);
  return static_cast<std::uint32_t>(sites.size());
}

Arrays Program::Builder::record_region(Program& program, Scope& scope,
                                       const std::function<Arrays()>& body) {
  Scope* const before = std::exchange(current, &scope);
  try {
    Arrays results = body();
    for (Array& result : results) {
      expect(&result.program() == &program, "a result of a body belongs to another program");
      result = Array(&program, scope.resolve(result.node()));
    }
    current = before;
    return results;
  } catch (...) {
    current = before;
    throw;
  }
}

Arrays Program::Builder::control(Program& program, Op op, const Arrays& operands,
                                 Captures& captures, std::vector<std::unique_ptr<Scope>>& scopes,
                                 const std::vector<Arrays>& results, std::size_t carried,
                                 const Here& here) {
  OpRecord record;
  for (const Array& operand : operands) {
    expect(&operand.program() == &program, "an operand belongs to another program");
    record.operands.push_back(current->resolve(operand.node()));
  }
  std::vector<std::vector<NodePtr>> ends(scopes.size());
  std::set<const ValueNode*> used;
  for (std::size_t i = 0; i < scopes.size(); ++i) {
    for (const Array& result : results[i]) ends[i].push_back(result.node());
    scopes[i]->add_used(ends[i], used);
  }
  std::erase_if(captures.outer,
                [&used](const NodePtr& node) { return !used.contains(node.get()); });
  for (const NodePtr& outer : captures.outer) record.operands.push_back(outer);
  const bool calls = is_call(op);
  for (const NodePtr& operand : record.operands) {
    if (!calls) check_is_there(operand);
  }
  for (std::size_t i = 0; i < scopes.size(); ++i) {
    record.saves = record.saves || scopes[i]->saves();
    op.regions.push_back(scopes[i]->close(ends[i]));
  }
  op.site = site_number(here);
  Arrays out;
  const Arrays& shapes = results.back();
  for (std::size_t i = 0; i < carried; ++i) {
    auto node = std::make_shared<ValueNode>(ValueNode{current->mark(), shapes[i].type(), 0, calls});
    record.results.push_back(node);
    out.emplace_back(&program, std::move(node));
  }
  record.op = std::move(op);
  current->record(std::move(record));
  return out;
}

}  // namespace curia
