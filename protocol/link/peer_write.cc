// Records that go out. Thread: the holder of the write role seals and writes without the mutex.
#include <algorithm>
#include <cstring>
#include <utility>

#include "protocol/link/bytes.h"
#include "protocol/link/coarse_clock.h"
#include "protocol/link/peer.h"

namespace curia {
namespace {

constexpr std::int64_t kRoundBytes = 4 << 20;    // the I/O thread then looks at other peers
constexpr std::int64_t kSmallBytes = 128 << 10;  // what a caller's thread writes at most

}  // namespace

// One record to be sealed: bytes of the staging buffer, then the slices of one body.
struct Peer::Plan {
  std::int64_t small = 0;
  std::int64_t bulk = 0;
  bool more_bulk = false;  // a record with a body follows: both are written together
};

bool Peer::has_output(const Connection& c) const {
  return !c.control.empty() || c.acks_due || c.flow_due || (!c.ring.empty() && c.pace.open());
}

void Peer::ready_to_send(const LanePtr& lane) {
  if (!connection_ || !lane->synced || lane->in_ring) return;
  if (lane->out.next() == OutStream::Next::kNothing) return;
  lane->in_ring = true;
  connection_->ring.push_back(lane);
}

void Peer::pump(Lock& lock, const ConnectionPtr& connection, Pump kind, bool io_thread) {
  Connection& c = *connection;
  if (c.writing || c.dead || c.want_write) return;  // who holds the role looks again
  c.writing = true;
  using Flush = RecordWriter::Flush;
  Flush flush = Flush::kDone;
  const auto flush_now = [&] {
    lock.unlock();
    flush = c.writer.flush();
    lock.lock();
  };
  if (c.unsent) flush_now();
  std::int64_t left = kind == Pump::kAll ? kRoundBytes : kSmallBytes;
  while (flush == Flush::kDone && !c.dead && left > 0) {
    Plan plan;
    make_plan(c, plan, kind);
    if (plan.small + plan.bulk == 0) break;
    // Counted first: the peer may have reported the bytes before this thread has the mutex again.
    const std::int64_t bytes = plan.small + plan.bulk + kRecordOverhead;
    c.pace.sent(bytes);
    c.written_at = coarse_now();
    left -= bytes;
    lock.unlock();
    seal(c, plan);
    if (!plan.more_bulk) flush = c.writer.flush();
    lock.lock();
  }
  if (flush == Flush::kDone && !c.writer.empty()) flush_now();
  c.unsent = flush == Flush::kBlocked;
  c.want_write = c.unsent;
  c.writing = false;
  if (flush == Flush::kClosed) kill(c);
  if (!io_thread && (c.want_write || c.dead || next_ || has_output(c))) wake_io();
}

void Peer::seal(Connection& c, const Plan& plan) {
  c.parts.clear();
  c.parts.emplace_back(c.staging.get(), static_cast<std::size_t>(plan.small));
  for (const Slice& slice : c.bulk) {
    c.parts.emplace_back(slice.data, static_cast<std::size_t>(slice.size));
  }
  c.writer.seal(c.parts, plan.small + plan.bulk);
  c.bulk.clear();
}

void Peer::make_plan(Connection& c, Plan& plan, Pump kind) {
  if (connection_.get() != &c) return;
  plan.small = plan_frames(c, Connection::kStaging);
  if (c.ready && c.pace.open()) plan.small = plan_data(c, plan.small, plan, kind);
}

std::int64_t Peer::plan_frames(Connection& c, std::int64_t room) {
  std::int64_t at = 0;
  if (!has_output(c)) return 0;
  std::uint8_t* to = c.staging.get();
  while (!c.control.empty()) {
    const auto& frame = c.control.front();
    if (at + std::ssize(frame) > room) return at;
    std::memcpy(to + at, frame.data(), frame.size());
    at += std::ssize(frame);
    c.control.pop_front();
  }
  while ((c.acks_due || c.acks_ride) && !c.acks.empty() && at + kAckFrame <= room) {
    const LanePtr lane = std::move(c.acks.back());
    c.acks.pop_back();
    lane->in_acks = false;
    if (lane->over || lane->remote == 0) continue;
    lane->reported_received = lane->in.received();
    lane->reported_limit = lane->in.limit();
    lane->reported_aborts = lane->aborts_received;
    put_ack(to + at,
            {lane->remote, lane->reported_received, lane->reported_limit, lane->reported_aborts});
    at += kAckFrame;
  }
  if (c.acks.empty()) {
    c.acks_due = c.acks_ride = false;
    c.acks_since.reset();
  }
  if (c.flow_due && at + kFlowFrame <= room) {
    put_flow(to + at, c.arrived);
    at += kFlowFrame;
    c.arrived_reported = c.arrived;
    c.flow_due = false;
    c.flow_at = std::chrono::steady_clock::now();
  }
  return at;
}

// Small bytes of the lanes in turn go behind `at` in the staging buffer; a bulk piece gets a record
// of its own. Returns the end of what is in the staging buffer.
std::int64_t Peer::plan_data(Connection& c, std::int64_t at, Plan& plan, Pump kind) {
  const std::int64_t payload = c.pace.record_size(shared_->options.max_record) - kRecordOverhead;
  const std::int64_t room = std::min(Connection::kStaging, payload);
  std::int64_t skipped = 0;
  while (skipped < std::ssize(c.ring)) {
    const LanePtr lane = c.ring.front();
    OutStream& out = lane->out;
    std::uint8_t* to = c.staging.get() + at;
    const OutStream::Next next = lane->synced ? out.next() : OutStream::Next::kNothing;
    if (next == OutStream::Next::kNothing) {
      lane->in_ring = false;
      c.ring.pop_front();
      continue;
    }
    if (next == OutStream::Next::kBulk) {
      if (kind == Pump::kAll || out.bulk_left() <= kSmallBody) {
        if (at > 0) {
          plan.more_bulk = true;
          return at;
        }
        plan.bulk = plan_bulk(c, *lane, payload);
        at = kDataHeader;
      }
      c.ring.pop_front();
      c.ring.push_back(lane);
      if (at > 0) return at;
      skipped++;
      continue;
    }
    if (room - at < kDataHeader + kMessageHeader) return at;
    if (next == OutStream::Next::kCut) {
      put_cut(to, lane->number, out.take_cut());
      at += kCutFrame;
      continue;
    }
    const OutStream::Piece piece = out.take_small(to + kDataHeader, room - at - kDataHeader);
    put_frame_header(to, FrameType::kData, lane->number, piece.bytes + 8);
    put_u64(to + kFrameHeader, piece.offset);
    at += kDataHeader + piece.bytes;
  }
  return at;
}

std::int64_t Peer::plan_bulk(Connection& c, LaneState& lane, std::int64_t payload) {
  const OutStream::Piece piece = lane.out.take_bulk(payload - kDataHeader, c.bulk);
  put_frame_header(c.staging.get(), FrameType::kData, lane.number, piece.bytes + 8);
  put_u64(c.staging.get() + kFrameHeader, piece.offset);
  return piece.bytes;
}

}  // namespace curia
