#include "protocol/link/zmq_wire.h"

#include <cerrno>
#include <cstring>
#include <utility>

namespace curia {
namespace {

constexpr std::size_t kCopyBelow = 4096;  // bytes; copying a small frame beats counting references
constexpr std::int64_t kMessageCost = 256;  // of a waiting message, beside its bytes

Slice to_slice(const zmq::message_t& part) {
  // CURVE leaves the plaintext at odd addresses, so a slice fit for tensors is always a copy.
  return Slice::copy_of({static_cast<const std::uint8_t*>(part.data()), part.size()});
}

}  // namespace

void limit_socket(zmq::socket_t& socket, std::chrono::milliseconds handshake) {
  socket.set(zmq::sockopt::maxmsgsize, kMaxControlMessage + kCurveOverhead);
  socket.set(zmq::sockopt::handshake_ivl, static_cast<int>(handshake.count()));
  socket.set(zmq::sockopt::sndhwm, kControlQueue);
  socket.set(zmq::sockopt::rcvhwm, kControlQueue);
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::tcp_keepalive, 1);
  // A peer that says nothing for 1 + 3.5 s is dead.
  socket.set(zmq::sockopt::heartbeat_ivl, 1000);
  socket.set(zmq::sockopt::heartbeat_timeout, 3500);
}

int wake_fd(zmq::socket_t& socket) { return socket.get(zmq::sockopt::fd); }

Received read_message(zmq::socket_t& socket, zmq::message_t& head) {
  Received got;
  got.bytes = static_cast<std::int64_t>(head.size());
  if (head.size() == 0) got.fault = "a message with an empty head";
  std::int64_t count = 1;
  zmq::message_t part;
  for (bool more = head.more(); more; more = part.more()) {
    if (!socket.recv(part, zmq::recv_flags::dontwait)) break;
    ++count;
    got.bytes += static_cast<std::int64_t>(part.size());
    if (!got.fault.empty()) continue;
    if (count > kMaxControlFrames) {
      got.fault = "a message of more than " + std::to_string(kMaxControlFrames) + " frames";
    } else if (got.bytes > kMaxControlMessage) {
      got.fault = "a message of more than " + std::to_string(kMaxControlMessage) + " bytes";
    } else {
      got.frames.payload.push_back(to_slice(part));
    }
  }
  if (got.fault.empty()) {
    got.frames.head.assign(static_cast<const char*>(head.data()), head.size());
  } else {
    got.frames = {};
  }
  return got;
}

zmq::message_t Outbox::wrap(std::shared_ptr<const void> owner, const void* data, std::size_t size,
                            Packed& into) const {
  if (size < kCopyBelow) return {data, size};
  into.counted += static_cast<std::int64_t>(size);
  struct Held {
    std::shared_ptr<const void> owner;
    InFlight in_flight;
    std::int64_t size;
    // The hand-over by libzmq orders it all, but no race detector sees into libzmq.
    std::atomic<bool> complete{false};
  };
  std::unique_ptr<Held> held(
      new Held{std::move(owner), in_flight_, static_cast<std::int64_t>(size)});
  held->complete.store(true, std::memory_order_release);
  // libzmq calls this, on its I/O thread, once the frame is encrypted.
  const auto release = [](void*, void* hint) {
    const std::unique_ptr<Held> back(static_cast<Held*>(hint));
    if (!back->complete.load(std::memory_order_acquire)) return;
    back->in_flight->fetch_sub(back->size, std::memory_order_relaxed);
  };
  zmq::message_t message(const_cast<void*>(data), size, release, held.get());
  static_cast<void>(held.release());  // the message's
  return message;
}

Outbox::Packed Outbox::pack(Frames frames) const {
  Packed packed;
  packed.bytes = frames.bytes() + kMessageCost;
  packed.parts.reserve(1 + frames.payload.size());
  const std::size_t head_size = frames.head.size();
  if (head_size < kCopyBelow) {
    packed.parts.emplace_back(frames.head.data(), head_size);
  } else {
    auto head = std::make_shared<const std::string>(std::move(frames.head));
    const char* data = head->data();
    packed.parts.push_back(wrap(std::move(head), data, head_size, packed));
  }
  for (Slice& slice : frames.payload) {
    const auto size = static_cast<std::size_t>(slice.size);
    packed.parts.push_back(wrap(std::move(slice.owner), slice.data, size, packed));
  }
  return packed;
}

Outbox::State Outbox::push(zmq::socket_t& socket, std::string_view routing_id,
                           Packed& packed) const {
  if (in_flight_->load(std::memory_order_relaxed) > kMaxInFlight) return State::kWaiting;
  // Only the first frame can be refused; the others follow it into the same queue.
  if (!routing_id.empty()) {
    zmq::message_t to(routing_id.data(), routing_id.size());
    if (zmq_msg_send(to.handle(), socket.handle(), ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0) {
      return errno == EHOSTUNREACH ? State::kGone : State::kWaiting;
    }
  }
  in_flight_->fetch_add(packed.counted, std::memory_order_relaxed);
  for (std::size_t i = 0; i < packed.parts.size(); ++i) {
    const int more = i + 1 < packed.parts.size() ? ZMQ_SNDMORE : 0;
    if (zmq_msg_send(packed.parts[i].handle(), socket.handle(), ZMQ_DONTWAIT | more) >= 0) continue;
    if (i > 0 || !routing_id.empty()) return State::kGone;
    in_flight_->fetch_sub(packed.counted, std::memory_order_relaxed);
    return State::kWaiting;
  }
  return State::kDone;
}

Outbox::State Outbox::send(zmq::socket_t& socket, std::string_view routing_id, Frames frames) {
  Packed packed = pack(std::move(frames));
  if (waiting_.empty()) {
    const State state = push(socket, routing_id, packed);
    if (state != State::kWaiting) return state;
  }
  waiting_bytes_ += packed.bytes;
  waiting_.push_back(std::move(packed));
  return waiting_bytes_ > limit_ ? State::kOverflow : State::kWaiting;
}

Outbox::State Outbox::flush(zmq::socket_t& socket, std::string_view routing_id) {
  while (!waiting_.empty()) {
    const State state = push(socket, routing_id, waiting_.front());
    if (state != State::kDone) return state;
    waiting_bytes_ -= waiting_.front().bytes;
    waiting_.pop_front();
  }
  return State::kDone;
}

Monitor::Monitor(zmq::context_t& context, zmq::socket_t& watched, const std::string& name,
                 int kinds)
    : watched_(watched), socket_(context, zmq::socket_type::pair) {
  const std::string endpoint = "inproc://" + name;
  if (zmq_socket_monitor(watched.handle(), endpoint.c_str(), kinds) != 0) throw zmq::error_t();
  socket_.set(zmq::sockopt::linger, 0);
  // Unbounded: libzmq's I/O thread would otherwise block on a full queue of events.
  socket_.set(zmq::sockopt::rcvhwm, 0);
  socket_.connect(endpoint);
  // The descriptor tells of news only once the queue was found empty; nothing can be in it yet.
  next();
}

Monitor::~Monitor() { zmq_socket_monitor(watched_.handle(), nullptr, 0); }

std::optional<Monitor::Event> Monitor::next() {
  zmq::message_t part;
  if (!socket_.recv(part, zmq::recv_flags::dontwait)) return {};
  std::uint16_t kind = 0;
  std::uint32_t value = 0;
  if (part.size() == sizeof kind + sizeof value) {
    std::memcpy(&kind, part.data(), sizeof kind);
    std::memcpy(&value, part.data<char>() + sizeof kind, sizeof value);
  }
  while (part.more() && socket_.recv(part, zmq::recv_flags::dontwait)) {
  }
  return Event{kind, static_cast<int>(value)};
}

}  // namespace curia
