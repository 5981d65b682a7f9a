#include "protocol/lineage.h"

#include <utility>

namespace curia {
namespace {

Lineage leaf(const Digest& id, Hasher& pattern) {
  pattern.add(id);
  return {id, pattern.finish(), {}, true};
}

}  // namespace

// Patterns of leaves and of results have domains of their own: otherwise a plan could show an
// approver a result of someone's data as something that a driver put.
Lineage dataset_lineage(const std::string& owner, const std::string& name, const Digest& snapshot) {
  Hasher pattern("curia dataset 1");
  pattern.add(owner);
  pattern.add(name);
  return leaf(snapshot, pattern);
}

Lineage put_lineage(const std::string& principal, const Digest& id) {
  Hasher pattern("curia put 1");
  pattern.add(principal);
  return leaf(id, pattern);
}

Digest put_commitment(const Digest& salt, const Digest& content) {
  Hasher hasher("curia put commitment 1");
  hasher.add(salt);
  hasher.add(content);
  return hasher.finish();
}

RunLineage::RunLineage(const Digest& program, std::vector<Lineage> inputs, const Digest* instance)
    : program_(program), inputs_(std::move(inputs)), instance_(instance) {
  for (const Lineage& input : inputs_) {
    bound_ = bound_ && input.bound;
    for (const auto& [variable, drawn] : input.draws) {
      const auto [known, fresh] = draws_.emplace(variable, drawn);
      bound_ = bound_ && (fresh || known->second == drawn);
    }
  }
  if (instance_ != nullptr) {
    Hasher variable("curia run 1");
    variable.add(program_);
    for (const Lineage& input : inputs_) variable.add(input.pattern);
    draws_.emplace(variable.finish(), *instance_);
  }
  bound_ = bound_ && std::ssize(draws_) <= kMaxDraws;
  if (!bound_) draws_.clear();
}

Lineage RunLineage::output(std::uint32_t number) const { return make("output", number, 0); }
Lineage RunLineage::move(std::uint32_t op) const { return make("move", op, 0); }
Lineage RunLineage::save(std::uint32_t op, std::uint64_t time) const {
  return make("save", op, time);
}

Lineage RunLineage::make(std::string_view what, std::uint64_t number, std::uint64_t time) const {
  Hasher id("curia lineage 1");
  Hasher pattern("curia pattern 1");
  for (Hasher* hasher : {&id, &pattern}) {
    hasher->add(what);
    hasher->add(program_);
    hasher->add(number);
    hasher->add(time);
    hasher->add(std::uint64_t{inputs_.size()});
  }
  for (const Lineage& input : inputs_) {
    id.add(input.id);
    pattern.add(input.pattern);
  }
  if (instance_ != nullptr) id.add(*instance_);
  return {id.finish(), pattern.finish(), draws_, bound_};
}

}  // namespace curia
