#include "worker/session.h"

#include <algorithm>
#include <utility>

#include "protocol/value_bytes.h"
#include "worker/find_object.h"

namespace curia {
namespace {

constexpr std::size_t kFlushBytes = 32 << 10;
// A run whose results are smaller does not hold up the replies before it.
constexpr std::int64_t kQuickBytes = 256 << 10;
// A time-out of puts whose bytes do not come.
constexpr std::chrono::seconds kPutTimeout{120};

// The digest of a RunRequest, without the rest.
Digest decode_digest(std::string_view metadata) {
  Digest digest;
  constexpr std::size_t kOffset = sizeof(RunRequest::task);
  if (metadata.size() >= kOffset + digest.bytes.size()) {
    std::copy_n(metadata.data() + kOffset, digest.bytes.size(),
                reinterpret_cast<char*>(digest.bytes.data()));
  }
  return digest;
}

Error replaced() {
  return {Code::kSessionOver, "another process of the driver took over before the bytes came"};
}

void check_is_mem(const Uri& uri) {
  if (uri.scheme() == "mem") return;
  throw Error(Code::kInvalid, "outputs and puts are named mem://; save in the program for others");
}

Slice slice_of(const std::string& text) { return Slice::copy_of(std::string_view(text)); }

}  // namespace

WorkerSession::WorkerSession(Parts& parts, std::string driver, SessionId id, Send send)
    : parts_(parts),
      driver_(std::move(driver)),
      id_(id),
      hex_(session_hex(id)),
      lanes_id_(lane_session(driver_, id, LaneUse::kTasks)),
      put_lane_id_(lane_session(driver_, id, LaneUse::kPuts)),
      send_(std::move(send)),
      thread_([this] { work(); }) {}

WorkerSession::~WorkerSession() { thread_.join(); }

void WorkerSession::attach(ConnId conn, std::uint64_t process) {
  const std::lock_guard lock(mutex_);
  conn_ = conn;
  if (process == process_) return;
  if (receiving_put_ != 0) {
    parts_.link->lane(put_lane_id_, driver_link())->cancel(receiving_put_, replaced());
  }
  parts_.link->forget(driver_link());
  process_ = process;
  process_from_ = last_sequence_ + 1;
}

void WorkerSession::enqueue(const Header& header, std::string_view metadata) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) throw Error(Code::kSessionOver, "this session is over");
    if (static_cast<std::int64_t>(jobs_.size()) >= kMaxQueuedRequests ||
        static_cast<std::int64_t>(replies_.size()) >= kMaxUnackedReplies ||
        held_bytes_ >= kMaxSessionBytes) {
      throw Error(Code::kOverloaded, "too many requests wait in this session; acknowledge replies");
    }
    const bool awake = !jobs_.empty();  // or was just woken
    last_sequence_ = header.sequence;
    jobs_.push_back({header, std::string(metadata)});
    held_bytes_ += std::ssize(metadata);
    queue_fences();
    if (awake) return;
  }
  wake_.notify_one();
}

void WorkerSession::resend(std::uint64_t sequence) {
  std::string frame;
  {
    const std::lock_guard lock(mutex_);
    const auto at = std::lower_bound(
        replies_.begin(), replies_.end(), sequence,
        [](const auto& reply, std::uint64_t wanted) { return reply.first < wanted; });
    if (at == replies_.end() || at->first != sequence) return;
    frame = at->second;
  }
  send_(conn_, std::move(frame));
}

void WorkerSession::acknowledge(std::uint64_t acked) {
  const std::lock_guard lock(mutex_);
  while (!replies_.empty() && replies_.front().first < acked) {
    held_bytes_ -= std::ssize(replies_.front().second);
    replies_.pop_front();
  }
}

void WorkerSession::cancel(std::uint64_t task) {
  const std::lock_guard lock(mutex_);
  if (task == 0) cancel_below_ = last_sequence_ + 1;
  if (task > begun_task_) {
    if (std::ssize(cancelled_tasks_) >= kMaxCancelledTasks) {
      throw Error(Code::kOverloaded, "at most " + std::to_string(kMaxCancelledTasks) +
                                         " tasks that wait are cancelled one by one; cancel all");
    }
    cancelled_tasks_.insert(task);
    return;
  }
  const std::uint64_t running = running_task_;
  if (running == 0 || (task != 0 && task != running)) return;
  cancelled_ = true;
  const Error error(Code::kCancelled, "the run was cancelled");
  for (const auto& [peer, lane] : lanes_) lane->cancel(running, error);
}

std::optional<Object> WorkerSession::find(const Uri& uri) const {
  return find_object(*parts_.store, uri, {driver_, id_});
}

void WorkerSession::queue_fences() {
  const auto end = parked_.upper_bound(last_sequence_);
  for (auto at = parked_.begin(); at != end; ++at) {
    jobs_.push_back(std::move(at->second));
  }
  parked_.erase(parked_.begin(), end);
}

void WorkerSession::when_ready(const Uri& uri, std::uint64_t after,
                               std::function<void(std::optional<Object>)> ready) {
  bool over = false;
  {
    const std::lock_guard lock(mutex_);
    if (std::ssize(jobs_) >= kMaxQueuedRequests || std::ssize(parked_) >= kMaxParked) {
      throw Error(Code::kOverloaded, "too many requests wait in this session");
    }
    over = closed_;
    if (!over) {
      const std::uint64_t fence = next_fence_++;
      waiters_[uri.str()].emplace(fence, std::move(ready));
      has_waiters_ = true;
      parked_.emplace(after, Job{.header = {}, .metadata = uri.str(), .fence = fence});
      queue_fences();
    }
  }
  if (over) {
    ready(std::nullopt);
    return;
  }
  wake_.notify_one();
  // It may have been stored between the caller's look and the waiter's entry. What is on disk is
  // looked at when the fence passes, since a run before it may replace it.
  if (uri.scheme() != "mem") return;
  if (auto object = find(uri)) {
    Waiters woken;
    {
      const std::lock_guard lock(mutex_);
      if (auto node = waiters_.extract(uri.str()); !node.empty()) woken = std::move(node.mapped());
    }
    for (auto& [fence, ready_now] : woken) ready_now(object);
  }
}

std::shared_ptr<Lane> WorkerSession::driver_lane(LaneUse use, ConnId conn) {
  const std::lock_guard lock(mutex_);
  // A lane made after close() would never be closed.
  if (closed_ || conn != conn_) throw Error(Code::kSessionOver, "this session is over");
  return parts_.link->lane(lane_session(driver_, id_, use), driver_link());
}

bool WorkerSession::begin_bulk(std::uint64_t request) {
  const std::lock_guard lock(mutex_);
  if (!bulk_fetches_.insert(request).second) return false;
  if (std::ssize(bulk_fetches_) > kMaxBulkFetches) bulk_fetches_.erase(bulk_fetches_.begin());
  return true;
}

std::uint64_t WorkerSession::queued() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size() + (running_task_ != 0 ? 1 : 0);
}

void WorkerSession::close(const Error& why) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
    cancelled_ = true;
    conn_ = 0;  // no answer to the driver goes out any more
    for (const auto& [peer, lane] : lanes_) {
      if (running_task_ != 0) lane->cancel(running_task_, why);
    }
  }
  wake_.notify_one();
  parts_.link->close(lanes_id_);
  parts_.link->close(put_lane_id_);
  parts_.link->close(lane_session(driver_, id_, LaneUse::kFetches));
  parts_.link->forget(driver_link());
}

bool WorkerSession::try_inline(const Header& header, std::string_view metadata) {
  // Inputs on disk are read and checked first, however large they are.
  if (metadata.find("fs:///") != std::string_view::npos) return false;
  const std::unique_lock executing(executing_, std::try_to_lock);
  if (!executing) return false;
  const auto found = plans_.find(decode_digest(metadata));
  if (found == plans_.end() || !found->second->quick) return false;
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || !jobs_.empty()) return false;
    last_sequence_ = header.sequence;
  }
  execute(header, metadata);
  flush();
  bool waited_for = false;
  {
    const std::lock_guard lock(mutex_);
    queue_fences();
    waited_for = !jobs_.empty();
  }
  if (waited_for) wake_.notify_one();
  return true;
}

void WorkerSession::work() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return closed_ || !jobs_.empty(); });
      if (closed_) break;
    }
    const std::lock_guard executing(executing_);
    for (bool more = true; more;) {
      Job job;
      {
        const std::lock_guard lock(mutex_);
        if (closed_ || jobs_.empty()) break;
        job = std::move(jobs_.front());
        jobs_.pop_front();
        if (job.fence == 0) held_bytes_ -= std::ssize(job.metadata);
        more = !jobs_.empty();
      }
      if (job.fence != 0) {
        pass_fence(job);
      } else {
        execute(job.header, job.metadata);
      }
      if (outbox_.size() > kFlushBytes) flush();
    }
    flush();
  }
  std::unordered_map<std::string, Waiters> waiters;
  {
    const std::lock_guard lock(mutex_);
    waiters.swap(waiters_);
    jobs_.clear();
    parked_.clear();
  }
  for (auto& [uri, list] : waiters) {
    for (auto& [fence, ready] : list) ready(std::nullopt);
  }
  parts_.store->backend("mem").erase_all({driver_, id_});
  finished_ = true;
}

void WorkerSession::execute(const Header& header, std::string_view request) {
  try {
    std::string metadata;
    switch (static_cast<Kind>(header.kind)) {
      case Kind::kPrepare:
        metadata = prepare(request);
        break;
      case Kind::kRun:
        metadata = run(header, request);
        break;
      case Kind::kPut:
        metadata = put(header, request);
        break;
      case Kind::kRelease:
        metadata = release(request);
        break;
      default:
        throw Error(Code::kInvalid, "this request has no place in the order of a session");
    }
    reply(header, kReply, metadata);
  } catch (const Error& error) {
    note_failed(header, request, error);
    reply(header, kReply | kFailure, encode(WireError(error.at_party(parts_.party))));
  } catch (const std::exception&) {
    // what() of a foreign exception might quote data, so it stays here.
    const Error error(Code::kFailed, "out of memory or another fault of the worker");
    note_failed(header, request, error);
    reply(header, kReply | kFailure, encode(WireError(error.at_party(parts_.party))));
  }
}

// Of errors only a refusal's reason is kept: others may quote what the driver sent.
void WorkerSession::note_failed(const Header& header, std::string_view request,
                                const Error& error) {
  if (parts_.audit == nullptr) return;
  const auto kind = static_cast<Kind>(header.kind);
  AuditRecord record;
  record.kind = kind == Kind::kRun ? AuditKind::kRunFailed : AuditKind::kRefused;
  record.principal = driver_;
  record.session = hex_;
  if (kind == Kind::kRun) {
    record.task = last_task_;
    record.fields.push_back({"program", decode_digest(request).hex()});
  } else {
    record.fields.push_back({"request", std::string(kind_name(kind))});
  }
  record.fields.push_back({"code", code_name(error.code())});
  if (!error.op().empty()) record.fields.push_back({"op", error.op()});
  if (error.code() == Code::kDenied) record.fields.push_back({"why", error.message()});
  parts_.audit->note(std::move(record));
}

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
  for (const std::uint32_t i : plan.outputs) {
    const std::string& name = request.outputs[i];
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

void WorkerSession::begin_run(const Header& header, std::uint64_t task) {
  const std::lock_guard lock(mutex_);
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
    begin_run(header, request.task);
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
    TaskInfo info{driver_, id_, lanes_id_, request.task, SteadyTime::max(), &cancelled_};
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
    for (TaskOutput& output : task.run(inputs)) {
      reply.outputs.push_back({output.output, output.meta->lineage});
      store(request.outputs[output.output], std::move(output.value), std::move(output.meta));
    }
    for (const auto& [peer, lane] : lanes) lane->finish(request.task);
    running_task_ = 0;
    ++parts_.counters.runs;
    if (parts_.audit != nullptr) parts_.audit->note_run(driver_, hex_, plan.digest, request.task);
    note_uses(task, reply);
    return encode(reply);
  } catch (const Error& error) {
    const Error told = of_run(error);
    fail_run(plan, request, told);
    throw told;
  } catch (const std::exception&) {
    // what() of a foreign exception might quote data, so it stays here.
    const Error error =
        Error(Code::kFailed, "out of memory or another fault of the worker").at_party(parts_.party);
    fail_run(plan, request, error);
    throw error;
  }
}

void WorkerSession::note_uses(const Task& task, RunReply& reply) {
  reply.mpc = task.mpc_uses();
  for (const MpcUse& use : reply.mpc) {
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
  if (lane == nullptr) lane = parts_.link->lane(lanes_id_, peer);
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
  for (const std::uint32_t i : plan.outputs) {
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

void WorkerSession::store(const std::string& uri_text, ValuePtr value,
                          std::shared_ptr<const ObjectMeta> meta) {
  const Uri uri = Uri::parse(uri_text);
  check_is_mem(uri);
  put_result(*parts_.store, uri, std::move(value), std::move(meta), 0);
  if (!has_waiters_) return;
  Waiters woken;
  {
    const std::lock_guard lock(mutex_);
    if (auto node = waiters_.extract(uri_text); !node.empty()) woken = std::move(node.mapped());
    has_waiters_ = !waiters_.empty();
  }
  if (woken.empty()) return;
  const auto object = find(uri);
  for (auto& [fence, ready_now] : woken) ready_now(object);
}

std::string WorkerSession::put(const Header& header, std::string_view metadata) {
  const auto request = decode<PutRequest>(metadata);
  try {
    return store_put(header, request);
  } catch (const Error& error) {
    // The bytes come all the same, and must not stand in the way of the next put.
    if (const std::lock_guard lock(mutex_); request.bulk && !closed_) {
      parts_.link->lane(put_lane_id_, driver_link())->finish(header.sequence);
    }
    // What uses it later fails with the same cause.
    auto meta = std::make_shared<ObjectMeta>();
    meta->type = request.type;
    meta->label = std::make_shared<const Label>();
    meta->principal = driver_;
    meta->session = id_;
    try {
      store(request.uri, std::make_shared<const Value>(error.at_party(parts_.party)),
            std::move(meta));
    } catch (const Error&) {
      // The name is taken or no name at all: the reply says what went wrong.
    }
    throw;
  }
}

Slice WorkerSession::receive_put(const Header& header, std::int64_t bytes) {
  flush();
  const std::uint64_t sequence = header.sequence;
  std::shared_ptr<Lane> lane;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) throw Error(Code::kSessionOver, "this session is over");
    if (sequence < process_from_) throw replaced();
    lane = parts_.link->lane(put_lane_id_, driver_link());
    receiving_put_ = sequence;
  }
  struct Receiving {
    WorkerSession& session;
    ~Receiving() {
      const std::lock_guard lock(session.mutex_);
      session.receiving_put_ = 0;
    }
  };
  const Receiving receiving{*this};
  const WaitBoard::Pin pin(
      parts_.waits, {parts_.party, "the driver", "put data", session_hex(id_), 0, "put", {}, 0});
  Message message =
      lane->recv({sequence, 0, 0}, bytes, std::chrono::steady_clock::now() + kPutTimeout);
  lane->finish(sequence);
  if (message.body.size != bytes) {
    throw Error(Code::kCorrupt, "the body of a put has another size");
  }
  return std::move(message.body);
}

std::string WorkerSession::store_put(const Header& header, const PutRequest& request) {
  if (request.type.device != parts_.party) {
    throw Error(Code::kInvalid, "this value is placed at " + request.type.device);
  }
  const auto bytes = static_cast<std::int64_t>(request.bytes);
  if (bytes < 0 || bytes > kMaxBodyBytes ||
      (!request.bulk && bytes != static_cast<std::int64_t>(request.body.size()))) {
    throw Error(Code::kInvalid, "the size of a put does not match its body");
  }
  Reservation memory(parts_.store->backend("mem"), bytes);
  Slice body = slice_of(request.body);
  if (request.bulk) body = receive_put(header, bytes);
  ValuePtr value =
      std::make_shared<const Value>(value_from_bytes(request.head, body, request.type));
  auto meta = std::make_shared<ObjectMeta>();
  meta->type = request.type;
  auto label = std::make_shared<Label>();
  label->sources[{driver_, ""}];
  meta->label = std::move(label);
  meta->lineage = random_digest();
  meta->principal = driver_;
  meta->session = id_;
  const Digest lineage = meta->lineage;
  memory.release();
  store(request.uri, std::move(value), std::move(meta));
  ++parts_.counters.puts;
  parts_.counters.bytes_from_driver += bytes;
  return encode(PutReply{lineage});
}

std::string WorkerSession::release(std::string_view metadata) {
  const auto request = decode<ReleaseRequest>(metadata);
  if (static_cast<std::int64_t>(request.uris.size()) > kMaxUrisPerMessage) {
    throw Error(Code::kInvalid,
                "a release names at most " + std::to_string(kMaxUrisPerMessage) + " objects");
  }
  for (const std::string& text : request.uris) {
    const Uri uri = Uri::parse(text);
    if (owns_object(*parts_.store, uri, {driver_, id_})) parts_.store->erase(uri);
  }
  return encode(Nothing{});
}

void WorkerSession::pass_fence(const Job& fence) {
  Waiters::node_type late;
  {
    const std::lock_guard lock(mutex_);
    const auto of_object = waiters_.find(fence.metadata);
    if (of_object == waiters_.end()) return;
    late = of_object->second.extract(fence.fence);
    if (of_object->second.empty()) waiters_.erase(of_object);
    has_waiters_ = !waiters_.empty();
  }
  if (late.empty()) return;
  const Uri uri = Uri::parse(fence.metadata);
  late.mapped()(uri.scheme() == "mem" ? std::nullopt : find(uri));
}

void WorkerSession::reply(const Header& header, std::uint16_t flags, std::string_view metadata) {
  Header answer = header;
  answer.kind = static_cast<std::uint16_t>(header.kind | flags);
  answer.epoch = parts_.epoch;
  std::string packet;
  append_packet(packet, answer, metadata);
  outbox_ += packet;
  const std::lock_guard lock(mutex_);
  held_bytes_ += std::ssize(packet);
  replies_.emplace_back(header.sequence, std::move(packet));
}

void WorkerSession::flush() {
  if (!outbox_.empty()) send_(conn_, std::exchange(outbox_, {}));
}

}  // namespace curia
