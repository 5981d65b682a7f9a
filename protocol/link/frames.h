// What is inside the records of a data connection: frames. FORMAT.md has the exact bytes.
//
// A frame is {u8 type, u24 length, u32 lane, payload[length]}. A record holds whole frames.
// Parsing throws kCorrupt on anything that an honest peer would not send, and allocates nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "protocol/link/link.h"
#include "protocol/link/record.h"

namespace curia {

// What the dialer sends in clear before its first record.
inline constexpr std::array<std::uint8_t, 8> kDataMagic = {'C', 'U', 'R', 'I', 'A', 'D', 'P', '1'};
inline constexpr std::int64_t kPreambleBytes = 8 + 16;  // magic, token
inline constexpr std::int64_t kMaxFirstRecord = 256;    // header and tag included

enum class FrameType : std::uint8_t {
  kHello = 1,  // first frame of the first record each way
  kLane = 2,   // names a lane, and says how far its receiver had come
  kReady = 3,  // all lanes there are have been named
  kData = 4,   // bytes of a lane's stream
  kAck = 5,    // how far a lane's receiver has come, and how far the sender may go
  kAbort = 6,  // a task failed
  kCut = 7,    // the message that is being sent ends here, unfinished
  kEnd = 8,    // a lane is over
  kFlow = 9,   // how many bytes of this connection have arrived
  kPing = 10,  // answered by kPong when nothing else is to be said
  kPong = 11,
};

inline constexpr std::int64_t kFrameHeader = 8;
inline constexpr std::int64_t kDataHeader = kFrameHeader + 8;  // with the offset
inline constexpr std::int64_t kMessageHeader = 32;

struct Frame {
  FrameType type{};
  std::uint32_t lane = 0;
  std::span<const std::uint8_t> payload;
};

// Takes the next frame off the front; nullopt at the end. Errors: kCorrupt when it is cut off.
std::optional<Frame> next_frame(std::span<const std::uint8_t>& bytes);

// Writes a frame's 8 bytes.
void put_frame_header(std::uint8_t* to, FrameType type, std::uint32_t lane, std::int64_t length);

using Incarnation = std::array<std::uint8_t, 16>;

struct HelloFrame {
  static constexpr std::uint16_t kVersion = 1;
  std::uint16_t version = kVersion;
  std::uint32_t initial_credit = 0;  // stream bytes a lane may carry before its receiver opened it
  Incarnation incarnation{};         // of the sender's link: differs after a restart
};

struct LaneFrame {
  std::uint32_t number = 0;       // of the lane, as its sender counts
  std::uint32_t peer_number = 0;  // the number the other end had given to it, 0 when unknown
  SessionId session{};
  std::uint64_t received = 0;  // stream bytes that had come from the other end
  std::uint64_t limit = 0;     // stream offset up to which the other end may send
  std::uint32_t aborts = 0;    // abort frames that had come from the other end
};

struct AckFrame {
  std::uint32_t number = 0;  // of the lane, as the receiver of this frame counts
  std::uint64_t received = 0;
  std::uint64_t limit = 0;
  std::uint32_t aborts = 0;
};

struct AbortFrame {
  std::uint32_t number = 0;  // of the lane, as its sender counts
  std::uint32_t count = 0;   // 1 for the first abort of the lane
  std::uint64_t task = 0;
  Error error{Code::kFailed, ""};
};

struct EndFrame {
  std::uint32_t number = 0;       // of the lane, as the sender counts; 0 when it has none
  std::uint32_t peer_number = 0;  // as the receiver counts; 0 when the sender does not know it
  SessionId session{};
  Code code = Code::kSessionOver;
};

struct MessageHeader {
  Tag tag;
  std::int64_t head = 0;
  std::int64_t body = 0;
};

std::vector<std::uint8_t> encode(const HelloFrame& hello);
std::vector<std::uint8_t> encode(const LaneFrame& lane);
std::vector<std::uint8_t> encode(const AbortFrame& abort);  // texts are cut to their limits
std::vector<std::uint8_t> encode(const EndFrame& end);
std::vector<std::uint8_t> encode_empty(FrameType type);

inline constexpr std::int64_t kAckFrame = kFrameHeader + 20;
inline constexpr std::int64_t kFlowFrame = kFrameHeader + 8;
inline constexpr std::int64_t kCutFrame = kFrameHeader + 8;
void put_ack(std::uint8_t* to, const AckFrame& ack);                       // kAckFrame bytes
void put_flow(std::uint8_t* to, std::uint64_t received);                   // kFlowFrame bytes
void put_cut(std::uint8_t* to, std::uint32_t lane, std::uint64_t offset);  // kCutFrame bytes
void put_message_header(std::uint8_t* to, const MessageHeader& header);

// Errors of all: kCorrupt.
HelloFrame parse_hello(const Frame& frame);
LaneFrame parse_lane(const Frame& frame);
AckFrame parse_ack(const Frame& frame);
AbortFrame parse_abort(const Frame& frame);
EndFrame parse_end(const Frame& frame);
std::uint64_t parse_number(const Frame& frame);  // kFlow, kCut
MessageHeader parse_message_header(const std::uint8_t* bytes);

// The token of a preamble, nullopt when the magic is another.
std::optional<ConnectionToken> parse_preamble(std::span<const std::uint8_t> bytes);

// The hello in an opened first record. Errors: kCorrupt; kVersion when the versions differ.
HelloFrame parse_first_record(std::span<const std::uint8_t> payload);

}  // namespace curia
