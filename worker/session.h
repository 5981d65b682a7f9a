// One driver's session at this worker: its ordered requests, executed one after the other by a
// thread of its own, and the replies it may have to send again.
//
// Owned by the server (shared with callbacks under way). Thread: the public methods are for any
// thread and never block on work; everything below "session thread" belongs to that thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "protocol/link/control.h"
#include "protocol/message.h"
#include "worker/history.h"
#include "worker/parts.h"
#include "worker/plan.h"
#include "worker/task.h"

namespace curia {

inline constexpr std::int64_t kMaxUnackedReplies = 1 << 16;
inline constexpr std::int64_t kMaxQueuedRequests = 1 << 17;
inline constexpr std::int64_t kMaxParked = 1
                                           << 14;  // fetches behind requests that have yet to come
// Bytes of requests that wait and of replies that were not acknowledged, together.
inline constexpr std::int64_t kMaxSessionBytes = 32 << 20;
inline constexpr std::int64_t kMaxCancelledTasks = 4096;  // of those that have yet to begin
inline constexpr std::int64_t kMaxBulkFetches = 4096;     // remembered, so that none is sent twice

class WorkerSession {
 public:
  using Send = std::function<void(ConnId, std::string frame)>;

  WorkerSession(Parts& parts, std::string driver, SessionId id, Send send);
  ~WorkerSession();  // REQUIRES: close() was called

  const std::string& driver() const { return driver_; }
  const SessionId& id() const { return id_; }

  // The connection that replies go to, and the driver's process at its other end. A put whose
  // bytes an older process owes is given up.
  void attach(ConnId conn, std::uint64_t process);
  ConnId conn() const { return conn_; }
  std::uint64_t process() const { return process_; }
  // What the link calls that process.
  std::string driver_link() const { return driver_peer(id_, process_); }

  // One ordered request, in sequence. Errors: kOverloaded when too many wait or too many replies
  // were not acknowledged.
  void enqueue(const Header& header, std::string_view metadata);
  // Executes a run on the calling thread when nothing of the session is under way and the program
  // is quick (Plan::quick): a hop to the session's thread and back costs more than such a run.
  // False: not done, enqueue() it.
  bool try_inline(const Header& header, std::string_view metadata);
  // Sends the reply of a request that came again, if it is there already.
  void resend(std::uint64_t sequence);
  void acknowledge(std::uint64_t acked);

  // Ends the task with kCancelled if it runs, or as soon as it begins; 0: the one that runs and all
  // that wait. Errors: kOverloaded when too many that wait were cancelled one by one.
  void cancel(std::uint64_t task);

  // Errors: kOverloaded when too many requests wait. Calls `ready` once, on any thread: with the
  // object as soon as it exists, or with nothing when all that was queued before, and the ordered
  // request `after`, has run and it does not.
  void when_ready(const Uri& uri, std::uint64_t after,
                  std::function<void(std::optional<Object>)> ready);
  // An object of this session, or one of its driver's on disk, by URI; another's is as good as
  // none. Reads the whole file of one on disk.
  std::optional<Object> find(const Uri& uri) const;
  // The same where it takes no time; else none.
  std::optional<Object> find_at_hand(const Uri& uri) const;

  // How an object of this session was made, as far as it is remembered.
  std::optional<DescribeReply> made(const std::string& uri) const { return history_.find(uri); }

  // A lane to the driver's process at the other end of `conn`. Errors: kSessionOver after close(),
  // and when the session has another connection by now.
  std::shared_ptr<Lane> driver_lane(LaneUse use, ConnId conn);

  // Is this the first time that the bulk of this fetch is to be sent? The request may come again,
  // the data plane delivers once.
  bool begin_bulk(std::uint64_t request);

  std::uint64_t queued() const;

  // Ends everything: running work is cancelled, lanes closed, objects erased. Does not wait.
  void close(const Error& why);
  bool finished() const { return finished_; }

 private:
  struct Job {
    Header header;
    std::string metadata;  // of a fence: the URI of what is waited for
    std::uint64_t fence = 0;
  };
  using Ready = std::function<void(std::optional<Object>)>;
  // Who waits for one object, by the number of their fence.
  using Waiters = std::map<std::uint64_t, Ready>;

  // REQUIRES for all that follow, but work(): executing_ is held.
  void work();
  void execute(const Header& header, std::string_view request);
  std::string prepare(std::string_view metadata);
  void check_room(const PrepareRequest& request) const;  // for one more program
  std::string run(const Header& header, std::string_view metadata);
  // Before anything moves. Errors: kInvalid for results that could not be stored by these names.
  static Error replaced();
  static void check_is_mem(const Uri& uri);
  void check_outputs(const Plan& plan, const RunRequest& request) const;
  // Errors: kDenied for a secure device with this party that its policy does not accept.
  void check_devices_accepted(const Plan& plan) const;
  void note_failed(const Header& header, std::string_view request, const Error& error);
  // From here on cancel() finds the task. Errors: kCancelled when it has come before; kInvalid and
  // kQuota for lanes (RunRequest) that it cannot use.
  void begin_run(const Header& header, const RunRequest& request);
  void use_lanes(std::uint32_t number);  // REQUIRES: mutex_ held
  void note_uses(const Plan& plan, const Task& task, RunReply& reply);
  std::string put(const Header& header, std::string_view metadata);
  std::string store_put(const Header& header, const PutRequest& request);
  Slice receive_put(const Header& header, std::int64_t bytes);
  std::string release(std::string_view metadata);
  std::shared_ptr<Lane> lane_to(const std::string& peer);
  // Tells the other parties, which may be waiting for this one, and stores the error in the place
  // of the outputs.
  void fail_run(const Plan& plan, const RunRequest& request, const Error& error);
  // What a run ended with, as this worker says it.
  Error of_run(const Error& error) const;
  void store_failure(const Plan& plan, const RunRequest& request, const Error& error);
  void store_outputs(const RunRequest& request, const std::vector<Object>& inputs,
                     std::vector<TaskOutput> outputs, RunReply& reply);
  void store(const std::string& uri, ValuePtr value, std::shared_ptr<const ObjectMeta> meta);
  // Another name of an object. Where that is not in memory, or gone by now, a value of its own.
  void store_alias(const std::string& uri, const std::string& target, const Object& object);
  void wake_waiters(const Uri& uri);
  void reply(const Header& header, std::uint16_t flags, std::string_view metadata);
  void flush();
  void pass_fence(const Job& fence);
  void queue_fences();  // REQUIRES: mutex_ held; of what last_sequence_ has reached

  Parts& parts_;
  const std::string driver_;
  const SessionId id_;
  const std::string hex_;  // of id_
  const SessionId put_lane_id_;
  const LabelPtr put_label_;  // of all that the driver puts
  const Send send_;
  RunHistory history_;
  std::atomic<ConnId> conn_{0};
  std::atomic<std::uint64_t> process_{0};
  std::atomic<bool> finished_{false};
  std::atomic<bool> cancelled_{false};
  std::atomic<std::uint64_t> running_task_{0};  // set under mutex_

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  std::multimap<std::uint64_t, Job> parked_;  // sequence to come -> fence behind it
  std::deque<std::pair<std::uint64_t, std::string>> replies_;  // by sequence, ascending
  std::int64_t held_bytes_ = 0;                                // of jobs_ and replies_
  std::set<std::uint64_t> bulk_fetches_;                       // request ids, the latest
  std::unordered_map<std::string, Waiters> waiters_;
  std::atomic<bool> has_waiters_{false};
  std::uint64_t next_fence_ = 1;
  std::uint64_t cancel_below_ = 0;  // runs with a sequence below are answered with kCancelled
  std::set<std::uint64_t> cancelled_tasks_;  // that have yet to begin
  std::uint64_t begun_task_ = 0;             // the last one
  std::uint64_t last_sequence_ = 0;
  std::uint64_t process_from_ = 1;   // the first sequence of the driver's present process
  std::uint64_t receiving_put_ = 0;  // its sequence; 0: none
  std::map<std::string, std::shared_ptr<Lane>> lanes_;  // of the last of lanes_ids_; under mutex_
  // By RunRequest::lanes; all are open until the session ends, since peers may still need the older
  // ones. Changes under mutex_.
  std::vector<SessionId> lanes_ids_;
  std::uint32_t lanes_number_ = 0;
  bool closed_ = false;

  // Held by whoever executes requests: the session's thread, or try_inline(). Taken before mutex_.
  std::mutex executing_;
  std::unordered_map<Digest, std::unique_ptr<Plan>> plans_;
  std::unordered_map<Digest, Error> bad_plans_;
  std::int64_t prepared_bytes_ = 0;
  std::int64_t prepared_types_ = 0;
  std::uint64_t last_task_ = 0;
  std::string outbox_;
  std::thread thread_;
};

}  // namespace curia
