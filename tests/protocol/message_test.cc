// Every message: there and back, the bytes of an example, and counts that claim the impossible.
#include "protocol/message.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <fstream>
#include <functional>
#include <map>

#include "protocol/label.h"
#include "protocol/uri.h"
#include "tests/support/digests.h"

using namespace curia;

namespace {

const std::string kUri = "mem://00112233445566778899aabbccddeeff";
const Type kType = parse_type("f64[2,3] @alice");

WireError wire_error() {
  return WireError(Error(Code::kDenied, "no").at_party("alice").at_op("sum", {"a.cc", 7}));
}

// What a test knows of one kind of message: bytes of an example, and whether bytes are one.
struct Known {
  std::string example;
  std::function<std::string(std::string_view)> again;  // decode, then encode
};

template <class M>
Known known(const M& example) {
  return {encode(example), [](std::string_view bytes) { return encode(decode<M>(bytes)); }};
}

ConsentRequest consent_request() {
  ConsentRequest request{"dora", "00", 3, filled(7), {}};
  request.items.resize(2);
  ConsentItem& plain = request.items[0];
  plain.source = "x";
  plain.programs = {filled(8), filled(9)};
  plain.recipient = "bob";
  plain.program = filled(8);
  plain.release = "out";
  plain.lineage = {filled(10), filled(11), {{filled(12), filled(13)}}};
  ConsentItem& share = request.items[1];
  share.source = "y";
  share.program = filled(8);
  share.release = "in";
  share.op = 5;
  share.protocol = "replicated3";
  share.members = {"alice", "bob", "carol"};
  share.lineage = {filled(10), filled(11), {}, false};
  share.charges = {{filled(14), {0.5, 1e-6}}, {filled(15), {1, 0}}};
  return request;
}

std::map<std::string, Known> messages() {
  std::map<std::string, Known> all;
  all["error"] = known(wire_error());
  all["hello"] = known(HelloRequest{1, 2, {"a", "b"}});
  all["hello reply"] = known(HelloReply{"alice", 1, 9, {"a"}, 7001});
  all["open"] = known(OpenRequest{1, 30000, 6});
  all["open reply"] = known(OpenReply{2, 3, 4, 5});
  all["heartbeat reply"] = known(HeartbeatReply{8});
  all["prepare"] = known(PrepareRequest{filled(1), "graph", "sites"});
  all["run"] = known(RunRequest{3, filled(2), 100, {kUri}, {kUri, kUri}, 7});
  all["run reply"] = known(RunReply{{{0, filled(3)}, {2, filled(4)}}, {{5, 1, 9, 4096}}});
  all["cancel"] = known(CancelRequest{3});
  all["put"] = known(PutRequest{kUri, kType, "head", "body", 48, false, filled(6), {"a.cc", 3}});
  all["put reply"] = known(PutReply{filled(5)});
  all["fetch"] = known(FetchRequest{kUri, 10});
  all["fetch reply"] = known(FetchReply{"head", "", 1 << 20, true});
  all["describe"] = known(DescribeRequest{kUri, "iris", 11, true});
  DescribeReply described{kType, "{alice/x}", filled(6),           "failed",    "ab",
                          "out", 48,          {{"age", {0, 120}}}, wire_error()};
  MadeBy& made = described.made.emplace();
  made = {3, "means", "sum", {"a.cc", 4}, {}, true};
  made.of.push_back({true, "iris", kUri, "alice", kType, {"a.cc", 5}, filled(7)});
  all["describe reply"] = known(described);
  all["list"] = known(ListRequest{true, "iris", "fs", "run-1/"});
  all["list reply"] = known(
      ListReply{{{"iris", kType, "{alice/iris}", {{"", {-1.5, 2}}, {"age", {0, 120}}}}}, true});
  all["release"] = known(ReleaseRequest{{kUri, kUri}});
  all["stats reply"] = known(StatsReply{{{"runs", 3}, {"lost", -1}}});
  all["status reply"] =
      known(StatusReply{"alice",
                        1,
                        2,
                        3,
                        4,
                        {{"alice", "bob", "transfer", "00", 5, "sum", {"a.cc", 1}, 1500}},
                        {"bob"},
                        {"carol"}});
  all["grants"] = known(GrantsRequest{7});
  all["grants reply"] = known(GrantsReply{
      {{"x", "dora", {}, "", {filled(8)}, {"out"}, "2027-01-31T00:00:00Z", 3, 1},
       {"y", "", {"alice", "bob", "carol"}, "replicated3", {}, {}, "", 0, 0, filled(9), "shares"},
       {"z", "bob", {}, "", {}, {}, "", 0, 0, {}, "", 1.5, 1e-6, 0.5, 1e-7}},
      true});
  all["dial"] = known(DialRequestMessage{});
  all["dial reply"] = known(DialReplyMessage{});
  all["consent"] = known(consent_request());
  all["consent reply"] = known(ConsentReply{{1, 0}, {"", "why"}});
  all["nothing"] = known(Nothing{});
  return all;
}

// Peak resident memory of this process.
std::int64_t peak_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

std::string hex(const std::string& bytes) {
  return sha256({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}).hex();
}

}  // namespace

TEST_CASE("Message: every message comes back as it was, and no part of it is one") {
  for (const auto& [name, message] : messages()) {
    INFO(name);
    CHECK(message.again(message.example) == message.example);
    CHECK_THROWS_AS(message.again(message.example + '\0'), Error);
    for (std::size_t size = 0; size < message.example.size(); ++size) {
      CHECK_THROWS_AS(message.again(message.example.substr(0, size)), Error);
    }
  }
}

TEST_CASE("Message: the bytes of an example of each are those of the format's version") {
  std::ifstream file(CURIA_GOLDEN "/messages.sha256");
  std::map<std::string, std::string> golden;
  for (std::string sum, name; file >> sum && std::getline(file >> std::ws, name);) {
    golden[name] = sum;
  }
  const auto all = messages();
  CHECK(golden.size() == all.size());
  for (const auto& [name, message] : all) {
    INFO(hex(message.example) << "  " << name);
    CHECK(golden[name] == hex(message.example));
  }
}

TEST_CASE("Message: a count of four billion is refused wherever it stands, without the memory") {
  const auto all = messages();
  const std::int64_t before = peak_kib();
  for (const auto& [name, message] : all) {
    INFO(name);
    for (std::size_t at = 0; at + 4 <= message.example.size(); ++at) {
      std::string bomb = message.example;
      bomb.replace(at, 4, "\xff\xff\xff\xff");
      std::string found = bomb;  // where no count stood, it may well be a message
      try {
        found = message.again(bomb);
      } catch (const Error& error) {
        CHECK(error.code() == Code::kInvalid);
      }
      CHECK(found == bomb);
    }
  }
  const std::string bomb(16, '\xff');
  CHECK_THROWS_AS(decode<ReleaseRequest>(bomb), Error);
  CHECK_THROWS_AS(decode<StatsReply>(bomb), Error);
  CHECK_THROWS_AS(decode<ListReply>(std::string_view("\xff\xff\xff\xff", 4)), Error);
  CHECK_THROWS_AS(decode<RunReply>(std::string_view("\xff\xff\xff\xff", 4)), Error);
  CHECK_THROWS_AS(decode<ConsentReply>(std::string_view("\xff\xff\xff\xff", 4)), Error);
  CHECK(peak_kib() - before < 4096);
}

TEST_CASE("Message: packets are cut from a frame as they were put, or the frame is refused") {
  Header header;
  header.kind = static_cast<std::uint16_t>(Kind::kRun);
  header.request = 5;
  std::string frame;
  append_packet(frame, header, "first");
  append_packet(frame, header, "");
  append_packet(frame, header, std::string(kMaxMetadata, 'x'));
  const auto packets = split_packets(frame);
  REQUIRE(packets.size() == 3);
  CHECK(packets[0].metadata == "first");
  CHECK(packets[1].metadata.empty());
  CHECK(packets[2].header.request == 5);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{63}, std::size_t{64},
                                 std::size_t{68}, frame.size() - 1}) {
    CHECK_THROWS_AS(split_packets(std::string_view(frame).substr(0, size)), Error);
  }
  std::string longer;
  append_packet(longer, header, std::string(kMaxMetadata + 1, 'x'));
  CHECK_THROWS_AS(split_packets(longer), Error);
}

TEST_CASE("Message: an error is cut to what a packet holds") {
  const std::string much(1 << 20, 'x');
  const Error error = Error(Code::kInvalid, much).at_party(much).at_op(much, {much, 3});
  CHECK(encode(WireError(error)).size() < 16 << 10);
  CHECK(WireError(error).error().code() == Code::kInvalid);
}
