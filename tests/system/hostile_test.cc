// A driver with a valid key that speaks the wire format by hand, badly.
#include "tests/system/hostile.h"

using namespace curia;

TEST_CASE("Hostile: frames that are not the protocol are refused, and their sender is cut off") {
  Hostile world;
  Header header;
  header.kind = static_cast<std::uint16_t>(Kind::kHello);
  const std::string good = frame_of(header, encode(HelloRequest{}));
  Header other = header;
  other.version = 2;
  const std::string version = frame_of(other, encode(HelloRequest{}));
  other = header;
  other.magic = 0x31525544;
  const std::string magic = frame_of(other, encode(HelloRequest{}));
  other = header;
  other.reserved = 1;
  const std::string reserved = frame_of(other, encode(HelloRequest{}));
  const std::string big = frame_of(header, std::string(kMaxMetadata + 1, 'x'));
  std::string claims = good;
  claims.replace(offsetof(Header, metadata), 4, "\xff\xff\xff\x7f");
  const std::vector<std::string> bad = {version,
                                        magic,
                                        reserved,
                                        big,
                                        claims,
                                        good.substr(0, 63),
                                        good.substr(0, good.size() - 1),
                                        good + "x",
                                        std::string(200, '\xee'),
                                        "x"};
  for (const std::string& frame : bad) {
    RawDriver raw = world.client();
    raw.send(frame);
    const auto reply = raw.recv();
    REQUIRE(reply);
    INFO(reply->error().what());
    CHECK(reply->error().code() == (&frame == &bad[0] ? Code::kVersion : Code::kInvalid));
    if (&frame == &bad[0]) CHECK(contains(reply->error().message(), "version 1, found 2"));
  }
  RawDriver raw = world.client();
  raw.send_frames({good, "payload"});
  const auto reply = raw.recv();
  REQUIRE(reply);
  CHECK(reply->error().code() == Code::kInvalid);
  world.check_alive();
}

TEST_CASE("Hostile: hello with another version or an unknown feature is refused with both named") {
  Hostile world;
  RawDriver raw = world.client();
  RawReply reply = raw.call(Kind::kHello, encode(HelloRequest{2, 9, {}}));
  CHECK(reply.error().code() == Code::kVersion);
  CHECK(contains(reply.error().message(), "version 1, the caller 2 to 9"));
  reply = raw.call(Kind::kHello, encode(HelloRequest{0, 0, {}}));
  CHECK(reply.error().code() == Code::kVersion);
  reply = raw.call(Kind::kHello, encode(HelloRequest{1, 1, {"teleport"}}));
  CHECK(reply.error().code() == Code::kVersion);
  CHECK(contains(reply.error().message(), "teleport"));
  for (std::uint16_t kind = 2; kind < 20; ++kind) {
    Header header = raw.header(static_cast<Kind>(kind));
    header.sequence = 1;
    CHECK(raw.call(header, "").error().code() == Code::kInvalid);  // before hello
  }
  CHECK_FALSE(raw.hello().failed());
  for (const std::uint16_t kind : {0, 19, 999, 4095}) {
    CHECK(raw.call(static_cast<Kind>(kind), "").error().code() == Code::kUnimplemented);
  }
  world.check_alive();
}

TEST_CASE("Hostile: what is sent again or in another order is executed once, in order") {
  Hostile world;
  RawDriver raw = world.open();
  const PrepareRequest program = prepare_of(small_graph());
  REQUIRE_FALSE(raw.call(Kind::kPrepare, encode(program)).failed());
  const std::int64_t before = stat_of(raw, "runs");
  std::vector<std::string> frames;
  std::vector<std::uint64_t> requests;
  for (std::uint64_t task = 1; task <= 3; ++task) {
    Header header = raw.header(Kind::kRun);
    header.sequence = raw.next_sequence++;
    requests.push_back(header.request);
    frames.push_back(frame_of(header, encode(run_of(program, task))));
  }
  for (const int i : {2, 1, 2, 0, 0, 1, 1, 2, 0}) raw.send(frames[static_cast<std::size_t>(i)]);

  CHECK(eventually([&] { return stat_of(raw, "runs") == before + 3; }));
  raw.send(frames[0]);
  const auto again = raw.recv_of(requests[0]);
  REQUIRE(again);
  CHECK_FALSE(again->failed());
  CHECK(stat_of(raw, "runs") == before + 3);
  CHECK(stat_of(raw, "failed_runs") == 0);
  // In a connection of its own, and under another's key, the recording is worth nothing.
  for (const char* who : {"mallory", "dora"}) {
    RawDriver replay = world.client(who);
    replay.send(frames[0]);
    CHECK(replay.recv_of(requests[0])->error().code() == Code::kInvalid);
    REQUIRE_FALSE(replay.hello().failed());
    replay.send(frames[0]);
    CHECK(replay.recv_of(requests[0])->error().code() == Code::kSessionOver);
  }
  Header stale = raw.header(Kind::kDescribe);
  ++stale.epoch;
  CHECK(raw.call(stale, encode(DescribeRequest{"", "x", 0})).error().code() == Code::kStaleEpoch);
  CHECK(stat_of(raw, "runs") == before + 3);
  world.check_alive();
}

TEST_CASE("Hostile: a result of a run that has yet to come was said not to exist") {
  const Hostile world;
  RawDriver raw = world.open();
  const PrepareRequest program = prepare_of(small_graph());
  const RunRequest run = run_of(program, 1);
  const Header fetch = raw.header(Kind::kFetch);
  raw.send(frame_of(fetch, encode(FetchRequest{run.outputs[0], 2})));
  const Header describe = raw.header(Kind::kDescribe);
  raw.send(frame_of(describe, encode(DescribeRequest{run.outputs[0], "", 2})));
  // Behind the run, and named by nothing: waits for the run, not for ever.
  const Header never = raw.header(Kind::kFetch);
  raw.send(frame_of(never, encode(FetchRequest{Uri::fresh().str(), 2})));
  // One that does not wait overtakes them all.
  const RawReply now = raw.call(Kind::kFetch, encode(FetchRequest{run.outputs[0], 0}));
  CHECK(now.error().code() == Code::kNotFound);
  std::string both;
  for (const auto& [kind, metadata] :
       {std::pair{Kind::kPrepare, encode(program)}, std::pair{Kind::kRun, encode(run)}}) {
    Header header = raw.header(kind);
    header.sequence = raw.next_sequence++;
    both += frame_of(header, metadata);
  }
  raw.send(both);
  std::map<std::uint64_t, RawReply> replies;
  while (replies.size() < 5) {
    auto reply = raw.recv();
    REQUIRE(reply);
    const std::uint64_t request = reply->header.request;
    replies.emplace(request, std::move(*reply));
  }
  CHECK_FALSE(replies.at(fetch.request).failed());
  CHECK(decode<DescribeReply>(replies.at(describe.request).metadata).state == "ready");
  CHECK(replies.at(never.request).error().code() == Code::kNotFound);
}

TEST_CASE("Hostile: a fetch that comes again is answered again, and its bulk is sent once") {
  const Hostile world;
  RawDriver raw = world.open();
  Graph graph = small_graph();
  graph.ops.push_back(
      {"broadcast", "alice", {0}, {{"shape", std::vector<std::int64_t>{1 << 17}}}, {}});
  graph.outputs = {{"out", 1}};
  const PrepareRequest program = prepare_of(graph);
  const RunRequest run = run_of(program, 1);
  REQUIRE_FALSE(raw.call(Kind::kPrepare, encode(program)).failed());
  REQUIRE_FALSE(raw.call(Kind::kRun, encode(run)).failed());
  const Header fetch = raw.header(Kind::kFetch);
  for (int time = 0; time < 3; ++time) {
    const RawReply reply = raw.call(fetch, encode(FetchRequest{run.outputs[0], 0}));
    REQUIRE_FALSE(reply.failed());
    CHECK(decode<FetchReply>(reply.metadata).bulk);
    CHECK(stat_of(raw, "data_bytes_to_driver") == 1 << 20);
  }
  // Another request is another fetch.
  CHECK_FALSE(raw.call(Kind::kFetch, encode(FetchRequest{run.outputs[0], 0})).failed());
  CHECK(stat_of(raw, "data_bytes_to_driver") == 2 << 20);
}

TEST_CASE("Hostile: an open whose reply was lost ended the session when it came again") {
  const Hostile world;
  const SessionId id = fresh_id();
  const auto generation_of = [](const RawReply& reply) {
    return reply.failed() ? 0 : decode<OpenReply>(reply.metadata).generation;
  };
  const auto open = [&](const OpenRequest& request) {
    RawDriver raw = world.client("dora");
    REQUIRE_FALSE(raw.hello().failed());
    return raw.open(id, request);
  };
  CHECK(generation_of(open({0, 0, 7})) == 1);
  CHECK(generation_of(open({0, 0, 7})) == 1);
  CHECK(generation_of(open({1, 0, 7})) == 2);
  CHECK(generation_of(open({1, 0, 7})) == 2);
  CHECK(open({0, 0, 7}).error().code() == Code::kSessionOver);
  CHECK(open({1, 0, 8}).error().code() == Code::kSessionOver);
  CHECK(generation_of(open({2, 0, 8})) == 3);
  CHECK(generation_of(open({2, 0, 8})) == 3);
  CHECK(open({2, 0, 7}).error().code() == Code::kSessionOver);
  // A process without a name is not known again.
  CHECK(generation_of(open({3, 0, 0})) == 4);
  CHECK(open({3, 0, 0}).error().code() == Code::kSessionOver);
}

TEST_CASE("Hostile: another's session answers exactly as one that does not exist") {
  Hostile world;
  RawDriver dora = world.open("dora");
  PutRequest put;
  put.uri = Uri::fresh().str();
  put.type = parse_type("i64[0] @alice");
  put.head = encode(Nothing{});
  dora.call(Kind::kPut, encode(put));
  RawDriver mallory = world.open();
  const SessionId own = mallory.session;
  const std::vector<std::pair<Kind, std::string>> requests = {
      {Kind::kFetch, encode(FetchRequest{put.uri, 0})},
      {Kind::kDescribe, encode(DescribeRequest{put.uri, "", 0})},
      {Kind::kList, encode(ListRequest{})},
      {Kind::kRelease, encode(ReleaseRequest{{put.uri}})},
      {Kind::kCancel, encode(CancelRequest{})},
      {Kind::kHeartbeat, ""},
      {Kind::kRun, encode(RunRequest{})},
      {Kind::kDial, encode(DialRequestMessage{dora.session, {}})},
      {Kind::kClose, ""}};
  for (const auto& [kind, metadata] : requests) {
    INFO(kind_name(kind));
    std::vector<std::string> answers;
    for (const SessionId& session : {dora.session, fresh_id()}) {
      Header header = mallory.header(kind);
      header.session = session;
      header.sequence = is_ordered(kind) ? 1 : 0;
      std::string sent = metadata;
      if (kind == Kind::kDial) sent = encode(DialRequestMessage{session, {}});
      const RawReply reply = mallory.call(header, sent);
      CHECK(reply.error().code() == Code::kSessionOver);
      answers.push_back(bytes_of(reply));
    }
    CHECK(answers[0] == answers[1]);
  }
  for (const std::uint64_t generation : {0, 1, 2}) {
    Header header = mallory.header(Kind::kOpen);
    header.session = dora.session;
    CHECK(mallory.call(header, encode(OpenRequest{generation, 0, 0})).error().code() ==
          Code::kSessionOver);
  }
  CHECK_FALSE(dora.call(Kind::kDescribe, encode(DescribeRequest{"", "x", 0})).failed());
  // A guessed name, in mallory's own session.
  mallory.session = own;
  std::string unknown = put.uri;
  unknown.back() = unknown.back() == '0' ? '1' : '0';
  for (const Kind kind : {Kind::kFetch, Kind::kDescribe}) {
    std::vector<std::string> answers;
    for (const std::string& uri : {put.uri, unknown}) {
      const RawReply reply =
          mallory.call(kind, kind == Kind::kFetch ? encode(FetchRequest{uri, 0})
                                                  : encode(DescribeRequest{uri, "", 0}));
      CHECK(reply.error().code() == Code::kNotFound);
      std::string text = reply.error().what();
      answers.push_back(text.replace(text.find(uri), uri.size(), "URI"));
    }
    CHECK(answers[0] == answers[1]);
  }
  CHECK_FALSE(mallory.call(Kind::kRelease, encode(ReleaseRequest{{put.uri}})).failed());
  CHECK_FALSE(dora.call(Kind::kDescribe, encode(DescribeRequest{put.uri, "", 0})).failed());
  world.check_alive();
}

TEST_CASE("Hostile: a driver is no party, and a party is no driver") {
  Hostile world;
  RawDriver mallory = world.open();
  ConsentRequest consent;
  consent.principal = "dora";
  consent.items = {{"x", {}, "mallory", {}, "out"}};
  CHECK(mallory.call(Kind::kConsent, encode(consent)).error().code() == Code::kDenied);
  CHECK(mallory.call(Kind::kDial, encode(DialRequestMessage{})).error().code() == Code::kDenied);
  RawDriver bob = world.client("bob");
  REQUIRE_FALSE(bob.hello().failed());
  CHECK(bob.open(fresh_id()).error().code() == Code::kDenied);
  CHECK(bob.call(Kind::kCheck, encode(consent)).error().code() == Code::kDenied);
  const RawReply answer = bob.call(Kind::kConsent, encode(consent));
  REQUIRE_FALSE(answer.failed());
  CHECK(decode<ConsentReply>(answer.metadata).allowed == std::vector<std::uint8_t>{0});
  world.check_alive();
}

TEST_CASE("Hostile: programs, runs and names that are wrong are refused one by one") {
  Hostile world;
  RawDriver raw = world.open();
  const PrepareRequest good = prepare_of(small_graph());
  PrepareRequest renamed = good;
  renamed.digest = random_digest();
  CHECK(raw.call(Kind::kPrepare, encode(renamed)).error().code() == Code::kInvalid);
  std::vector<Graph> bad(8, small_graph());
  bad[0].ops[0].name = "no_such_op";
  bad[1].ops[0].device = "nobody else";
  bad[2].outputs[0].value = 9;
  bad[3].ops.push_back({"add", "alice", {0, 5}, {}, {}});
  bad[4].ops.push_back({"add", "bob", {0, 0}, {}, {}});
  bad[5].ops[0].attrs["extra"] = std::int64_t{1};
  bad[6].ops[0].name = std::string(600'000, 'n');
  bad[7].ops.push_back({"broadcast",
                        "alice",
                        {0},
                        {{"shape", std::vector<std::int64_t>{1LL << 32, 1LL << 32}}},
                        {}});
  for (const Graph& graph : bad) {
    const PrepareRequest request = prepare_of(graph);
    const RawReply reply = raw.call(Kind::kPrepare, encode(request));
    INFO("graph " << (&graph - bad.data()));
    CHECK(reply.error().code() == Code::kInvalid);
    CHECK(reply.metadata.size() < 16'384);
    const RawReply run = raw.call(Kind::kRun, encode(run_of(request, raw.next_sequence)));
    CHECK(run.error().code() == Code::kInvalid);
    CHECK(run.metadata.size() < 16'384);
  }
  REQUIRE_FALSE(raw.call(Kind::kPrepare, encode(good)).failed());
  RunRequest run = run_of(good, 100);
  CHECK_FALSE(raw.call(Kind::kRun, encode(run)).failed());
  for (const std::uint64_t task : {100, 99, 0}) {
    CHECK(raw.call(Kind::kRun, encode(run_of(good, task))).error().code() == Code::kInvalid);
  }
  RunRequest taken = run_of(good, 101);
  taken.outputs = run.outputs;
  CHECK(raw.call(Kind::kRun, encode(taken)).error().code() == Code::kImmutable);
  RunRequest unknown = run_of(good, 102);
  unknown.digest = random_digest();
  CHECK(raw.call(Kind::kRun, encode(unknown)).error().code() == Code::kNotFound);
  std::uint64_t task = 200;
  for (const std::string& uri :
       {std::string(), std::string("mem://"), std::string("mem://xyz"), std::string("fs://../x"),
        std::string("fs:///a/../b"), std::string("fs:///%2e%2e/x"), std::string("fs:///a\0b", 9),
        std::string("fs:///a\\b"), std::string("fs:////etc"), std::string("file:///etc/passwd"),
        "fs:///" + std::string(600, 'a'), std::string("oss://169.254.169.254:80/x"),
        std::string(60'000, '\xff')}) {
    INFO(uri.substr(0, 40));
    CHECK(raw.call(Kind::kFetch, encode(FetchRequest{uri, 0})).error().code() == Code::kInvalid);
    CHECK(raw.call(Kind::kDescribe, encode(DescribeRequest{uri, "", 0})).error().code() ==
          Code::kInvalid);
    CHECK(raw.call(Kind::kRelease, encode(ReleaseRequest{{uri}})).error().code() == Code::kInvalid);
    RunRequest named = run_of(good, ++task);
    named.outputs = {uri};
    CHECK(raw.call(Kind::kRun, encode(named)).error().code() == Code::kInvalid);
    PutRequest put;
    put.uri = uri;
    put.type = parse_type("i64[0] @alice");
    CHECK(raw.call(Kind::kPut, encode(put)).error().code() == Code::kInvalid);
    if (!uri.empty()) {
      CHECK(raw.call(Kind::kList, encode(ListRequest{false, uri})).error().code() ==
            Code::kInvalid);
    }
  }
  world.check_alive();
}
