// A driver with a valid key that asks for all there is.
#include "tests/system/hostile.h"

using namespace curia;

namespace {

// Freed memory stays with AddressSanitizer for a while (its quarantine, 256 MiB).
#ifdef __SANITIZE_ADDRESS__
constexpr std::int64_t kFlat = std::int64_t{448} << 20;
#else
constexpr std::int64_t kFlat = std::int64_t{128} << 20;
#endif

}  // namespace

TEST_CASE("Hostile: huge counts and thousands of refusals leave the worker's memory as it was") {
  Hostile world;
  RawDriver raw = world.open();
  const PrepareRequest good = prepare_of(small_graph());
  REQUIRE_FALSE(raw.call(Kind::kPrepare, encode(good)).failed());
  Graph long_name = small_graph();
  long_name.ops[0].name = std::string(900'000, 'n');
  const PrepareRequest bad = prepare_of(long_name);
  CHECK(raw.call(Kind::kPrepare, encode(bad)).failed());
  const std::int64_t before = peak_memory(world.cluster.pid("alice"));
  for (std::uint16_t kind = 1; kind <= 16; ++kind) {
    for (const std::size_t at : {0, 4, 8, 16, 33, 40}) {
      std::string metadata(at, '\0');
      metadata += "\xff\xff\xff\xff";
      Header header = raw.header(static_cast<Kind>(kind));
      if (is_ordered(static_cast<Kind>(kind))) header.sequence = raw.next_sequence++;
      if (static_cast<Kind>(kind) == Kind::kClose) continue;
      raw.call(header, metadata);
    }
  }
  // Replies that are never acknowledged, each as long as it gets.
  std::string frame;
  for (std::uint64_t task = 1000; task < 6000; ++task) {
    Header header = raw.header(Kind::kRun);
    header.sequence = raw.next_sequence++;
    append_packet(frame, header, encode(run_of(bad, task)));
    if (frame.size() > 60'000) raw.send(std::exchange(frame, {}));
  }
  raw.send(frame);
  // Half a gigabyte of requests behind one that waits.
  PutRequest waits;
  waits.uri = Uri::fresh().str();
  waits.type = parse_type("f64[100000] @alice");
  waits.bytes = 800'000;
  waits.bulk = true;
  Header header = raw.header(Kind::kPut);
  header.sequence = raw.next_sequence++;
  raw.send(frame_of(header, encode(waits)));
  for (int i = 0; i < 500; ++i) {
    header = raw.header(Kind::kPrepare);
    header.sequence = raw.next_sequence++;
    raw.send(frame_of(header, std::string(kMaxPrepareMetadata, 'x')));
  }
  CHECK_FALSE(raw.call(Kind::kStats, "").failed());
  CHECK(peak_memory(world.cluster.pid("alice")) - before < kFlat);
  world.check_alive();
}

TEST_CASE("Hostile: ten thousand opens stop at a limit that leaves room for others") {
  Hostile world;
  RawDriver raw = world.client();
  REQUIRE_FALSE(raw.hello().failed());
  int opened = 0;
  Code last = Code::kFailed;
  for (int i = 0; i < 10'000; ++i) {
    const RawReply reply = raw.open(fresh_id());
    opened += reply.failed() ? 0 : 1;
    last = reply.error().code();
  }
  CHECK(opened > 0);
  CHECK(opened < 256);
  CHECK(last == Code::kQuota);
  world.check_alive();
}

TEST_CASE("Hostile: a program that was refused counted against the session's bytes") {
  const Hostile world;
  RawDriver raw = world.open();
  // About 15/16 MiB each.
  const auto large = [](std::int64_t number) {
    Graph graph = small_graph();
    graph.ops[0].attrs["value"] = Tensor::scalar<std::int64_t>(number);
    const auto constant = Tensor::of<std::uint8_t>({65'000}, std::vector<std::uint8_t>(65'000));
    for (int i = 0; i < 15; ++i) {
      graph.ops.push_back({"constant", "alice", {}, {{"value", constant}}, {}});
    }
    return encode(prepare_of(graph));
  };
  std::int64_t taken = 0;
  RawReply reply = raw.call(Kind::kPrepare, large(taken));
  while (!reply.failed()) reply = raw.call(Kind::kPrepare, large(++taken));
  CHECK(taken >= 16);
  CHECK(reply.error().code() == Code::kQuota);
  CHECK(raw.call(Kind::kPrepare, large(taken + 1)).error().code() == Code::kQuota);
  CHECK_FALSE(raw.call(Kind::kPrepare, encode(prepare_of(small_graph()))).failed());
}

TEST_CASE("Hostile: fetches of what has yet to come stop at a limit, and end when it came") {
  const Hostile world;
  RawDriver raw = world.open();
  const std::string uri = Uri::fresh().str();
  constexpr int kFetches = 17'000;
  std::string frame;
  for (int i = 0; i < kFetches; ++i) {
    append_packet(frame, raw.header(Kind::kFetch), encode(FetchRequest{uri, 1}));
    if (frame.size() > 60'000) raw.send(std::exchange(frame, {}));
  }
  raw.send(frame);
  int too_many = 0;
  int not_found = 0;
  const auto read_until = [&](int& which, int count) {
    while (which < count) {
      const auto reply = raw.recv();
      REQUIRE(reply);
      if (static_cast<Kind>(reply->header.kind & 0xfff) != Kind::kFetch) continue;
      const Code code = reply->error().code();
      REQUIRE((code == Code::kOverloaded || code == Code::kNotFound));
      ++(code == Code::kOverloaded ? too_many : not_found);
    }
  };
  read_until(too_many, kFetches - (1 << 14));
  CHECK(not_found == 0);
  Header header = raw.header(Kind::kPrepare);
  header.sequence = raw.next_sequence++;
  raw.send(frame_of(header, encode(prepare_of(small_graph()))));
  read_until(not_found, 1 << 14);
  CHECK(too_many == kFetches - (1 << 14));
  world.check_alive();
}
