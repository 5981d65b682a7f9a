// A session's programs and their runs.
#include <algorithm>
#include <set>
#include <utility>

#include "worker/session.h"

namespace curia {
namespace {

// A run whose results are smaller does not hold up the replies before it.
constexpr std::int64_t kQuickBytes = 256 << 10;

}  // namespace

std::string WorkerSession::prepare(std::string_view metadata) {
  const auto request = decode<PrepareRequest>(metadata);
  if (plans_.contains(request.digest)) return encode(Nothing{});
  try {
    check_room(request);
    auto plan = make_plan(parts_.party, driver_, request.digest, request.graph, request.sites);
    if (!plan->takes_part) {
      throw Error(Code::kInvalid, "this program has no part at " + parts_.party);
    }
    const std::int64_t types = plan->verified.own_bytes();
    if (types > kMaxPreparedTypes - prepared_types_) {
      throw Error(Code::kQuota, "the types of a session's programs take at most " +
                                    std::to_string(kMaxPreparedTypes >> 20) +
                                    " MiB together, and this one has " + std::to_string(types) +
                                    " bytes; open another session");
    }
    plans_.emplace(request.digest, std::move(plan));
    prepared_bytes_ += std::ssize(request.graph) + std::ssize(request.sites);
    prepared_types_ += types;
    if (parts_.audit != nullptr) {
      AuditRecord record;
      record.kind = AuditKind::kPrepared;
      record.principal = driver_;
      record.session = hex_;
      record.fields = {{"program", request.digest.hex()}};
      parts_.audit->note(std::move(record));
    }
  } catch (const Error& error) {
    // Runs of it are on their way already: they fail with this error.
    if (std::ssize(bad_plans_) < kMaxPrepared || bad_plans_.contains(request.digest)) {
      bad_plans_.insert_or_assign(request.digest, error.at_party(parts_.party));
    }
    throw;
  }
  return encode(Nothing{});
}

void WorkerSession::check_room(const PrepareRequest& request) const {
  if (std::ssize(plans_) + std::ssize(bad_plans_) >= kMaxPrepared) {
    throw Error(Code::kQuota, "a session holds at most " + std::to_string(kMaxPrepared) +
                                  " programs; open another session");
  }
  const std::int64_t bytes = std::ssize(request.graph) + std::ssize(request.sites);
  if (bytes > kMaxPreparedBytes - prepared_bytes_) {
    throw Error(Code::kQuota, "the programs of a session hold at most " +
                                  std::to_string(kMaxPreparedBytes >> 20) +
                                  " MiB together; open another session");
  }
}

void WorkerSession::check_outputs(const Plan& plan, const RunRequest& request) const {
  std::set<std::string_view> names;
  for (const Plan::Output& output : plan.outputs) {
    const std::string& name = request.outputs[output.number];
    check_is_mem(Uri::parse(name));
    if (!names.insert(name).second) {
      throw Error(Code::kInvalid, "two outputs of a run have the URI " + name);
    }
  }
}

void WorkerSession::check_devices_accepted(const Plan& plan) const {
  if (plan.graph.devices.empty()) return;
  const std::shared_ptr<const Policy> policy = parts_.policy.get();
  for (const SecureDevice& device : plan.graph.devices) {
    if (!device.has(parts_.party) || !plan.uses(device)) continue;
    if (policy->accepts({device.members.begin(), device.members.end()}, device.protocol)) continue;
    throw Error(Code::kDenied, parts_.party + " takes no part in " + device.str() +
                                   "; its owner can add it to \"devices\" in the worker's policy");
  }
}

void WorkerSession::use_lanes(std::uint32_t number) {
  if (number == lanes_number_) return;
  if (number < lanes_number_) {
    throw Error(Code::kInvalid, "the lanes of a run have number " + std::to_string(number) +
                                    ", those of the run before " + std::to_string(lanes_number_));
  }
  if (number >= kMaxLanes) {
    throw Error(Code::kQuota, "a session outlives at most " + std::to_string(kMaxLanes - 1) +
                                  " restarts of workers; open another session");
  }
  lanes_.clear();
  lanes_ids_.push_back(lane_session(driver_, id_, LaneUse::kTasks, number));
  lanes_number_ = number;
}

void WorkerSession::begin_run(const Header& header, const RunRequest& request) {
  const std::uint64_t task = request.task;
  const std::lock_guard lock(mutex_);
  use_lanes(request.lanes);
  begun_task_ = running_task_ = task;
  cancelled_ = closed_ || header.sequence < cancel_below_ || cancelled_tasks_.contains(task);
  cancelled_tasks_.erase(cancelled_tasks_.begin(), cancelled_tasks_.upper_bound(task));
  if (cancelled_) throw Error(Code::kCancelled, "the run was cancelled before it began");
}

std::string WorkerSession::run(const Header& header, std::string_view metadata) {
  auto request = decode<RunRequest>(metadata);
  if (request.task <= last_task_) {
    throw Error(Code::kInvalid, "task numbers must rise; " + std::to_string(request.task) +
                                    " came after " + std::to_string(last_task_));
  }
  last_task_ = request.task;
  const auto found = plans_.find(request.digest);
  if (found == plans_.end()) {
    const auto bad = bad_plans_.find(request.digest);
    throw bad != bad_plans_.end()
        ? bad->second
        : Error(Code::kNotFound, "program " + request.digest.hex() + " was not prepared here");
  }
  Plan& plan = *found->second;
  if (request.inputs.size() != plan.graph.inputs.size() ||
      request.outputs.size() != plan.graph.outputs.size()) {
    throw Error(Code::kInvalid, "expected " + std::to_string(plan.graph.inputs.size()) +
                                    " input and " + std::to_string(plan.graph.outputs.size()) +
                                    " output URIs, found " + std::to_string(request.inputs.size()) +
                                    " and " + std::to_string(request.outputs.size()));
  }
  // Replies that are ready do not wait for a run that may take long.
  if (!outbox_.empty() && (!plan.others.empty() || plan.result_bytes > kQuickBytes)) flush();
  try {
    begin_run(header, request);
    check_devices_accepted(plan);
    check_outputs(plan, request);
    std::vector<Object> inputs(request.inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const auto places = holders(plan.graph.devices, plan.graph.inputs[i].type.device);
      if (std::ranges::find(places, parts_.party) == places.end()) continue;
      auto object = find(Uri::parse(request.inputs[i]));
      if (!object) {
        throw Error(Code::kNotFound, "no object " + request.inputs[i] + " for input \"" +
                                         plan.graph.inputs[i].name + "\"");
      }
      inputs[i] = std::move(*object);
    }
    TaskInfo info{driver_, id_, lanes_ids_.back(), request.task, SteadyTime::max(), &cancelled_};
    if (request.timeout_ms != 0) {
      info.deadline =
          std::chrono::steady_clock::now() + std::chrono::milliseconds(request.timeout_ms);
    }
    std::map<std::string, std::shared_ptr<Lane>> lanes;
    for (const std::string& peer : plan.others) lanes[peer] = lane_to(peer);
    // A cancel before the last of them was made did not reach it.
    if (cancelled_) throw Error(Code::kCancelled, "the run was cancelled before it began");
    RunReply reply;
    Task task(parts_, plan, std::move(info), lanes);
    store_outputs(request, inputs, task.run(inputs), reply);
    // What is there may be fetched by now.
    while (task.calls()) store_outputs(request, inputs, task.call(), reply);
    for (const auto& [peer, lane] : lanes) lane->finish(request.task);
    running_task_ = 0;
    ++parts_.counters.runs;
    if (parts_.audit != nullptr) parts_.audit->note_run(driver_, hex_, plan.digest, request.task);
    note_uses(plan, task, reply);
    std::vector<Digest> lineages;
    for (const Lineage& lineage : task.lineages()) lineages.push_back(lineage.id);
    history_.add_run(plan, std::move(request), std::move(lineages));
    return encode(reply);
  } catch (const Error& error) {
    const Error told = of_run(error);
    fail_run(plan, request, told);
    history_.add_run(plan, std::move(request), {});
    throw told;
  } catch (const std::exception&) {
    // what() of a foreign exception might quote data, so it stays here.
    const Error error =
        Error(Code::kFailed, "out of memory or another fault of the worker").at_party(parts_.party);
    fail_run(plan, request, error);
    throw error;
  }
}

void WorkerSession::store_outputs(const RunRequest& request, const std::vector<Object>& inputs,
                                  std::vector<TaskOutput> outputs, RunReply& reply) {
  for (TaskOutput& output : outputs) {
    reply.outputs.push_back({output.output, output.meta->lineage.id});
    const std::string& name = request.outputs[output.output];
    if (output.input) {
      store_alias(name, request.inputs[*output.input], inputs[*output.input]);
    } else {
      store(name, std::move(output.value), std::move(output.meta));
    }
  }
}

void WorkerSession::note_uses(const Plan& plan, const Task& task, RunReply& reply) {
  reply.mpc = task.mpc_uses();
  for (const MpcUse& use : reply.mpc) {
    if (plan.steered) break;  // who may ask for the counters may not know which way it went
    parts_.counters.mpc_rounds += static_cast<std::int64_t>(use.rounds);
    parts_.counters.mpc_bytes += static_cast<std::int64_t>(use.bytes);
  }
  if (std::ssize(reply.mpc) > kMaxMpcUses) reply.mpc.resize(kMaxMpcUses);
}

std::shared_ptr<Lane> WorkerSession::lane_to(const std::string& peer) {
  const std::lock_guard lock(mutex_);
  // A lane made after close() would never be closed.
  if (closed_) throw Error(Code::kSessionOver, "this session is over");
  auto& lane = lanes_[peer];
  if (lane == nullptr) lane = parts_.link->lane(lanes_ids_.back(), peer);
  return lane;
}

Error WorkerSession::of_run(const Error& error) const {
  const bool over = error.code() == Code::kSessionOver || error.code() == Code::kStaleEpoch ||
                    error.code() == Code::kVersion;
  {
    const std::lock_guard lock(mutex_);
    if (!over || closed_) return error.at_party(parts_.party);
  }
  // Another party's session has ended. In an answer of this worker those codes would end this one.
  return Error(Code::kPeerLost, error.message())
      .at_party(error.party().empty() ? parts_.party : error.party())
      .at_op(error.op(), error.site());
}

void WorkerSession::fail_run(const Plan& plan, const RunRequest& request, const Error& error) {
  running_task_ = 0;
  ++parts_.counters.failed_runs;
  for (const std::string& peer : plan.others) {
    try {
      const auto lane = lane_to(peer);
      lane->abort(request.task, error);
      lane->finish(request.task);
    } catch (const Error&) {
      // The peer is gone, or the session over; the others find out by themselves.
    }
  }
  store_failure(plan, request, error);
}

void WorkerSession::store_failure(const Plan& plan, const RunRequest& request, const Error& error) {
  for (const auto& [i, part, input] : plan.outputs) {
    auto meta = std::make_shared<ObjectMeta>();
    meta->type = plan.verified.output_type(plan.graph, i);
    meta->label = std::make_shared<const Label>();
    meta->principal = driver_;
    meta->session = id_;
    meta->task = request.task;
    meta->program = plan.digest;
    meta->output = plan.graph.outputs[i].name;
    try {
      store(request.outputs[i], std::make_shared<const Value>(error), std::move(meta));
    } catch (const Error&) {
      // The name is taken: the reply says what went wrong, and the older object stays.
    }
  }
}

}  // namespace curia
