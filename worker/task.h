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
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "protocol/calls.h"
#include "protocol/link/link.h"
#include "worker/member.h"
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
  std::optional<std::uint32_t> input;  // whose object it is another name of
};

class Task {
 public:
  Task(Parts& parts, Plan& plan, TaskInfo info,
       std::map<std::string, std::shared_ptr<Lane>>& lanes);

  // Runs all but the calls. inputs: one for each input of the graph, empty where it belongs to
  // another party. Returns what this party stores. Errors: whatever went wrong first, here or at
  // another party; the caller tells the others (Lane::abort).
  std::vector<TaskOutput> run(const std::vector<Object>& inputs);
  // Whether there is another call, which call() runs as run() does the rest.
  bool calls() const { return next_part_ < plan_.parts; }
  std::vector<TaskOutput> call();
  // At the end: of all that came in, in the order of Plan::outside.
  const std::vector<Lineage>& lineages() const { return lineages_; }
  // At the end: what the ops on secure devices took, by number.
  std::vector<MpcUse> mpc_uses() const;

 private:
  using Values = std::vector<ValuePtr>;

  void load_outside(const std::vector<Object>& inputs);
  bool here(const External& external) const;
  // What shares of an input may be used for: those of the graph's device. Returns their instance.
  Digest check_share(const External& external, const Object& object) const;
  static void take_ranges(const External& external, const Dataset& dataset);
  void take_ranges(const External& external, const Object& object, ValuePtr& value) const;
  void preflight();
  // For the audit log: the driver gave another party another program.
  void note_different(const std::string& peer, const Digest& theirs) const;
  void take_inputs(const std::map<std::string, struct Preflight>& all);
  void join_devices(const std::map<std::string, struct Preflight>& all,
                    const std::map<std::string, Digest>& pair_secrets);
  void ask_consents(const Flow& flow);
  std::vector<TaskOutput> part();
  Values region(const std::vector<Op>& ops, const TypedRegion& typed, Values values);
  // Some of its ops; their results join `values`.
  void step_through(const std::vector<Op>& ops, const TypedRegion& typed, PartOps which,
                    Values& values);
  Values step(const Op& op, const TypedRegion& around, const TypedOp& typed, const Values& values);
  // On secure devices: task_secure.cc.
  ValuePtr in_place_of_failure(const Op& op, const Type& type, const TypedOp& typed);
  Values share(const Op& op, const TypedRegion& around, const TypedOp& typed, const Values& values);
  Values reveal(const Op& op, const TypedRegion& around, const TypedOp& typed,
                const Values& values);
  Values on_device(const Op& op, const TypedRegion& around, const TypedOp& typed,
                   const Values& values);
  void note_move(const TypedOp& typed, std::int64_t bytes_sent);
  Values run_kernel(const Op& op, const TypedRegion& around, const TypedOp& typed, Values operands,
                    const std::string& device, int owner_rank, int to_rank);
  // The value, or what can be read when the op has ended.
  ValuePtr to_send(const ValuePtr& value, const Account& account);
  // Stands for a value that was too large to be received.
  ValuePtr no_room(const std::string& from, const Op& op) const;
  Values transfer(const Op& op, const Type& from, const TypedOp& typed, const Values& values);
  Values cond(const Op& op, const TypedOp& typed, const Values& values);
  Values in_call(const Op& op, const TypedOp& typed, const Values& values);
  Values loop(const Op& op, const TypedOp& typed, const Values& values);
  bool share_predicate(const Op& op, const TypedOp& typed, const ValuePtr& predicate);
  void save(const Op& op, std::uint32_t number, const Type& type, const ValuePtr& value);
  // What an op read of a file that is gone was nothing. Errors: kCorrupt.
  static void check_mapped(const Op& op, const Values& values);
  Values compute(const Op& op, const TypedRegion& around, const TypedOp& typed,
                 const Values& values);
  Values compute_rows(const Op& op, const TypedRegion& around, const TypedOp& typed,
                      const Values& values, std::uint32_t source);
  void open_memory();
  TaskMemory& memory_of(const TypedOp& typed);
  std::vector<TaskOutput> collect(std::size_t part) const;

  Lane& lane(const std::string& peer);
  // `counted`: bytes for `stats`, which must not depend on the data; kAll: head and body. Of a
  // steered program nothing is: other drivers may ask, who may not know which way it went.
  static constexpr std::int64_t kAll = -1;
  void send(const std::string& peer, const Tag& tag, Slice head, std::vector<Slice> body,
            std::int64_t counted = kAll);
  Message recv(const std::string& peer, const Tag& tag, std::int64_t max_body, const char* what,
               const Op* op, std::int64_t counted = kAll);
  Error reason_of(const std::string& peer, const Tag& tag, std::int64_t max_body,
                  const Error& late);
  Tag next_tag(const TypedOp& typed);
  void poll() const;
  std::shared_ptr<const ObjectMeta> meta(const Value& value, const Type& type, LabelPtr label,
                                         const Lineage& lineage, const std::string& output,
                                         Ranges ranges = {}) const;

  Parts& parts_;
  Plan& plan_;
  const TaskInfo info_;
  std::map<std::string, std::shared_ptr<Lane>>& lanes_;
  std::function<bool()> cancelled_;

  std::size_t next_part_ = 0;
  std::optional<Reservation> memory_of_run_;
  // Of the inputs, in the end of the whole graph; null where another party holds them, and after
  // their last use.
  Values values_;
  // One for each of plan_.outside.
  std::vector<LabelPtr> labels_;
  std::vector<Lineage> lineages_;
  std::vector<Digest> instances_;
  std::map<std::uint32_t, ValuePtr> sources_;  // datasets and loads here, by op number
  std::map<std::uint32_t, std::shared_ptr<const ObjectMeta>> inputs_;  // what is known of them
  Digest instance_;
  std::optional<RunLineage> made_;                                // set when all inputs are known
  std::map<std::string, std::unique_ptr<DeviceMember>> members_;  // by device
  std::set<std::uint32_t> told_;           // shares whose owner was told that they are wrong
  std::map<std::uint32_t, MpcUse> moves_;  // shares and reveals of parties that are no members
  const Flow* flow_ = nullptr;             // of this run; the plan's
  std::vector<LabelPtr> save_labels_;
  std::map<std::uint32_t, std::uint64_t> saves_;  // that were made, by op
  std::map<std::uint32_t, std::uint32_t> steps_;
  std::vector<std::int64_t> indices_;  // of the loops around, innermost last
  std::map<std::uint32_t, std::shared_ptr<TaskMemory>> memory_;  // by op number
};

}  // namespace curia
