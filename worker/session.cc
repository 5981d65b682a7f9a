#include "worker/session.h"

#include <algorithm>
#include <utility>

#include "worker/find_object.h"

namespace curia {
namespace {

constexpr std::size_t kFlushBytes = 32 << 10;
constexpr std::int64_t kQuickRoom = 1 << 20;  // more than a quick run takes

LabelPtr label_of_puts(const std::string& driver) {
  auto label = std::make_shared<Label>();
  label->sources[{driver, ""}];
  return label;
}

// The digest of a RunRequest, without the rest.
Digest decode_digest(std::string_view metadata) {
  Digest digest;
  const std::size_t offset = sizeof(RunRequest::task);
  if (metadata.size() >= offset + digest.bytes.size()) {
    std::copy_n(metadata.data() + offset, digest.bytes.size(),
                reinterpret_cast<char*>(digest.bytes.data()));
  }
  return digest;
}

}  // namespace

WorkerSession::WorkerSession(Parts& parts, std::string driver, SessionId id, Send send)
    : parts_(parts),
      driver_(std::move(driver)),
      id_(id),
      hex_(session_hex(id)),
      put_lane_id_(lane_session(driver_, id, LaneUse::kPuts)),
      put_label_(label_of_puts(driver_)),
      send_(std::move(send)),
      lanes_ids_({lane_session(driver_, id, LaneUse::kTasks)}),
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

std::optional<Object> WorkerSession::find_at_hand(const Uri& uri) const {
  return parts_.store->at_hand(uri) ? find(uri) : std::nullopt;
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
  if (over) return ready(std::nullopt);  // NOLINT(bugprone-use-after-move): not moved then
  wake_.notify_one();
  // It may have been stored between the caller's look and the waiter's entry. What is on disk is
  // looked at when the fence passes: by then a run before it may have replaced it, and to read it
  // takes time.
  if (auto object = find_at_hand(uri)) {
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
  std::vector<SessionId> lanes;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
    cancelled_ = true;
    conn_ = 0;  // no answer to the driver goes out any more
    for (const auto& [peer, lane] : lanes_) {
      if (running_task_ != 0) lane->cancel(running_task_, why);
    }
    lanes = lanes_ids_;
  }
  wake_.notify_one();
  for (const SessionId& id : lanes) parts_.link->close(id);
  parts_.link->close(put_lane_id_);
  parts_.link->close(lane_session(driver_, id_, LaneUse::kFetches));
  parts_.link->forget(driver_link());
}

bool WorkerSession::try_inline(const Header& header, std::string_view metadata) {
  // Inputs on a disk or elsewhere are read and checked first, however large they are.
  for (const std::string_view stored : {"fs:///", "oss://"}) {
    if (metadata.find(stored) != std::string_view::npos) return false;
  }
  // Where memory is nearly full, objects may have to be written to the disk.
  const Account account = Account::open_of({driver_, id_});
  if (parts_.store->backend("mem").left(account) < kQuickRoom) return false;
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
  add_failure(record, error);
  parts_.audit->note(std::move(record));
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
