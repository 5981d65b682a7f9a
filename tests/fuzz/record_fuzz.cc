// Bytes of the data plane: frames as an authentic peer may send them, headers as anybody may.
//
// The first byte chooses what the rest is taken for. Nothing may crash, be accepted and then read
// back as something else, or make a lane hold more than its credit.
#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "protocol/link/frames.h"
#include "protocol/link/in_stream.h"
#include "protocol/link/record.h"
#include "tests/fuzz/fuzz.h"

using namespace curia;

namespace {

using Bytes = std::span<const std::uint8_t>;

bool same(Bytes a, const std::vector<std::uint8_t>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

// Every frame that is taken has one spelling.
void frames(Bytes bytes) {
  while (true) {
    const Bytes before = bytes;
    const auto frame = next_frame(bytes);
    if (!frame) return;
    const Bytes whole = before.first(before.size() - bytes.size());
    switch (frame->type) {
      case FrameType::kHello:
        fuzz::must(frame->lane != 0 || same(whole, encode(parse_hello(*frame))), "a hello");
        break;
      case FrameType::kLane:
        fuzz::must(same(whole, encode(parse_lane(*frame))), "a lane");
        break;
      case FrameType::kAbort: {
        const AbortFrame abort = parse_abort(*frame);
        fuzz::must(abort.error.message().size() <= 4096, "a long text");
        break;
      }
      case FrameType::kEnd:
        fuzz::must(same(whole, encode(parse_end(*frame))), "an end");
        break;
      case FrameType::kAck:
        parse_ack(*frame);
        break;
      case FrameType::kFlow:
      case FrameType::kCut:
        parse_number(*frame);
        break;
      default:
        break;
    }
  }
}

// Pieces of a lane's stream, each with a byte before it that says how long it is and how it comes.
void stream(Bytes bytes) {
  constexpr std::int64_t kCredit = 4096;
  InStream in(kCredit);
  std::uint64_t limit = 0;
  while (bytes.size() > 1) {
    const std::uint8_t how = bytes[0];
    bytes = bytes.subspan(1);
    const Bytes piece = bytes.first(std::min<std::size_t>(bytes.size(), how & 63));
    bytes = bytes.subspan(piece.size());
    fuzz::must(in.limit() >= limit, "a limit that fell");
    limit = in.limit();
    const std::int64_t size = static_cast<std::int64_t>(piece.size());
    if ((how & 0xC0) == 0xC0) {
      in.cut(in.received());
    } else if (const auto target = in.direct(in.received(), size); target && (how & 0x40) != 0) {
      std::memcpy(target->at, piece.data(), piece.size());
      in.commit(size);
    } else {
      if (target) in.abandon();
      in.consume(in.received(), piece);
    }
    if ((how & 0x80) != 0) {
      try {
        const Tag tag{how & 3u, 0, 0};
        if (!in.take(tag, 100000)) in.wait(tag, 100000);
      } catch (const Error&) {
      }
      in.stop_waiting();
    }
  }
  fuzz::must(in.received() <= in.limit() + 4096, "more than the credit");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes bytes(data + 1, size - 1);
  try {
    switch (data[0] % 4) {
      case 0:
        frames(bytes);
        break;
      case 1:
        stream(bytes);
        break;
      case 2:
        parse_preamble(bytes);
        parse_first_record(bytes);
        break;
      default: {
        static const Opener opener(Secret{});
        if (bytes.size() < static_cast<std::size_t>(kRecordHeader)) break;
        fuzz::must(opener.payload_size(bytes.data()) <= kMaxRecordPayload, "a large record");
        break;
      }
    }
  } catch (const Error& error) {
    fuzz::must(error.code() == Code::kCorrupt || error.code() == Code::kVersion,
               "bytes were refused with another code");
  }
  return 0;
}
