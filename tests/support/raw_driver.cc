#include "tests/support/raw_driver.h"

#include <deque>
#include <utility>
#include <zmq.hpp>

#include "protocol/link/keys.h"
#include "protocol/link/zap.h"

namespace curia {

struct RawDriver::Impl {
  zmq::context_t context{1};
  zmq::socket_t socket{context, zmq::socket_type::dealer};
  std::deque<RawReply> replies;
};

Error RawReply::error() const {
  return failed() ? decode<WireError>(metadata).error() : Error(Code::kFailed, "succeeded");
}

RawDriver::RawDriver(const std::string& key_file, const std::string& endpoint,
                     const std::string& key)
    : impl_(std::make_unique<Impl>()) {
  secure_client(impl_->socket, load_keys(key_file), key);
  impl_->socket.set(zmq::sockopt::routing_id, random_hex(8));
  impl_->socket.set(zmq::sockopt::linger, 0);
  impl_->socket.set(zmq::sockopt::sndhwm, 0);
  impl_->socket.set(zmq::sockopt::rcvhwm, 0);
  impl_->socket.connect(endpoint);
}

RawDriver::~RawDriver() = default;
RawDriver::RawDriver(RawDriver&&) noexcept = default;

void RawDriver::send(const std::string& frame) { send_frames({frame}); }

void RawDriver::send_frames(const std::vector<std::string>& frames) {
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const auto more = i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none;
    impl_->socket.send(zmq::buffer(frames[i]), more);
  }
}

std::optional<RawReply> RawDriver::recv(std::chrono::milliseconds limit) {
  while (impl_->replies.empty()) {
    zmq::pollitem_t item{impl_->socket.handle(), 0, ZMQ_POLLIN, 0};
    if (zmq::poll(&item, 1, limit) == 0) return {};
    zmq::message_t message;
    if (!impl_->socket.recv(message)) return {};
    const std::string frame = message.to_string();
    for (const Packet& packet : split_packets(frame)) {
      impl_->replies.push_back({packet.header, std::string(packet.metadata)});
    }
  }
  RawReply reply = std::move(impl_->replies.front());
  impl_->replies.pop_front();
  return reply;
}

std::optional<RawReply> RawDriver::recv_of(std::uint64_t request) {
  for (;;) {
    auto reply = recv();
    if (!reply || reply->header.request == request) return reply;
  }
}

Header RawDriver::header(Kind kind) {
  Header head;
  head.kind = static_cast<std::uint16_t>(kind);
  head.epoch = epoch;
  head.request = next_request++;
  head.session = session;
  return head;
}

RawReply RawDriver::call(Header head, const std::string& metadata) {
  std::string frame;
  append_packet(frame, head, metadata);
  send(frame);
  auto reply = recv_of(head.request);
  if (!reply) throw Error(Code::kTimeout, "no reply to a raw request");
  return std::move(*reply);
}

RawReply RawDriver::call(Kind kind, const std::string& metadata) {
  Header head = header(kind);
  if (is_ordered(kind)) head.sequence = next_sequence++;
  return call(head, metadata);
}

RawReply RawDriver::hello() {
  RawReply reply = call(Kind::kHello, encode(HelloRequest{}));
  if (!reply.failed()) epoch = decode<HelloReply>(reply.metadata).epoch;
  return reply;
}

RawReply RawDriver::open(const SessionId& id, const OpenRequest& request) {
  session = id;
  next_sequence = 1;
  return call(Kind::kOpen, encode(request));
}

}  // namespace curia
