// One run of a program at this worker: preflight with the other parties, consents, then the ops
// whose place is here, in the program's order (SPMD: every party runs the same graph and skips the
// rest).
//
// Nothing leaves before the parties agreed on program, driver and inputs, and before every owner in
// the label of what would leave has consented.
// Owned by the session's thread, and used by it alone.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "protocol/link/link.h"
#include "worker/parts.h"
#include "worker/plan.h"
#include "worker/task_memory.h"

namespace curia {

struct TaskInfo {
  std::string driver;
  SessionId session{};
  SessionId lanes{};
  std::uint64_t task = 0;
  SteadyTime deadline = SteadyTime::max();
  const std::atomic<bool>* cancelled = nullptr;
};

struct TaskOutput {
  std::uint32_t output = 0;  // number in the graph
  ValuePtr value;
  std::shared_ptr<const ObjectMeta> meta;
};

class Task {
 public:
  Task(Parts& parts, Plan& plan, TaskInfo info,
       std::map<std::string, std::shared_ptr<Lane>>& lanes);

  // inputs: one for each input of the graph, empty where it belongs to another party. Returns what
  // this party stores. Errors: whatever went wrong first, here or at another party; the caller
  // tells the others (Lane::abort).
  std::vector<TaskOutput> run(const std::vector<Object>& inputs);

 private:
  using Values = std::vector<ValuePtr>;

  void load_outside(const std::vector<Object>& inputs);
  void preflight();
  void ask_consents(const Flow& flow);
  Values region(const std::vector<Op>& ops, const TypedRegion& typed, Values values);
  Values step(const Op& op, const TypedRegion& around, const TypedOp& typed, const Values& values);
  Values transfer(const Op& op, const Type& from, const TypedOp& typed, const Values& values);
  Values cond(const Op& op, const TypedOp& typed, const Values& values);
  Values loop(const Op& op, const TypedOp& typed, const Values& values);
  bool share_predicate(const Op& op, const TypedOp& typed, const ValuePtr& predicate);
  void save(const Op& op, const Type& type, const ValuePtr& value);
  Values compute(const Op& op, const TypedRegion& around, const TypedOp& typed,
                 const Values& values);
  TaskMemory& memory();
  std::vector<TaskOutput> collect(const Flow& flow, const Values& values);

  Lane& lane(const std::string& peer);
  // `counted`: bytes for `stats`, which must not depend on the data; kAll: head and body.
  static constexpr std::int64_t kAll = -1;
  void send(const std::string& peer, const Tag& tag, Slice head, std::vector<Slice> body,
            std::int64_t counted = kAll);
  Message recv(const std::string& peer, const Tag& tag, std::int64_t max_body, const char* what,
               const Op* op, std::int64_t counted = kAll);
  Tag next_tag(const TypedOp& typed);
  void poll() const;
  std::shared_ptr<const ObjectMeta> meta(const Type& type, LabelPtr label, const Digest& lineage,
                                         const std::string& output) const;

  Parts& parts_;
  Plan& plan_;
  const TaskInfo info_;
  std::map<std::string, std::shared_ptr<Lane>>& lanes_;
  std::function<bool()> cancelled_;

  // One for each of plan_.outside; values are null where another party holds them.
  Values values_;
  std::vector<LabelPtr> labels_;
  std::vector<Digest> lineages_;
  std::map<std::uint32_t, ValuePtr> sources_;  // datasets and loads here, by op number
  Digest instance_;
  std::vector<LabelPtr> save_labels_;
  std::map<std::uint32_t, std::uint32_t> steps_;
  std::vector<std::int64_t> indices_;   // of the loops around, innermost last
  std::unique_ptr<TaskMemory> memory_;  // made when first needed
};

}  // namespace curia
