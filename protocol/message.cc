#include "protocol/message.h"

#include <algorithm>

#include "protocol/codec.h"

namespace curia {

// One line a message: its fields in wire order.
#define CURIA_FIELDS(Type, ...)                               \
  template <class Archive>                                    \
  void CEREAL_SERIALIZE_FUNCTION_NAME(Archive& ar, Type& m) { \
    [[maybe_unused]] auto& self = m;                          \
    ar(__VA_ARGS__);                                          \
  }

CURIA_FIELDS(WireError, m.code, m.message, m.party, m.op, m.site)
CURIA_FIELDS(HelloRequest, m.min_version, m.max_version, m.features)
CURIA_FIELDS(HelloReply, m.party, m.version, m.epoch, m.features, m.data_port)
CURIA_FIELDS(OpenRequest, m.generation, m.lease_ms, m.process)
CURIA_FIELDS(OpenReply, m.generation, m.next_sequence, m.next_task, m.lease_ms)
CURIA_FIELDS(HeartbeatReply, m.next_sequence)
CURIA_FIELDS(PrepareRequest, m.digest, m.graph, m.sites)
CURIA_FIELDS(RunRequest, m.task, m.digest, m.timeout_ms, m.inputs, m.outputs, m.lanes)
CURIA_FIELDS(OutputInfo, m.output, m.lineage)
CURIA_FIELDS(MpcUse, m.op, m.runs, m.rounds, m.bytes)
CURIA_FIELDS(RunReply, m.outputs, m.mpc)
CURIA_FIELDS(CancelRequest, m.task)
CURIA_FIELDS(PutRequest, m.uri, m.type, m.head, m.body, m.bytes, m.bulk, m.salt, m.site)
CURIA_FIELDS(PutReply, m.lineage)
CURIA_FIELDS(FetchRequest, m.uri, m.after)
CURIA_FIELDS(FetchReply, m.head, m.body, m.bytes, m.bulk)
CURIA_FIELDS(DescribeRequest, m.uri, m.dataset, m.after, m.lineage)
CURIA_FIELDS(MadeOf, m.dataset, m.name, m.uri, m.party, m.type, m.site, m.lineage)
CURIA_FIELDS(MadeBy, m.task, m.name, m.op, m.site, m.of, m.more)
CURIA_FIELDS(DescribeReply, m.type, m.label, m.lineage, m.state, m.program, m.output, m.bytes,
             m.ranges, m.error, m.made)
CURIA_FIELDS(ListRequest, m.datasets, m.after, m.scheme, m.prefix)
CURIA_FIELDS(ListEntry, m.name, m.type, m.label, m.ranges)
CURIA_FIELDS(ListReply, m.entries, m.more)
CURIA_FIELDS(ReleaseRequest, m.uris)
CURIA_FIELDS(StatsEntry, m.name, m.value)
CURIA_FIELDS(StatsReply, m.entries)
CURIA_FIELDS(GrantsRequest, m.from)
CURIA_FIELDS(GrantInfo, m.source, m.to, m.members, m.protocol, m.programs, m.releases, m.until,
             m.times, m.used, m.approval, m.what, m.epsilon, m.delta, m.spent_epsilon,
             m.spent_delta)
CURIA_FIELDS(GrantsReply, m.grants, m.more)
CURIA_FIELDS(WaitInfo, m.party, m.waits_for, m.what, m.session, m.task, m.op, m.site, m.waited_ms)
CURIA_FIELDS(StatusReply, m.party, m.epoch, m.uptime_ms, m.sessions, m.queued, m.waits, m.peers_up,
             m.peers_down)
CURIA_FIELDS(DialRequestMessage, m.session, m.secret)
CURIA_FIELDS(DialReplyMessage, m.token, m.secret, m.port)
CURIA_FIELDS(ConsentItem, m.source, m.programs, m.recipient, m.program, m.release, m.op, m.protocol,
             m.members, m.lineage, m.charges)
CURIA_FIELDS(ConsentRequest, m.principal, m.session, m.task, m.instance, m.items)
CURIA_FIELDS(ConsentReply, m.allowed, m.reasons)

template <class Archive>
void CEREAL_SERIALIZE_FUNCTION_NAME(Archive&, Nothing&) {}

#undef CURIA_FIELDS

template <class M>
std::string encode(const M& message) {
  std::string out;
  WireWriter writer(out);
  writer(message);
  return out;
}

template <class M>
M decode(std::string_view metadata) {
  M message;
  WireReader reader(metadata);
  reader(message);
  reader.finish();
  return message;
}

#define CURIA_MESSAGE(Type)                 \
  template std::string encode(const Type&); \
  template Type decode(std::string_view)

CURIA_MESSAGE(WireError);
CURIA_MESSAGE(HelloRequest);
CURIA_MESSAGE(HelloReply);
CURIA_MESSAGE(OpenRequest);
CURIA_MESSAGE(OpenReply);
CURIA_MESSAGE(HeartbeatReply);
CURIA_MESSAGE(PrepareRequest);
CURIA_MESSAGE(RunRequest);
CURIA_MESSAGE(RunReply);
CURIA_MESSAGE(CancelRequest);
CURIA_MESSAGE(PutRequest);
CURIA_MESSAGE(PutReply);
CURIA_MESSAGE(FetchRequest);
CURIA_MESSAGE(FetchReply);
CURIA_MESSAGE(DescribeRequest);
CURIA_MESSAGE(DescribeReply);
CURIA_MESSAGE(ListRequest);
CURIA_MESSAGE(ListReply);
CURIA_MESSAGE(ReleaseRequest);
CURIA_MESSAGE(StatsReply);
CURIA_MESSAGE(StatusReply);
CURIA_MESSAGE(GrantsRequest);
CURIA_MESSAGE(GrantsReply);
CURIA_MESSAGE(DialRequestMessage);
CURIA_MESSAGE(DialReplyMessage);
CURIA_MESSAGE(ConsentRequest);
CURIA_MESSAGE(ConsentReply);
CURIA_MESSAGE(Nothing);

#undef CURIA_MESSAGE

WireError::WireError(const Error& error)
    : code(static_cast<std::uint8_t>(error.code())),
      message(error.message().substr(0, kMaxErrorText)),
      party(error.party().substr(0, kMaxNameBytes)),
      op(error.op().substr(0, kMaxNameBytes)),
      site{error.site().file.substr(0, kMaxErrorText), error.site().line} {}

Error WireError::error() const {
  Error result(code == 0 ? Code::kFailed : static_cast<Code>(code), message);
  if (!party.empty()) result = result.at_party(party);
  return op.empty() && site.file.empty() ? result : result.at_op(op, site);
}

bool is_ordered(Kind kind) {
  return kind == Kind::kPrepare || kind == Kind::kRun || kind == Kind::kPut ||
         kind == Kind::kRelease;
}

std::string_view kind_name(Kind kind) {
  static constexpr std::string_view kNames[] = {
      "",       "hello", "open",    "heartbeat", "close", "prepare", "run",
      "cancel", "put",   "fetch",   "describe",  "list",  "release", "stats",
      "status", "dial",  "consent", "check",     "grants"};
  const auto number = static_cast<std::size_t>(kind) & 0xfff;
  return number < std::size(kNames) ? kNames[number] : "unknown";
}

void append_packet(std::string& frame, Header header, std::string_view metadata) {
  header.metadata = static_cast<std::uint32_t>(metadata.size());
  frame.append(reinterpret_cast<const char*>(&header), sizeof(header));
  frame.append(metadata);
}

std::vector<Packet> split_packets(std::string_view frame) {
  std::vector<Packet> packets;
  while (!frame.empty()) {
    Packet packet;
    if (frame.size() < sizeof(Header)) WireReader::refuse("a header is cut short");
    std::memcpy(&packet.header, frame.data(), sizeof(Header));
    const Header& header = packet.header;
    if (header.magic != kMagic) WireReader::refuse("this is not a Curia message");
    if (header.version != kVersion) {
      throw Error(Code::kVersion, "expected protocol version " + std::to_string(kVersion) +
                                      ", found " + std::to_string(header.version) +
                                      "; use builds of the same version");
    }
    frame.remove_prefix(sizeof(Header));
    const auto kind = static_cast<Kind>(header.kind & 0xfff);
    const std::int64_t most = kind == Kind::kPrepare ? kMaxPrepareMetadata : kMaxMetadata;
    if (header.reserved != 0) WireReader::refuse("a reserved field is not zero");
    if (header.metadata > most) WireReader::refuse("the metadata of a message is too long");
    if (header.metadata > frame.size()) WireReader::refuse("a message is cut short");
    packet.metadata = frame.substr(0, header.metadata);
    frame.remove_prefix(header.metadata);
    packets.push_back(packet);
  }
  if (packets.empty()) WireReader::refuse("an empty frame");
  return packets;
}

SessionId lane_session(const std::string& principal, const SessionId& session, LaneUse use,
                       std::uint32_t number) {
  Hasher hasher("curia lane 1");
  hasher.add(principal);
  hasher.add(std::span(session));
  hasher.add(static_cast<std::uint64_t>(use));
  if (number != 0) hasher.add(static_cast<std::uint64_t>(number));
  const Digest digest = hasher.finish();
  SessionId lane{};
  std::copy_n(digest.bytes.begin(), lane.size(), lane.begin());
  return lane;
}

std::string session_hex(const SessionId& session) {
  Digest digest;
  std::copy(session.begin(), session.end(), digest.bytes.begin());
  return digest.hex().substr(0, 32);
}

std::string driver_peer(const SessionId& session, std::uint64_t process) {
  return "driver/" + session_hex(session) + "/" + std::to_string(process);
}

}  // namespace curia
