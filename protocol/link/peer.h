// All that a data link knows of one peer: its lanes, and the connection that carries them.
//
// A lane outlives connections. When a connection ends, the lanes stay; the next one begins with
// each side telling the other its lanes and how far it had received them, and sending goes on from
// there.
//
// Roles (see connection.h): a thread that waits in recv() reads the connection itself and handles
// what comes for everybody, so that no hand-over lies between the wire and the waiting thread; a
// thread that sends a small message seals and writes it itself when nobody else is writing. The I/O
// thread does both whenever nobody else does.
//
// Thread: the first group of methods any, the second the I/O thread.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "protocol/link/connection.h"
#include "protocol/link/in_stream.h"
#include "protocol/link/link_options.h"
#include "protocol/link/out_stream.h"

namespace curia {

// What the peers of one link share. Owned by the link, its I/O thread and its lanes.
struct LinkShared {
  DataLinkOptions options;
  Incarnation incarnation{};
  Socket epoll;
  WakeEvent wake;  // of the I/O thread
};

// One lane. Guarded by the peer's mutex.
struct LaneState : std::enable_shared_from_this<LaneState> {
  LaneState(const SessionId& id, std::uint32_t lane_number, std::int64_t credit)
      : session(id), number(lane_number), in(credit) {}

  const SessionId session;
  const std::uint32_t number;  // ours; unique in the life of this link
  std::uint32_t remote = 0;    // the peer's, 0 while unknown
  bool opened = false;         // lane() was called; else the peer spoke first
  bool synced = false;         // on this connection both ends know where to go on
  bool peer_closed = false;    // what is sent goes nowhere
  std::optional<Error> over;   // lost or closed: the error of send()

  OutStream out;
  InStream in;
  std::uint64_t reported_received = 0;
  std::uint64_t reported_limit = 0;

  std::deque<AbortFrame> aborts;  // not acknowledged
  std::uint32_t aborts_sent = 0;  // number of the last one
  std::uint32_t aborts_received = 0;
  std::uint32_t reported_aborts = 0;

  bool in_ring = false;
  bool in_acks = false;
  bool waiting = false;
  Tag waited;
  SteadyTime waiting_since{};
  std::condition_variable news;
};

using LanePtr = std::shared_ptr<LaneState>;

// One recv() that waits, for diagnosis.
struct LaneWait {
  std::string peer;
  SessionId session{};
  Tag tag;
  std::chrono::milliseconds waited{0};
  bool connected = false;
  std::string progress;  // "1024 of 4096 bytes of it have come"
};

class Peer {
 public:
  Peer(std::shared_ptr<LinkShared> shared, std::string name, std::uint64_t id);
  ~Peer();

  const std::string& name() const { return name_; }
  std::uint64_t id() const { return id_; }

  LanePtr lane(const SessionId& session);
  void send(LaneState& lane, const Tag& tag, Slice head, std::vector<Slice> body);
  Message recv(LaneState& lane, const Tag& tag, std::int64_t max_body, SteadyTime deadline);
  void abort(LaneState& lane, std::uint64_t task, const Error& error);
  void cancel(LaneState& lane, std::uint64_t task, const Error& error);
  void finish(LaneState& lane, std::uint64_t task);
  void close(const SessionId& session);
  void lose(const Error& error);
  void stop();  // the link ends, or forgets the peer: all lanes are over
  void cut_connection();
  void dialing(bool under_way);  // an attempt began or ended
  bool idle() const;             // everything that was sent is acknowledged
  bool connected() const;
  Traffic traffic() const;
  void waits(std::vector<LaneWait>& to) const;

  // A connection whose keys are proven takes the place of the one there is.
  void adopt(std::shared_ptr<Connection> connection);
  void on_event(std::uint32_t events);
  struct Need {
    SteadyTime next = SteadyTime::max();  // when service() is to be called at the latest
    bool dial = false;
  };
  Need service(SteadyTime now);

 private:
  using Lock = std::unique_lock<std::mutex>;
  using ConnectionPtr = std::shared_ptr<Connection>;
  // What one call of pump() may do: only what is small, or everything.
  enum class Pump { kSmall, kAll };
  // A body up to this size is small: the thread that sends it seals and writes it itself.
  static constexpr std::int64_t kSmallBody = 64 << 10;

  // What one call of read_some() found.
  struct ReadResult {
    bool some = false;     // bytes came
    bool drained = false;  // and no more are there for now
    bool failed = false;   // the connection is of no use any more
  };

  // peer.cc: lanes
  LanePtr new_lane(const SessionId& session, std::int64_t credit);
  void end_lane(LaneState& lane, const Error& error);
  void lose_all(const Error& error);
  void announce(LaneState& lane);
  void queue_frame(Connection& connection, std::vector<std::uint8_t> frame);
  void forget_ended_lane();
  void refuse_lane(std::uint32_t peer_number, const SessionId& session, Code code);
  void queue_aborts(Connection& connection, const LaneState& lane);
  void tell(LaneState& lane);  // its recv() has something to look at
  void wake_io() { shared_->wake.set(); }
  void needs_connection();

  // peer_recv.cc: waiting, and reading as the one who waits
  void lead(Lock& lock, const ConnectionPtr& connection, LaneState& lane, SteadyTime now,
            SteadyTime deadline);
  ReadResult wait_readable(Lock& lock, const ConnectionPtr& connection, SteadyTime deadline);
  void pass_on_reading(const LaneState* but);
  void report_progress(Lock& lock, LaneState& lane);

  // peer_read.cc: records and frames that come in
  ReadResult read_some(const ConnectionPtr& connection, int reads, bool wait);
  void handle_record(Connection& connection, std::int64_t payload);
  bool handle_bulk(Connection& connection, std::int64_t payload,
                   std::span<const std::uint8_t> head);
  void handle_frame(Connection& connection, const Frame& frame);
  void on_lane(Connection& connection, const LaneFrame& frame);
  void on_ready(Connection& connection);
  void on_ack(const AckFrame& frame);
  void on_abort(const AbortFrame& frame);
  void on_end(const EndFrame& frame);
  void after_bytes(Connection& connection, LaneState& lane);
  void after_reading(Lock& lock, const ConnectionPtr& connection, const ReadResult& result,
                     bool io_thread);
  bool owes(const Connection& connection) const;
  void note_ack(Connection& connection, const LanePtr& lane);
  LanePtr by_remote(std::uint32_t number) const;

  // peer_write.cc: records that go out
  struct Plan;
  void pump(Lock& lock, const ConnectionPtr& connection, Pump kind, bool io_thread);
  void make_plan(Connection& connection, Plan& plan, Pump kind);
  std::int64_t plan_bulk(Connection& connection, LaneState& lane, std::int64_t payload);
  void seal(Connection& connection, const Plan& plan);
  std::int64_t plan_frames(Connection& connection, std::int64_t room);
  std::int64_t plan_data(Connection& connection, std::int64_t at, Plan& plan, Pump kind);
  bool has_output(const Connection& connection) const;
  void ready_to_send(const LanePtr& lane);

  // peer_service.cc: the I/O thread's round
  void kill(Connection& connection);
  void free_trash(Lock& lock);
  void activate();
  void read_as_io(Lock& lock, const ConnectionPtr& connection);
  void watch(Connection& connection, SteadyTime now, Need& need);
  void set_interest(Connection& connection);
  Need away(SteadyTime now);

  const std::shared_ptr<LinkShared> shared_;
  const std::string name_;
  const std::uint64_t id_;
  const bool dials_;
  const WakeEvent leader_wake_;

  mutable std::mutex mutex_;
  std::map<SessionId, LanePtr> lanes_;
  std::unordered_map<std::uint32_t, LanePtr> by_number_;
  std::unordered_map<std::uint32_t, LanePtr> by_remote_;
  std::deque<SessionId> closed_;  // the last sessions that were closed here
  std::uint32_t last_number_ = 0;
  std::int64_t unopened_ = 0;

  ConnectionPtr connection_;
  ConnectionPtr next_;  // waits until the roles of connection_ are free
  std::optional<Incarnation> incarnation_;
  const LaneState* leader_ = nullptr;  // whose recv() holds the read role
  std::int64_t waiters_ = 0;
  bool io_watching_ = false;  // the I/O thread looks again within about a millisecond
  bool dialing_ = false;
  bool stopped_ = false;
  std::optional<SteadyTime> away_since_;  // needed, and no connection since
  SteadyTime next_dial_{};
  std::chrono::milliseconds dial_pause_{0};

  std::vector<OutMessage> trash_;  // acknowledged messages, to be freed without the mutex
  std::int64_t sent_messages_ = 0;
  std::int64_t sent_bytes_ = 0;
  std::int64_t received_messages_ = 0;  // of lanes that are gone
  std::int64_t received_bytes_ = 0;
};

}  // namespace curia
