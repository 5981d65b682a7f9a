#include "protocol/link/frames.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "protocol/link/bytes.h"

namespace curia {
namespace {

constexpr std::size_t kMaxText = 4096;  // of an abort's message; names are shorter
constexpr std::size_t kMaxName = 255;

[[noreturn]] void bad_frame(const char* what) {
  throw Error(Code::kCorrupt, std::string("expected a data frame as in protocol/link/FORMAT.md, "
                                          "found ") +
                                  what);
}

void want_size(const Frame& frame, std::size_t size) {
  if (frame.payload.size() != size) bad_frame("one of the wrong size");
}

std::vector<std::uint8_t> start(FrameType type, std::uint32_t lane, std::size_t payload) {
  std::vector<std::uint8_t> out(static_cast<std::size_t>(kFrameHeader) + payload);
  put_frame_header(out.data(), type, lane, static_cast<std::int64_t>(payload));
  return out;
}

template <std::size_t N>
std::array<std::uint8_t, N> array_at(const std::uint8_t* from) {
  std::array<std::uint8_t, N> out;
  std::memcpy(out.data(), from, N);
  return out;
}

void put_text(std::vector<std::uint8_t>& out, std::string_view text, std::size_t most) {
  const std::string_view kept = text.substr(0, most);
  std::uint8_t length[2];
  put_u16(length, static_cast<std::uint16_t>(kept.size()));
  out.insert(out.end(), length, length + 2);
  out.insert(out.end(), kept.begin(), kept.end());
}

std::string take_text(std::span<const std::uint8_t>& bytes, std::size_t most) {
  if (bytes.size() < 2) bad_frame("a text that is cut off");
  const std::size_t length = get_u16(bytes.data());
  bytes = bytes.subspan(2);
  if (length > most || length > bytes.size()) bad_frame("a text that is too long");
  std::string text(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
  bytes = bytes.subspan(length);
  return text;
}

}  // namespace

void put_frame_header(std::uint8_t* to, FrameType type, std::uint32_t lane, std::int64_t length) {
  put_u32(to, static_cast<std::uint32_t>(type) | static_cast<std::uint32_t>(length) << 8);
  put_u32(to + 4, lane);
}

std::optional<Frame> next_frame(std::span<const std::uint8_t>& bytes) {
  if (bytes.empty()) return std::nullopt;
  if (bytes.size() < static_cast<std::size_t>(kFrameHeader)) bad_frame("half a header");
  const std::uint32_t word = get_u32(bytes.data());
  Frame frame{static_cast<FrameType>(word & 0xFF), get_u32(bytes.data() + 4), {}};
  const std::size_t length = word >> 8;
  bytes = bytes.subspan(static_cast<std::size_t>(kFrameHeader));
  if (length > bytes.size()) bad_frame("one longer than its record");
  frame.payload = bytes.first(length);
  bytes = bytes.subspan(length);
  return frame;
}

std::vector<std::uint8_t> encode(const HelloFrame& hello) {
  auto out = start(FrameType::kHello, 0, 24);
  std::uint8_t* to = out.data() + kFrameHeader;
  put_u16(to, hello.version);
  put_u16(to + 2, 0);
  put_u32(to + 4, hello.initial_credit);
  std::memcpy(to + 8, hello.incarnation.data(), 16);
  return out;
}

HelloFrame parse_hello(const Frame& frame) {
  // Read before the size is checked: a later version may have a longer hello.
  if (frame.type != FrameType::kHello || frame.payload.size() < 4) bad_frame("no hello");
  HelloFrame hello;
  hello.version = get_u16(frame.payload.data());
  if (hello.version != HelloFrame::kVersion) {
    throw Error(Code::kVersion, "expected data plane version " +
                                    std::to_string(HelloFrame::kVersion) + ", found " +
                                    std::to_string(hello.version));
  }
  want_size(frame, 24);
  if (get_u16(frame.payload.data() + 2) != 0) bad_frame("unknown features in a hello");
  hello.initial_credit = get_u32(frame.payload.data() + 4);
  hello.incarnation = array_at<16>(frame.payload.data() + 8);
  return hello;
}

std::vector<std::uint8_t> encode(const LaneFrame& lane) {
  auto out = start(FrameType::kLane, lane.number, 40);
  std::uint8_t* to = out.data() + kFrameHeader;
  put_u32(to, lane.peer_number);
  put_u32(to + 4, lane.aborts);
  std::memcpy(to + 8, lane.session.data(), 16);
  put_u64(to + 24, lane.received);
  put_u64(to + 32, lane.limit);
  return out;
}

LaneFrame parse_lane(const Frame& frame) {
  want_size(frame, 40);
  const std::uint8_t* from = frame.payload.data();
  if (frame.lane == 0) bad_frame("lane number 0");
  return {.number = frame.lane,
          .peer_number = get_u32(from),
          .session = array_at<16>(from + 8),
          .received = get_u64(from + 24),
          .limit = get_u64(from + 32),
          .aborts = get_u32(from + 4)};
}

void put_ack(std::uint8_t* to, const AckFrame& ack) {
  put_frame_header(to, FrameType::kAck, ack.number, 20);
  put_u64(to + 8, ack.received);
  put_u64(to + 16, ack.limit);
  put_u32(to + 24, ack.aborts);
}

AckFrame parse_ack(const Frame& frame) {
  want_size(frame, 20);
  const std::uint8_t* from = frame.payload.data();
  return {frame.lane, get_u64(from), get_u64(from + 8), get_u32(from + 16)};
}

void put_flow(std::uint8_t* to, std::uint64_t received) {
  put_frame_header(to, FrameType::kFlow, 0, 8);
  put_u64(to + 8, received);
}

void put_cut(std::uint8_t* to, std::uint32_t lane, std::uint64_t offset) {
  put_frame_header(to, FrameType::kCut, lane, 8);
  put_u64(to + 8, offset);
}

std::uint64_t parse_number(const Frame& frame) {
  want_size(frame, 8);
  return get_u64(frame.payload.data());
}

std::vector<std::uint8_t> encode(const AbortFrame& abort) {
  auto out = start(FrameType::kAbort, abort.number, 17);
  std::uint8_t* to = out.data() + kFrameHeader;
  put_u32(to, abort.count);
  put_u64(to + 4, abort.task);
  to[12] = static_cast<std::uint8_t>(abort.error.code());
  put_u32(to + 13, static_cast<std::uint32_t>(abort.error.site().line));
  put_text(out, abort.error.message(), kMaxText);
  put_text(out, abort.error.party(), kMaxName);
  put_text(out, abort.error.op(), kMaxName);
  put_text(out, abort.error.site().file, kMaxName);
  put_frame_header(out.data(), FrameType::kAbort, abort.number,
                   static_cast<std::int64_t>(out.size()) - kFrameHeader);
  return out;
}

AbortFrame parse_abort(const Frame& frame) {
  if (frame.payload.size() < 17) bad_frame("an abort that is cut off");
  const std::uint8_t* from = frame.payload.data();
  AbortFrame abort{.number = frame.lane, .count = get_u32(from), .task = get_u64(from + 4)};
  const auto code = static_cast<Code>(from[12]);
  Site site{{}, static_cast<std::int32_t>(get_u32(from + 13))};
  auto rest = frame.payload.subspan(17);
  const std::string message = take_text(rest, kMaxText);
  const std::string party = take_text(rest, kMaxName);
  const std::string op = take_text(rest, kMaxName);
  site.file = take_text(rest, kMaxName);
  if (!rest.empty()) bad_frame("bytes behind an abort");
  abort.error = Error(code, message);
  if (!party.empty()) abort.error = abort.error.at_party(party);
  if (!op.empty()) abort.error = abort.error.at_op(op, site);
  return abort;
}

std::vector<std::uint8_t> encode(const EndFrame& end) {
  auto out = start(FrameType::kEnd, end.number, 21);
  std::uint8_t* to = out.data() + kFrameHeader;
  put_u32(to, end.peer_number);
  std::memcpy(to + 4, end.session.data(), 16);
  to[20] = static_cast<std::uint8_t>(end.code);
  return out;
}

EndFrame parse_end(const Frame& frame) {
  want_size(frame, 21);
  const std::uint8_t* from = frame.payload.data();
  const auto code = static_cast<Code>(from[20]);
  if (code != Code::kSessionOver && code != Code::kPeerLost) bad_frame("a lane ended otherwise");
  return {frame.lane, get_u32(from), array_at<16>(from + 4), code};
}

std::vector<std::uint8_t> encode_empty(FrameType type) { return start(type, 0, 0); }

void put_message_header(std::uint8_t* to, const MessageHeader& header) {
  put_u64(to, header.tag.task);
  put_u32(to + 8, header.tag.op);
  put_u32(to + 12, header.tag.step);
  put_u64(to + 16, static_cast<std::uint64_t>(header.body));
  put_u32(to + 24, static_cast<std::uint32_t>(header.head));
  put_u32(to + 28, 0);
}

MessageHeader parse_message_header(const std::uint8_t* bytes) {
  const std::uint64_t body = get_u64(bytes + 16);
  const std::uint32_t head = get_u32(bytes + 24);
  if (body > static_cast<std::uint64_t>(kMaxBodyBytes) || head > kMaxHeadBytes ||
      get_u32(bytes + 28) != 0) {
    bad_frame("a message header beyond the limits");
  }
  return {{get_u64(bytes), get_u32(bytes + 8), get_u32(bytes + 12)},
          static_cast<std::int64_t>(head),
          static_cast<std::int64_t>(body)};
}

std::optional<ConnectionToken> parse_preamble(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < static_cast<std::size_t>(kPreambleBytes) ||
      !std::equal(kDataMagic.begin(), kDataMagic.end(), bytes.begin())) {
    return std::nullopt;
  }
  return array_at<16>(bytes.data() + 8);
}

HelloFrame parse_first_record(std::span<const std::uint8_t> payload) {
  const std::optional<Frame> frame = next_frame(payload);
  if (!frame || !payload.empty()) bad_frame("no hello alone in the first record");
  return parse_hello(*frame);
}

}  // namespace curia
