// Frames of the control plane, metadata of every message, and values: refused, or bytes that are
// written again as they were.
#include <algorithm>

#include "protocol/message.h"
#include "protocol/value_bytes.h"
#include "tests/fuzz/fuzz.h"

using namespace curia;

namespace {

template <class M>
void message(std::string_view bytes) {
  fuzz::must(encode(decode<M>(bytes)) == bytes, "a message has two byte forms");
}

void packets(std::string_view frame) {
  std::string again;
  for (const Packet& packet : split_packets(frame)) {
    append_packet(again, packet.header, packet.metadata);
  }
  fuzz::must(again == frame, "a frame changed when it was cut");
}

// The first byte says how long the head is.
void value(std::string_view bytes) {
  if (bytes.empty()) return;
  const auto head = static_cast<std::uint8_t>(bytes[0]);
  bytes.remove_prefix(1);
  const Slice body = Slice::copy_of(bytes.substr(std::min<std::size_t>(head, bytes.size())));
  static const Type kTypes[] = {parse_type("f64[?] @alice"), parse_type("bool[?,?] @alice"),
                                parse_type("table[?]{n:i64,t:string,b:bool} @alice")};
  for (const Type& type : kTypes) {
    try {
      const Value found = value_from_bytes(bytes.substr(0, head), body, type);
      fuzz::must(value_bytes(found).bytes == body.size, "a value changed its size");
    } catch (const Error& error) {
      fuzz::must(error.code() == Code::kInvalid, "a value was refused with another code");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static constexpr void (*kTargets[])(std::string_view) = {
      packets,
      value,
      message<WireError>,
      message<HelloRequest>,
      message<HelloReply>,
      message<OpenRequest>,
      message<OpenReply>,
      message<HeartbeatReply>,
      message<PrepareRequest>,
      message<RunRequest>,
      message<RunReply>,
      message<CancelRequest>,
      message<PutRequest>,
      message<PutReply>,
      message<FetchRequest>,
      message<FetchReply>,
      message<DescribeRequest>,
      message<DescribeReply>,
      message<ListRequest>,
      message<ListReply>,
      message<ReleaseRequest>,
      message<StatsReply>,
      message<StatusReply>,
      message<DialRequestMessage>,
      message<DialReplyMessage>,
      message<ConsentRequest>,
      message<ConsentReply>,
      message<Nothing>,
  };
  for (const auto target : kTargets) {
    try {
      target(bytes);
    } catch (const Error& error) {
      fuzz::must(error.code() == Code::kInvalid || error.code() == Code::kVersion,
                 "bytes were refused with another code");
    }
  }
  return 0;
}
