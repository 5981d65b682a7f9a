// The messages of the control plane. FORMAT.md has their bytes.
//
// A control message is one or more *packets* back to back in the first frame, each a 64-byte header
// and its metadata; payload frames follow and belong to the last packet that counts any. The sender
// is the authenticated principal of the connection, never a field.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/digest.h"
#include "protocol/error.h"
#include "protocol/interval.h"
#include "protocol/label.h"
#include "protocol/lineage.h"
#include "protocol/session_id.h"
#include "protocol/type.h"

namespace curia {

inline constexpr std::uint32_t kMagic = 0x31525543;  // "CUR1"
inline constexpr std::uint16_t kVersion = 1;
inline constexpr std::int64_t kMaxMetadata = 64 << 10;  // all but prepare
inline constexpr std::int64_t kMaxPrepareMetadata = (1 << 20) + (32 << 10);
inline constexpr std::int64_t kInlineBytes = 32 << 10;  // larger values go over the data plane
inline constexpr std::int64_t kMaxErrorText = 4 << 10;  // longer messages of errors are cut
inline constexpr std::int64_t kMaxUrisPerMessage = 512;
inline constexpr std::uint32_t kMaxLanes = 256;  // RunRequest::lanes is smaller
inline constexpr std::int64_t kMaxMpcUses = 1000;
inline constexpr std::int64_t kMaxPrepared = 1024;            // programs a session, at each worker
inline constexpr std::int64_t kMaxPreparedBytes = 16 << 20;   // of their graphs and sites together
inline constexpr std::int64_t kMaxPreparedTypes = 192 << 20;  // Verified::own_bytes(), together

// The numbers are part of the wire format. A reply has the number of its request with kReply set.
enum class Kind : std::uint16_t {
  kHello = 1,
  kOpen = 2,
  kHeartbeat = 3,
  kClose = 4,
  kPrepare = 5,
  kRun = 6,
  kCancel = 7,
  kPut = 8,
  kFetch = 9,
  kDescribe = 10,
  kList = 11,
  kRelease = 12,
  kStats = 13,
  kStatus = 14,
  kDial = 15,
  kConsent = 16,
  kCheck = 17,   // a driver asks what a consent would say
  kGrants = 18,  // whoever is known asks for the grants that name it
};
inline constexpr std::uint16_t kReply = 0x8000;
inline constexpr std::uint16_t kFailure = 0x4000;  // with kReply: the metadata is a WireError

struct Header {
  std::uint32_t magic = kMagic;
  std::uint16_t version = kVersion;
  std::uint16_t kind = 0;
  std::uint32_t metadata = 0;  // bytes that follow
  std::uint32_t reserved = 0;
  std::uint64_t epoch = 0;     // the worker's; 0 before the reply to hello is known
  std::uint64_t request = 0;   // chosen by the requester, never reused in a session
  std::uint64_t sequence = 0;  // from 1, without gaps, for ordered requests; 0: not ordered
  std::uint64_t acked = 0;     // every reply to a sequence below this has arrived
  SessionId session{};
};
static_assert(sizeof(Header) == 64);

// Requests whose effects depend on their order: the worker executes them by sequence, each once.
bool is_ordered(Kind kind);
std::string_view kind_name(Kind kind);

struct Packet {
  Header header;
  std::string_view metadata;  // into the frame it was cut from
};

// Appends header (with its metadata size set) and metadata.
void append_packet(std::string& frame, Header header, std::string_view metadata);
// Errors: kVersion for another version (the message says both); kInvalid for a wrong magic, a size
// that reaches beyond the frame, or trailing bytes.
std::vector<Packet> split_packets(std::string_view frame);

struct WireError {
  std::uint8_t code = 1;
  std::string message;
  std::string party;
  std::string op;
  Site site;

  WireError() = default;
  explicit WireError(const Error& error);
  Error error() const;
};

struct HelloRequest {
  std::uint16_t min_version = kVersion;
  std::uint16_t max_version = kVersion;
  std::vector<std::string> features;  // what the other side must have
};
struct HelloReply {
  std::string party;
  std::uint16_t version = 0;
  std::uint64_t epoch = 0;
  std::vector<std::string> features;
  std::uint16_t data_port = 0;
};

struct OpenRequest {
  std::uint64_t generation = 0;  // 0: a new session; else: resume, must be the worker's generation
  std::uint32_t lease_ms = 0;    // 0: the worker's default
  // Drawn by each process of the driver, and the same on reconnects: bytes of an older process are
  // not taken for this one's, and an open whose reply was lost may come again. 0: nameless.
  std::uint64_t process = 0;
};
struct OpenReply {
  std::uint64_t generation = 0;
  std::uint64_t next_sequence = 1;
  std::uint64_t next_task = 1;
  std::uint32_t lease_ms = 0;
};
// Connections keep their order, so a sequence that was sent before the heartbeat and is not below
// next_sequence never arrived.
struct HeartbeatReply {
  std::uint64_t next_sequence = 1;
};

struct PrepareRequest {
  Digest digest;
  std::string graph;  // canonical bytes
  std::string sites;  // debug section
};

struct RunRequest {
  std::uint64_t task = 0;  // the same number at every party, larger than any before in the session
  Digest digest;
  std::uint32_t timeout_ms = 0;      // 0: none
  std::vector<std::string> inputs;   // one URI for each input of the graph
  std::vector<std::string> outputs;  // one new mem:// URI for each output of the graph
  // Which of the session's lanes between workers it uses, the same number at every party: it rises
  // when a worker was restarted, since lanes that it knew nothing of would not fit together.
  std::uint32_t lanes = 0;
};
struct OutputInfo {
  std::uint32_t output = 0;
  Digest lineage;
};
// What one op on a secure device took at this member, all its runs together.
struct MpcUse {
  std::uint32_t op = 0;  // number in the graph
  std::uint32_t runs = 0;
  std::uint64_t rounds = 0;  // the longest chain of messages that ends here, summed over the runs
  std::uint64_t bytes = 0;   // sent
};
struct RunReply {
  std::vector<OutputInfo> outputs;  // those that this worker stores
  std::vector<MpcUse> mpc;          // by number; at most kMaxMpcUses, the first of them
};

struct CancelRequest {
  std::uint64_t task = 0;  // 0: every task of the session
};

struct PutRequest {
  std::string uri;
  Type type;         // exact, placed at the worker
  std::string head;  // value_bytes.h
  std::string body;  // empty when bulk
  std::uint64_t bytes = 0;
  bool bulk = false;  // the body comes over the data plane, tag {sequence, 0, 0}
  Digest salt{};      // the lineage commits to the content under it; all zero: it is random
  Site site{};        // line of the driver program, for describe
};
struct PutReply {
  Digest lineage;
};

struct FetchRequest {
  std::string uri;
  // The last ordered request before it: until that has been executed, an object that does not exist
  // is waited for.
  std::uint64_t after = 0;
};
struct FetchReply {
  std::string head;
  std::string body;  // empty when bulk
  std::uint64_t bytes = 0;
  bool bulk = false;
};

struct DescribeRequest {
  std::string uri;  // one of the two
  std::string dataset;
  std::uint64_t after = 0;  // as in FetchRequest
  bool lineage = false;     // how it was made, too; then also of an object that is gone
};
// What a value was made of.
struct MadeOf {
  bool dataset = false;  // else an input, or an object that the program loads
  std::string name;      // of the dataset or input
  std::string uri;       // of an input or load
  std::string party;     // that has it; of a secret the first member
  Type type;
  Site site;         // of a dataset or load
  Digest lineage{};  // all zero where the run failed
};
struct MadeBy {
  std::uint64_t task = 0;  // 0: a put
  std::string name;        // of the program
  std::string op;          // that made it; "put"; "" for an input that a program gave back
  Site site;               // of the op, or of the put
  std::vector<MadeOf> of;  // inputs first
  bool more = false;       // that were left out
};
struct DescribeReply {
  Type type;
  std::string label;
  Digest lineage;
  std::string state;    // "ready" or "failed"; "released" for one that is gone
  std::string program;  // digest of the creating program, hex; "" for puts and datasets
  std::string output;
  std::uint64_t bytes = 0;  // declared bytes; 0 where a dimension is not released
  Ranges ranges;            // that the owner declares for a dataset
  std::optional<WireError> error;
  std::optional<MadeBy> made;  // where it was asked for and is known
};

struct ListRequest {
  bool datasets = false;  // else objects: the session's in mem://, else all that are the driver's
  std::string after;      // continue behind this name
  std::string scheme = "mem";
  std::string prefix;  // of objects: what their names go on with behind mem://, fs:/// or oss://
};
struct ListEntry {
  std::string name;
  Type type;
  std::string label;
  Ranges ranges;  // of a dataset
};
struct ListReply {
  std::vector<ListEntry> entries;
  bool more = false;
};

struct ReleaseRequest {
  std::vector<std::string> uris;
};

// Names and numbers, for people and scripts; the names are listed in worker/README.md.
struct StatsEntry {
  std::string name;
  std::int64_t value = 0;
};
struct StatsReply {
  std::vector<StatsEntry> entries;
};

struct GrantsRequest {
  std::uint32_t from = 0;  // number of the first that is wanted, of those that concern the caller
};
struct GrantInfo {
  std::string source;                // name of the dataset at the worker
  std::string to;                    // the recipient; "" for a grant to share
  std::vector<std::string> members;  // of a grant to share: of the device
  std::string protocol;
  std::vector<Digest> programs;       // none: any
  std::vector<std::string> releases;  // none: any
  std::string until;                  // "2027-01-31T00:00:00Z"; "" for ever
  std::uint64_t times = 0;            // how many releases it covers; 0: any number
  std::uint64_t used = 0;             // of them
  Digest approval{};                  // that it is a release of; all zero: a grant
  std::string what{};                 // of an approved release, in words
  // Of a rule: the budget of `to`, and what it has cost so far. epsilon 0: no rule.
  double epsilon = 0;
  double delta = 0;
  double spent_epsilon = 0;
  double spent_delta = 0;
};
struct GrantsReply {
  std::vector<GrantInfo> grants;
  bool more = false;
};

// One thing that a worker has been waiting for, longer than a second.
struct WaitInfo {
  std::string party;      // who waits
  std::string waits_for;  // a party, or "the driver", "memory"
  std::string what;       // "transfer", "preflight", "consent", "put data"
  std::string session;    // hex
  std::uint64_t task = 0;
  std::string op;
  Site site;
  std::uint64_t waited_ms = 0;
};
struct StatusReply {
  std::string party;
  std::uint64_t epoch = 0;
  std::uint64_t uptime_ms = 0;
  std::uint32_t sessions = 0;
  std::uint64_t queued = 0;  // requests not yet executed, all sessions
  std::vector<WaitInfo> waits;
  std::vector<std::string> peers_up;
  std::vector<std::string> peers_down;
};

struct DialRequestMessage {
  SessionId session{};  // drivers: the session whose lane it is; workers: zero
  std::array<std::uint8_t, 32> secret{};
};
struct DialReplyMessage {
  std::array<std::uint8_t, 16> token{};
  std::array<std::uint8_t, 32> secret{};
  std::uint16_t port = 0;
};

// A worker asks an owner's worker: may values of yours go to `recipient`? Or, where there are
// members: may they be shared among these, who run this protocol?
inline constexpr std::uint32_t kNoOp = ~std::uint32_t{0};  // of a fetch
struct ConsentItem {
  std::string source;  // name of the dataset at the owner
  std::vector<Digest> programs;
  std::string recipient;  // "" for a share
  Digest program;
  std::string release;       // name of the output, or label of the transfer, share or reveal
  std::uint32_t op = kNoOp;  // number of the op that releases: what counts as one release
  std::string protocol;      // of a share
  std::vector<std::string> members;
  Lineage lineage{};  // of the value
  // Of the releases with differential privacy through which alone the value depends on the source;
  // none: it depends on its rows.
  Charges charges{};
};
struct ConsentRequest {
  std::string principal;  // the driver's
  std::string session;
  std::uint64_t task = 0;
  Digest instance;
  std::vector<ConsentItem> items;
};
struct ConsentReply {
  std::vector<std::uint8_t> allowed;  // one byte an item, 0 or 1
  std::vector<std::string> reasons;   // why not; empty where allowed
};

struct Nothing {};

// What a lane of a driver's session is for. Tags: tasks {task, op, step}; puts {sequence, 0, 0};
// fetches {request, 0, 0}.
enum class LaneUse : std::uint8_t { kTasks = 0, kPuts = 1, kFetches = 2 };
// The lane's name on the data plane: bound to the principal, so that no other can share it.
SessionId lane_session(const std::string& principal, const SessionId& session, LaneUse use,
                       std::uint32_t number = 0);
// How a worker's link calls the driver's end of a session: one name for each process, so that what
// was meant for an older one is not taken for the newer one's.
std::string driver_peer(const SessionId& session, std::uint64_t process);
std::string session_hex(const SessionId& session);

// Metadata bytes of any message above; decode refuses whatever encode would not have written.
template <class M>
std::string encode(const M& message);
template <class M>
M decode(std::string_view metadata);

}  // namespace curia
