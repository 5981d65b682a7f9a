#include "tests/link/rogue_peer.h"

#include <poll.h>
#include <sys/socket.h>

#include <chrono>

#include "protocol/link/bytes.h"

namespace curia::test {

RoguePeer::RoguePeer(DataLink& link, const std::string& self, const std::string& name) {
  const DialRequest request = DataLink::make_dial(self);
  const DialAnswer answer = link.answer(name, request);
  KeyInputs keys{request.secret, answer.secret, answer.token, name, self};
  sealer_.emplace(direction_secret(keys, Direction::kFromDialer));
  opener_.emplace(direction_secret(keys, Direction::kFromResponder));
  socket_ = connect_to("127.0.0.1", link.port());
  set_blocking(socket_, std::chrono::milliseconds(0));
  Bytes preamble(kDataMagic.begin(), kDataMagic.end());
  preamble.insert(preamble.end(), answer.token.begin(), answer.token.end());
  pollfd connected{socket_.fd(), POLLOUT, 0};
  ::poll(&connected, 1, -1);
  ::send(socket_.fd(), preamble.data(), preamble.size(), MSG_NOSIGNAL);
  expect(say(encode(HelloFrame{.initial_credit = 1 << 20, .incarnation = {1}})), "no connection");
  expect(hear().has_value(), "the link did not take the proof");
}

bool RoguePeer::say(const Bytes& frames) {
  Bytes record(frames.size() + static_cast<std::size_t>(kRecordOverhead));
  sealer_->seal(frames, record.data());
  return ::send(socket_.fd(), record.data(), record.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(record.size());
}

bool RoguePeer::read(std::uint8_t* to, std::int64_t bytes) {
  while (bytes > 0) {
    const ssize_t got = ::recv(socket_.fd(), to, static_cast<std::size_t>(bytes), 0);
    if (got <= 0) return false;
    to += got;
    bytes -= got;
  }
  return true;
}

std::optional<std::vector<std::pair<FrameType, Bytes>>> RoguePeer::hear() {
  std::uint8_t header[kRecordHeader];
  if (!read(header, kRecordHeader)) return std::nullopt;
  const std::int64_t size = opener_->payload_size(header);
  Bytes sealed(static_cast<std::size_t>(size + kRecordTag));
  if (!read(sealed.data(), size + kRecordTag)) return std::nullopt;
  Bytes opened(static_cast<std::size_t>(size));
  opener_->begin(header);
  opener_->decrypt(sealed.data(), opened.data(), size);
  opener_->finish(sealed.data() + size);
  std::vector<std::pair<FrameType, Bytes>> frames;
  std::span<const std::uint8_t> rest(opened);
  while (const auto frame = next_frame(rest)) {
    frames.emplace_back(frame->type, Bytes(frame->payload.begin(), frame->payload.end()));
  }
  return frames;
}

void RoguePeer::hear_the_end() {
  while (hear()) continue;
}

Bytes RoguePeer::lane(std::uint32_t number, const SessionId& session,
                      std::uint64_t received) const {
  return encode(
      LaneFrame{.number = number, .session = session, .received = received, .limit = 1 << 20});
}

Bytes RoguePeer::data(std::uint32_t number, std::uint64_t offset, const Bytes& bytes) const {
  Bytes frame(static_cast<std::size_t>(kDataHeader));
  put_frame_header(frame.data(), FrameType::kData, number, std::ssize(bytes) + 8);
  put_u64(frame.data() + kFrameHeader, offset);
  return frame + bytes;
}

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Bytes message(const Tag& tag, std::int64_t head, std::int64_t body) {
  Bytes header(static_cast<std::size_t>(kMessageHeader));
  put_message_header(header.data(), {tag, head, body});
  return header;
}

}  // namespace curia::test
