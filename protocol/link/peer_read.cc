// Records and frames that come in. Thread: the holder of the read role.
#include <algorithm>
#include <cstring>
#include <utility>

#include "protocol/link/bytes.h"
#include "protocol/link/coarse_clock.h"
#include "protocol/link/peer.h"

namespace curia {
namespace {

constexpr std::int64_t kBulkRecord = 8 << 10;    // smaller ones are not worth the look
constexpr std::uint64_t kReportBytes = 1 << 20;  // progress is reported at least this often
constexpr std::uint64_t kReportSmall = 16 << 10;
constexpr std::uint64_t kAckWorth = 4 << 10;
constexpr std::chrono::milliseconds kReportPause{10};

// The peer is authentic and breaks the rules: there is no use in going on with it.
struct Violation {
  Error error;
};

}  // namespace

Peer::ReadResult Peer::read_some(const ConnectionPtr& connection, int reads, bool wait) {
  Connection& c = *connection;
  ReadResult result;
  try {
    while (true) {
      while (const auto payload = c.reader.next()) {
        handle_record(c, *payload);
        result.some = true;
        wait = false;
      }
      if (reads-- == 0) break;
      const RecordReader::Fill fill = c.reader.fill(wait);
      result.failed = fill == RecordReader::Fill::kClosed;
      result.drained = fill == RecordReader::Fill::kDrained;
      if (fill != RecordReader::Fill::kSome) break;
      result.some = true;
      wait = false;
      if (!c.reader.eager()) {
        result.drained = true;
        reads = 0;
      }
    }
  } catch (const Violation& violation) {
    const std::lock_guard lock(mutex_);
    lose_all(Error(Code::kCorrupt, name_ + ": " + violation.error.message()));
    result.failed = true;
  } catch (const Error&) {
    result.failed = true;  // not authentic: the connection goes, the lanes wait for another
  }
  return result;
}

void Peer::handle_record(Connection& c, std::int64_t payload) {
  c.reader.begin();
  std::int64_t opened = 0;
  std::uint8_t head[kDataHeader];
  if (payload >= kBulkRecord) {
    c.reader.decrypt(head, kDataHeader);
    if (handle_bulk(c, payload, head)) return;
    opened = kDataHeader;
  }
  if (c.opened_size < payload) {
    c.opened.reset(new std::uint8_t[static_cast<std::size_t>(payload)]);
    c.opened_size = payload;
  }
  std::memcpy(c.opened.get(), head, static_cast<std::size_t>(opened));
  c.reader.decrypt(c.opened.get() + opened, payload - opened);
  c.reader.finish();
  const std::lock_guard lock(mutex_);
  if (connection_.get() != &c || c.dead) return;
  c.arrived += static_cast<std::uint64_t>(payload + kRecordOverhead);
  try {
    std::span<const std::uint8_t> rest(c.opened.get(), static_cast<std::size_t>(payload));
    while (const auto frame = next_frame(rest)) {
      handle_frame(c, *frame);
      if (c.dead) throw Error(Code::kCorrupt, "expected a peer that reads what it asks for");
    }
  } catch (const Error& error) {
    throw Violation{error};
  }
}

// A record that is one piece of one body is opened to where the body lies. Its first bytes are not
// yet known to be authentic: they only choose among places where the next bytes of some lane
// belong, and those count as received after the tag was verified.
bool Peer::handle_bulk(Connection& c, std::int64_t payload, std::span<const std::uint8_t> head) {
  auto bytes = head;
  const std::uint32_t word = get_u32(bytes.data());
  if ((word & 0xFF) != static_cast<std::uint32_t>(FrameType::kData) ||
      (word >> 8) != payload - kFrameHeader) {
    return false;
  }
  const std::int64_t count = payload - kDataHeader;
  LanePtr lane;
  std::optional<InStream::Target> target;
  {
    const std::lock_guard lock(mutex_);
    if (connection_.get() != &c || c.dead) return false;
    lane = by_remote(get_u32(bytes.data() + 4));
    if (lane) target = lane->in.direct(get_u64(bytes.data() + 8), count);
  }
  if (!target) return false;
  try {
    c.reader.decrypt(target->at, count);
    c.reader.finish();
  } catch (const Error&) {
    const std::lock_guard lock(mutex_);
    lane->in.abandon();
    throw;
  }
  const std::lock_guard lock(mutex_);
  if (connection_.get() != &c || c.dead) {
    lane->in.abandon();
    return true;
  }
  c.arrived += static_cast<std::uint64_t>(payload + kRecordOverhead);
  try {
    lane->in.commit(count);
  } catch (const Error& error) {
    throw Violation{error};
  }
  after_bytes(c, *lane);
  return true;
}

LanePtr Peer::by_remote(std::uint32_t number) const {
  const auto found = by_remote_.find(number);
  return found == by_remote_.end() ? nullptr : found->second;
}

void Peer::handle_frame(Connection& c, const Frame& frame) {
  switch (frame.type) {
    case FrameType::kData: {
      const auto lane = by_remote(frame.lane);
      if (frame.payload.size() < 8) throw Error(Code::kCorrupt, "a data frame without an offset");
      if (!lane) return;  // of a session that was closed here
      lane->in.consume(get_u64(frame.payload.data()), frame.payload.subspan(8));
      after_bytes(c, *lane);
      return;
    }
    case FrameType::kCut:
      if (const auto lane = by_remote(frame.lane)) {
        lane->in.cut(parse_number(frame));
        after_bytes(c, *lane);
      }
      return;
    case FrameType::kLane:
      return on_lane(c, parse_lane(frame));
    case FrameType::kReady:
      return on_ready(c);
    case FrameType::kAck:
      return on_ack(parse_ack(frame));
    case FrameType::kAbort:
      return on_abort(parse_abort(frame));
    case FrameType::kEnd:
      return on_end(parse_end(frame));
    case FrameType::kFlow:
      return c.pace.arrived(parse_number(frame));
    case FrameType::kPing:
      if (coarse_now() - c.written_at > shared_->options.keepalive / 2) {
        queue_frame(c, encode_empty(FrameType::kPong));
      }
      return;
    case FrameType::kPong:
      return;
    case FrameType::kHello:
      break;
  }
  throw Error(Code::kCorrupt, "expected a known frame, found one of type " +
                                  std::to_string(static_cast<int>(frame.type)));
}

void Peer::on_lane(Connection& c, const LaneFrame& frame) {
  const auto found = lanes_.find(frame.session);
  if (found == lanes_.end()) {
    if (unopened_ >= kMaxUnopenedLanes) forget_ended_lane();
    const bool known = std::find(closed_.begin(), closed_.end(), frame.session) != closed_.end();
    if (known || frame.peer_number != 0 || unopened_ >= kMaxUnopenedLanes) {
      return refuse_lane(frame.number, frame.session, Code::kSessionOver);
    }
  } else if (found->second->over) {
    return refuse_lane(frame.number, frame.session, Code::kPeerLost);
  } else if (frame.peer_number != 0 && frame.peer_number != found->second->number) {
    return refuse_lane(frame.number, frame.session, Code::kPeerLost);
  }
  LanePtr lane = found == lanes_.end() ? nullptr : found->second;
  const bool fresh = !lane || lane->remote == 0;
  if (!lane) {
    unopened_++;
    lane = new_lane(frame.session, std::min(kUnopenedCredits, shared_->options.credits));
  }
  if (lane->remote != 0 && lane->remote != frame.number) {
    end_lane(*lane, Error(Code::kPeerLost, name_ + " has begun the session's lane anew"));
    return refuse_lane(frame.number, frame.session, Code::kPeerLost);
  }
  if (fresh && by_remote_.contains(frame.number)) {
    throw Error(Code::kCorrupt, "expected a fresh lane number, found one that is in use");
  }
  lane->remote = frame.number;
  by_remote_[frame.number] = lane;
  if (lane->synced) {
    lane->out.acked(frame.received, frame.limit, trash_);
  } else {
    lane->out.rewind(frame.received, frame.limit, trash_);
  }
  while (!lane->aborts.empty() && lane->aborts.front().count <= frame.aborts) {
    lane->aborts.pop_front();
  }
  // The peer names its lanes once in a connection; ours was named by activate() or lane(), or now.
  if (fresh) announce(*lane);
  if (!lane->synced) queue_aborts(c, *lane);
  lane->synced = true;
  ready_to_send(lane);
}

void Peer::on_ready(Connection& c) {
  c.ready = true;
  for (auto& [session, lane] : lanes_) {
    // A lane that the peer knew and has not named is over there: it answers ours with an end.
    if (lane->synced || lane->over || lane->remote != 0) continue;
    lane->out.rewind(0, c.hello.initial_credit, trash_);
    lane->synced = true;
    queue_aborts(c, *lane);
    ready_to_send(lane);
  }
}

void Peer::on_ack(const AckFrame& frame) {
  const auto found = by_number_.find(frame.number);
  if (found == by_number_.end()) return;
  const LanePtr& lane = found->second;
  if (lane->over || lane->peer_closed) return;
  lane->out.acked(frame.received, frame.limit, trash_);
  while (!lane->aborts.empty() && lane->aborts.front().count <= frame.aborts) {
    lane->aborts.pop_front();
  }
  ready_to_send(lane);
}

void Peer::on_abort(const AbortFrame& frame) {
  const auto lane = by_remote(frame.number);
  if (!lane || frame.count <= lane->aborts_received) return;
  if (frame.count != lane->aborts_received + 1 || lane->in.inbox().full_of_failures()) {
    throw Error(Code::kCorrupt, "expected the next abort of a lane, found another or too many");
  }
  lane->aborts_received++;
  lane->in.fail(frame.task, frame.error.at_party(name_));
  lane->out.drop_task(frame.task, trash_);
  note_ack(*connection_, lane);
  connection_->acks_ride = true;
  ready_to_send(lane);  // a cut may be due
  tell(*lane);
}

void Peer::on_end(const EndFrame& frame) {
  const auto found = lanes_.find(frame.session);
  if (found == lanes_.end()) return;
  LaneState& lane = *found->second;
  const bool meant = frame.peer_number != 0 ? frame.peer_number == lane.number
                                            : frame.number != 0 && frame.number == lane.remote;
  if (!meant || lane.over) return;
  lane.peer_closed = true;
  lane.out.clear(trash_);
  lane.aborts.clear();
  if (frame.code == Code::kSessionOver) {
    lane.in.end(Error(Code::kSessionOver, name_ + " closed the session"));
  } else {
    end_lane(lane, Error(Code::kPeerLost, name_ + " has given up the session's lane"));
  }
  tell(lane);
}

// The lane has come further: wakes its recv(), and sees to it that the sender hears of it in time.
void Peer::after_bytes(Connection& c, LaneState& lane) {
  if (lane.waiting && leader_ != &lane && lane.in.take_news()) lane.news.notify_all();
  note_ack(c, lane.shared_from_this());
  if (lane.in.received() - lane.reported_received >= kAckWorth) c.acks_ride = true;
  const std::uint64_t gain = lane.in.limit() - lane.reported_limit;
  if (static_cast<std::int64_t>(gain) >= lane.in.credit() / 4 ||
      lane.in.received() - lane.reported_received >= kReportBytes) {
    c.acks_due = true;
  }
}

// Has this side something to report that was not worth a record of its own so far?
bool Peer::owes(const Connection& c) const {
  return !c.acks.empty() ||
         c.arrived - c.arrived_reported >= static_cast<std::uint64_t>(Pace::kSmallestWindow);
}

void Peer::note_ack(Connection& c, const LanePtr& lane) {
  if (lane->in_acks || lane->remote == 0) return;
  lane->in_acks = true;
  c.acks.push_back(lane);
}

// Gives the read role back, writes what reading made urgent, and frees what it released.
void Peer::after_reading(Lock& lock, const ConnectionPtr& connection, const ReadResult& result,
                         bool io_thread) {
  Connection& c = *connection;
  c.reading = false;
  if (result.failed) kill(c);
  const std::uint64_t unreported = c.arrived - c.arrived_reported;
  if (unreported >= kReportBytes) {
    c.flow_due = true;
  } else if (result.drained && unreported >= kReportSmall) {
    if (std::chrono::steady_clock::now() - c.flow_at >= kReportPause) c.flow_due = true;
  }
  if (io_thread) {
    if (waiters_ > 0) pass_on_reading(nullptr);
  } else if (c.dead || next_) {
    wake_io();
  } else {
    if (!c.control.empty() || c.acks_due || c.flow_due) {
      pump(lock, connection, Pump::kSmall, false);
    } else if (has_output(c) && !c.writing && !c.want_write) {
      wake_io();
    }
    if (!c.armed && !io_watching_) wake_io();
  }
  free_trash(lock);
}

void Peer::free_trash(Lock& lock) {
  if (trash_.empty()) return;
  std::vector<OutMessage> trash;
  trash.swap(trash_);
  lock.unlock();
  trash.clear();
  lock.lock();
}

}  // namespace curia
