// A driver's session on the wire: one control connection to each worker, requests and their
// replies, resends after a reconnect, heartbeats, and the data connections for bulk.
//
// Delivery is not promised by the control plane, so every request is kept until its reply came.
// Ordered requests (prepare, run, put, release) carry a sequence number for each worker and are
// executed once, in that order, whatever the network does.
//
// A worker that was restarted has forgotten the session. Requests on their way to it fail with
// kStaleEpoch, and the session's part there is opened anew, also when it comes back after it was
// given up. restarts() counts that, so that what was made before can be told from what came after.
// Owned by Session. Thread: any for the public methods; callbacks run on the control client's
// thread.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "driver/saved_session.h"
#include "protocol/link/control.h"
#include "protocol/link/wiring.h"
#include "protocol/message.h"

namespace curia {

struct ConnectionOptions {
  std::chrono::milliseconds lease{0};        // 0: the worker's default
  std::chrono::milliseconds refused{3'000};  // a worker that refuses connections is lost after this
  std::chrono::milliseconds patience{10'000};  // a silent worker is lost after this
  bool tool = false;                           // no session: status and stats only
  // Go on with this session instead of opening one. Errors then: kSessionOver when it has ended,
  // is another principal's, or was resumed by another process; kStaleEpoch for a worker that was
  // restarted in between.
  std::optional<SavedSession> resume;
  // Where fetch() or run() need a value that a restarted worker has lost, make it again as
  // Session::reconstruct() does without further permission. They wait for that.
  bool reconstruct = false;
  std::int64_t max_recipes = 1 << 16;  // runs whose inputs the session remembers for that
  // A file for the session's release plan: what the program would run and fetch is written there
  // when the session ends, and nothing is run. Puts stay here, fetches give zeros.
  std::string plan_file;
};

inline constexpr std::int64_t kMaxInFlight = 1 << 15;  // ordered requests without a reply, a worker
inline constexpr std::uint64_t kWhenever = ~std::uint64_t{0};

class DriverConnection : private ControlEvents {
 public:
  // The reply's metadata, or the error. Runs on the control client's thread; must not block.
  using Done = std::function<void(const std::string* reply, const Error* error)>;

  DriverConnection(Wiring wiring, ConnectionOptions options);
  ~DriverConnection();

  const SessionId& session() const { return session_; }
  const std::string& driver() const { return wiring_.driver; }
  std::vector<std::string> workers() const;

  // Waits until every worker (or the given one) is reached, or lost. Errors: the first one's.
  void wait_up();

  // How often workers of this session were restarted so far.
  std::uint64_t restarts() const { return restarts_; }
  // Which of those was the worker's latest; 0: none. Errors: kInvalid for an unknown worker.
  std::uint64_t last_restart(const std::string& worker) const;

  // Sends a request. Ordered kinds wait while kMaxInFlight are on their way. Returns the sequence
  // (ordered) or the request id; 0, and sends nothing, where the worker was restarted after
  // restarts() was `known`. Errors: kInvalid for an unknown worker; whatever the worker was lost
  // with.
  std::uint64_t submit(const std::string& worker, Kind kind, std::string_view metadata, Done done,
                       std::uint64_t known = kWhenever);

  struct Part {
    const std::string& worker;
    Kind kind;
    std::string_view metadata;
    Done done;
  };
  // The same for requests that belong together: all of them, or none (false).
  bool submit_all(std::vector<Part> parts, std::uint64_t known);

  // The last ordered request so far; 0: none. Errors: kInvalid for an unknown worker.
  std::uint64_t last_sequence(const std::string& worker);

  // submit() and wait. `request` is told the request's id. Errors: the reply's; kTimeout.
  // kStaleEpoch where it was restarted after restarts() was `known`.
  std::string call(const std::string& worker, Kind kind, std::string_view metadata,
                   std::chrono::milliseconds timeout, std::uint64_t known = kWhenever);

  // Releases an object, batched and asynchronously; never fails. bytes: its size, kUnknown with
  // `?`.
  void release(const std::string& worker, const std::string& uri, std::int64_t bytes);
  // In order, of any object of the driver's. Errors: kWorkerLost.
  void remove(const std::string& worker, const std::string& uri);

  // The lane to a worker for puts or fetches; makes the data connection when there is none.
  std::shared_ptr<Lane> bulk_lane(const std::string& worker, LaneUse use);

  // The bulk of this fetch is not wanted any more, whether or not it comes. 0: there was none.
  void forget_bulk(const std::string& worker, std::uint64_t request, const Error& why);

  // Waits until every ordered request so far has its reply. Errors: kTimeout; a lost worker's.
  void drain(std::chrono::milliseconds timeout);

  void close();
  // Sends the releases that wait for company. Errors: none.
  void send_releases();
  // Leaves the session open at the workers until its lease ends. Every later call fails with
  // kSessionOver.
  void detach();
  SavedSession saved() const;
  // Larger than every task number that the session used so far. REQUIRES: wait_up().
  std::uint64_t next_task() const;

 private:
  using Clock = std::chrono::steady_clock;
  enum class State : std::uint8_t { kDown, kGreeting, kOpening, kUp, kLost };
  struct Request {
    std::uint64_t id = 0;
    std::string packet;  // header and metadata, to send again
    Done done;
    bool answered = false;
  };
  struct Worker {
    WorkerAddress address;
    State state = State::kDown;
    ConnId conn = 0;
    std::uint64_t epoch = 0;
    std::uint64_t generation = 0;
    std::uint64_t sent_before_beat = 0;  // highest sequence sent when the last heartbeat went out
    bool beating = false;                // a heartbeat has no reply yet
    bool was_up = false;                 // in this process
    bool sought = false;                 // lost, but looked for in case it was restarted
    Clock::time_point retry;
    Clock::time_point heard;
    Clock::time_point beat;
    Clock::time_point down_since;
    bool refused = false;  // the last attempt was refused, not silent
    std::string why;       // of the last failure to connect
    std::shared_ptr<const Error> lost;
    std::uint64_t last_restart = 0;
    std::vector<std::uint64_t> failed_runs;  // by its restarts; others may still wait for it there
    Clock::time_point cancel_at;             // when those are ended
    std::uint64_t first_sequence = 1;        // of ordered.front()
    std::deque<Request> ordered;
    std::unordered_map<std::uint64_t, Request> unordered;
    std::vector<std::string> sealed;  // frames to send before the outbox
    std::string outbox;               // the frame that is being filled
    std::vector<std::string> releases;
    std::int64_t release_bytes = 0;
    bool bulk = false;             // has had lanes, so it needs a data connection
    Clock::time_point dial_until;  // a dial is under way until then
  };
  using Calls = std::vector<std::function<void()>>;

  void on_frames(ConnId conn, const std::string& principal, Frames frames) override;
  void on_gone(ConnId conn, const std::string& why) override;
  void on_tick() override;

  // Runs callbacks, without the lock. REQUIRES: calling_ was raised for them under the lock.
  void run_calls(const Calls& calls);
  // Not the answer to an ordered request of an older process, whose session is over.
  static bool is_ours(const Worker& worker, const Header& header);
  void on_packet(const std::string& name, Worker& worker, const Packet& packet, Calls& calls);
  void greet(Worker& worker);
  void resume(Worker& worker, std::uint64_t next_sequence);
  void take_reply(Worker& worker, const Packet& packet, Calls& calls);
  void tick(const std::string& name, Worker& worker, Clock::time_point now, Calls& calls);
  void lose(const std::string& name, Worker& worker, const Error& error, Calls& calls);
  void fail_requests(Worker& worker, const std::shared_ptr<const Error>& error, Calls& calls);
  void restarted(const std::string& name, Worker& worker, Calls& calls);
  void cancel_failed(const std::string& name, Worker& worker);
  void seek(const std::string& name, Worker& worker, Clock::time_point now);
  void on_found(const std::string& name, Worker& worker, const Packet& packet, Calls& calls);
  static Error restarted_error(const std::string& name);
  void wait_for_room(std::unique_lock<std::mutex>& lock, Worker& worker);
  void down(Worker& worker, bool refused, const std::string& why);
  // Control thread only, or frames would overtake those that other threads have posted.
  void flush(Worker& worker);
  void seal(Worker& worker);
  void send_releases(Worker& worker);
  void send_now(Worker& worker, Kind kind, std::string_view metadata);
  void push(Worker& worker, const std::string& packet);
  std::uint64_t add(Worker& worker, Kind kind, std::string_view metadata, Done done);
  Header header(const Worker& worker, Kind kind) const;
  Worker& find(const std::string& name);
  const Worker& find(const std::string& name) const;
  void dial(const std::string& name, Worker& worker);

  Wiring wiring_;
  ControlClient& control_;  // wiring_.control, also while that is being destroyed
  const ConnectionOptions options_;
  const SessionId session_;
  const std::uint64_t process_;
  std::shared_ptr<Link> link_;
  Dialer* dialer_ = nullptr;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Worker> workers_;
  std::uint64_t next_request_ = 1;
  std::uint64_t next_task_ = 1;
  std::atomic<std::uint64_t> restarts_{0};  // changes under mutex_
  int waiting_ = 0;  // threads in drain() or submit() that want to hear of progress
  int calling_ = 0;  // batches of callbacks under way, which drain() waits for as well
  bool closing_ = false;
};

}  // namespace curia
