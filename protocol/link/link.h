// The data plane: bulk bytes between two workers, or between a driver and a worker.
//
// A *lane* is one session's stream between this process and one peer. Messages carry a Tag taken
// from the graph, never from arrival order, so a run does not depend on how threads interleave and
// nothing of one task can be taken for another's.
//
// Implementations: memory_link (simulation), data_link (sealed TCP). Both pass tests/link_contract.
// Thread: any thread may call any method of a Link or Lane; one thread at a time waits in recv() of
// a lane.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/error.h"
#include "protocol/session_id.h"
#include "protocol/value.h"

namespace curia {

using SteadyTime = std::chrono::steady_clock::time_point;

struct Tag {
  std::uint64_t task =
      0;                 // number of the task in its session; bulk of puts and fetches: request id
  std::uint32_t op = 0;  // number of the op in the graph, counted through regions in order
  std::uint32_t step = 0;  // how often this op has run in this task (loops), or its round
  auto operator<=>(const Tag&) const = default;
};

inline constexpr std::int64_t kMaxHeadBytes = 64 << 10;
inline constexpr std::int64_t kMaxBodyBytes = std::int64_t{1} << 40;

// One tagged message: a small head (types, counts) and a bulk body in one contiguous buffer.
struct Message {
  Slice head;
  Slice body;
};

class Lane {
 public:
  virtual ~Lane() = default;

  // Queues a message. Never waits for the peer: the parts are shared, not copied, and held until
  // the peer acknowledged them. The body of the message is the parts one after the other. Errors:
  // kPeerLost when the peer was given up, kSessionOver after close().
  virtual void send(const Tag& tag, Slice head, std::vector<Slice> body) = 0;

  // Waits for the message with this tag. Messages with other tags stay where they are.
  // max_body: the most the body may hold, known from the types; a longer one is kCorrupt.
  // Errors: kTimeout at `deadline`; kPeerLost when the peer stayed away for longer than the link's
  // grace; the error given to cancel(), or sent by the peer's abort(), for this tag's task.
  virtual Message recv(const Tag& tag, std::int64_t max_body, SteadyTime deadline) = 0;

  // Tells the peer that `task` failed here: its recv() for that task throws `error`. Messages of
  // the task that were not yet received are dropped on both sides.
  virtual void abort(std::uint64_t task, const Error& error) = 0;

  // Local only: recv() for `task`, now or later, throws `error`.
  virtual void cancel(std::uint64_t task, const Error& error) = 0;

  // Forgets everything of tasks numbered up to and including `task` (late messages are dropped).
  virtual void finish(std::uint64_t task) = 0;
};

// What went over one peer's connection, for `stats` and the demo. Bodies and heads only: without
// record headers, tags and resent bytes.
struct Traffic {
  std::string peer;
  std::int64_t sent_bytes = 0;
  std::int64_t received_bytes = 0;
  std::int64_t sent_messages = 0;
  std::int64_t received_messages = 0;
};

class Link {
 public:
  virtual ~Link() = default;

  // The lane of `session` to `peer`, made on first use. It lives until close(session).
  virtual std::shared_ptr<Lane> lane(const SessionId& session, std::string_view peer) = 0;

  // Ends the session's lanes: waiting recv() calls throw kSessionOver, queued messages are dropped.
  virtual void close(const SessionId& session) = 0;

  // The peer will not be spoken to again: ends its lanes with kSessionOver and its connection, and
  // keeps nothing of it. A lane() that comes later begins anew.
  virtual void forget(std::string_view peer) = 0;

  virtual std::vector<Traffic> traffic() const = 0;
};

}  // namespace curia
