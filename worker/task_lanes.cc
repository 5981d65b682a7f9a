// What a task sends to and hears from the other parties.
#include "worker/task.h"

namespace curia {
namespace {

// For a party to tell what it waited for itself.
constexpr std::chrono::milliseconds kGrace{1000};

}  // namespace

Lane& Task::lane(const std::string& peer) {
  auto& known = lanes_[peer];
  if (known == nullptr) known = parts_.link->lane(info_.lanes, peer);
  return *known;
}

void Task::send(const std::string& peer, const Tag& tag, Slice head, std::vector<Slice> body,
                std::int64_t counted) {
  if (plan_.steered) {
    counted = 0;
  } else if (counted == kAll) {
    counted = head.size;
    for (const Slice& part : body) counted += part.size;
  }
  parts_.traffic.sent(peer, counted);
  lane(peer).send(tag, std::move(head), std::move(body));
}

Message Task::recv(const std::string& peer, const Tag& tag, std::int64_t max_body, const char* what,
                   const Op* op, std::int64_t counted) {
  WaitInfo wait{parts_.party, peer, what, session_hex(info_.session), info_.task, "", {}, 0};
  if (op != nullptr) {
    wait.op = op->name;
    wait.site = plan_.graph.site_of(*op);
  }
  const WaitBoard::Pin pin(parts_.waits, wait);
  try {
    Message message = lane(peer).recv(tag, max_body, info_.deadline);
    if (counted == kAll) counted = message.head.size + message.body.size;
    parts_.traffic.received(peer, plan_.steered ? 0 : counted);
    return message;
  } catch (const Error& error) {
    // The peer's session is over, not this one, which its driver would take it for.
    if (error.code() == Code::kSessionOver) {
      throw Error(Code::kPeerLost, peer + " ended its part of the task: " + error.message());
    }
    if (error.code() == Code::kCorrupt && error.party().empty()) {
      throw Error(Code::kCorrupt, "from " + peer + ": " + error.message());
    }
    if (error.code() != Code::kTimeout || !error.party().empty()) throw;  // of another party
    Error late(Code::kTimeout, parts_.party + " waited for " + peer + " (" + what + ", task " +
                                   std::to_string(info_.task) + ") until the run's time-out");
    if (op != nullptr) late = late.at_op(wait.op, wait.site);
    throw reason_of(peer, tag, max_body, late);
  }
}

// At the run's time-out `peer` may have waited itself: whoever waits for this party is told now,
// and `peer`, if it is alive, tells in the same way for whom it waited, which is nearer to the
// cause.
Error Task::reason_of(const std::string& peer, const Tag& tag, std::int64_t max_body,
                      const Error& late) {
  try {
    for (const auto& [other, lane] : lanes_) {
      if (other != peer) lane->abort(info_.task, late.at_party(parts_.party));
    }
    lane(peer).recv(tag, max_body, std::chrono::steady_clock::now() + kGrace);
  } catch (const Error& told) {
    if (told.code() == Code::kTimeout && !told.party().empty()) return told;
  }
  return late;
}

Tag Task::next_tag(const TypedOp& typed) {
  return {info_.task, typed.number, steps_[typed.number]++};
}

}  // namespace curia
