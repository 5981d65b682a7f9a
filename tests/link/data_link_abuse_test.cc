// What a data link does with strangers, and with a peer that is authentic and malicious.
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <future>

#include "protocol/digest.h"
#include "protocol/link/bytes.h"
#include "tests/link/data_world.h"
#include "tests/link/rogue_peer.h"

namespace curia::test {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kAny = kMaxBodyBytes;

std::int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t pages = 0;
  file >> pages >> pages;
  return pages * sysconf(_SC_PAGESIZE);
}

std::int64_t open_files() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

bool ends(const Socket& socket) {
  return eventually([&] {
    char bytes[1024];
    const ssize_t got = ::recv(socket.fd(), bytes, sizeof(bytes), MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno == ECONNRESET);
  });
}

bool still_serves(DataWorld& world, int session) {
  const auto alice = world.link("alice").lane(session_id(session), "bob");
  const auto bob = world.link("bob").lane(session_id(session), "alice");
  alice->send({1, 0, 0}, {}, {Slice::copy_of("ping")});
  bob->send({1, 1, 0}, {}, {bob->recv({1, 0, 0}, kAny, soon()).body});
  return text(alice->recv({1, 1, 0}, kAny, soon()).body) == "ping";
}

Bytes random(std::size_t size) {
  Bytes bytes(size);
  random_bytes(bytes);
  return bytes;
}

}  // namespace

TEST_CASE("DataLink: strangers get nothing, whatever they say") {
  DataWorld world;
  const DialAnswer valid = world.link("bob").answer("mallory", DataLink::make_dial("bob"));
  Bytes preamble(kDataMagic.begin(), kDataMagic.end());
  preamble.insert(preamble.end(), valid.token.begin(), valid.token.end());
  const Bytes three_gib = {0, 0, 0, 0xC0, 0, 0, 0, 0};
  const Bytes large = {0xFF, 0xFF, 0, 0, 0, 0, 0, 0};
  const Bytes zeros(20, 0);
  std::vector<std::pair<std::string, Bytes>> said = {
      {"garbage", random(400)},
      {"another protocol", Bytes(300, 'G')},
      {"three GiB at once", three_gib + random(400)},
      {"another token", Bytes(kDataMagic.begin(), kDataMagic.end()) + random(400)},
      {"a token without the keys", preamble + Bytes{40, 0, 0, 0, 0, 0, 0, 0} + random(400)},
      {"a token, then three GiB", preamble + three_gib},
      {"a token, then more than a first record may have", preamble + large},
      {"a token, then another generation", preamble + Bytes{40, 0, 0, 0, 1, 0, 0, 0} + zeros},
  };
  for (const auto& [name, bytes] : said) {
    INFO(name);
    const Socket stranger = connect_to("127.0.0.1", world.link("bob").port());
    CHECK(eventually([&] {
      return ::send(stranger.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0 ||
             errno == EPIPE || errno == ECONNRESET;
    }));
    CHECK(ends(stranger));
  }
  CHECK(still_serves(world, 1));
}

TEST_CASE("DataLink: a client that proves nothing in time is dropped") {
  DataWorld world([](DataLinkOptions& options) { options.handshake = milliseconds(50); });
  const Socket silent = connect_to("127.0.0.1", world.link("bob").port());
  const Socket slow = connect_to("127.0.0.1", world.link("bob").port());
  CHECK(eventually([&] { return ::send(slow.fd(), "CURIA", 5, MSG_NOSIGNAL) == 5; }));
  CHECK(ends(silent));
  CHECK(ends(slow));
  CHECK(eventually([&] { return world.link("bob").unproven() == 0; }));
}

TEST_CASE("DataLink: 2000 idle clients do not keep an honest peer out, and take little memory") {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  DataWorld world([](DataLinkOptions& options) {
    options.handshake = std::chrono::minutes(10);
    options.grace = std::chrono::minutes(1);
  });
  const std::int64_t before = resident_bytes();
  std::vector<Socket> idle;
  const std::size_t many = std::min<std::size_t>(2000, files.rlim_cur / 2);
  for (std::size_t i = 0; i < many; ++i) {
    idle.push_back(connect_to("127.0.0.1", world.link("bob").port()));
    if (i % 3 == 0) ::send(idle.back().fd(), "CURIADP1", 8, MSG_NOSIGNAL);
  }
  CHECK(still_serves(world, 1));
  CHECK(world.link("bob").unproven() <= 256);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK(resident_bytes() - before < 32 << 20);
#else
  static_cast<void>(before);
#endif
}

TEST_CASE("DataLink: a token is good once, for its peer, and for a short time") {
  DataWorld world([](DataLinkOptions& options) {
    options.token_life = milliseconds(options.self == "carol" ? 0 : 5000);
    options.handshake = milliseconds(200);
  });
  world.allow_dials(false);
  DataLink& alice = world.link("alice");
  DataLink& bob = world.link("bob");
  const DialRequest request = DataLink::make_dial("bob");
  SUBCASE("the second use is refused") {
    const DialAnswer answer = bob.answer("alice", request);
    alice.dial("bob", "127.0.0.1", bob.port(), request, answer);
    CHECK(eventually([&] { return alice.connected("bob"); }));
    alice.cut_connection("bob");
    CHECK(eventually([&] { return !alice.connected("bob") && !bob.connected("alice"); }));
    alice.dial("bob", "127.0.0.1", bob.port(), request, answer);
    CHECK(eventually([&] { return bob.unproven() == 0; }));
    CHECK_FALSE(alice.connected("bob"));
  }
  SUBCASE("another name gives other keys") {
    const DialAnswer answer = bob.answer("carol", request);
    const auto lane = alice.lane(session_id(1), "bob");
    alice.dial("bob", "127.0.0.1", bob.port(), request, answer);
    const auto deadline = std::chrono::steady_clock::now() + milliseconds(300);
    CHECK(code_of([&] { lane->recv({1, 0, 0}, kAny, deadline); }) == Code::kTimeout);
    CHECK_FALSE(bob.connected("alice"));
    CHECK_FALSE(bob.connected("carol"));
  }
  SUBCASE("a stale one is refused") {
    DataLink& carol = world.link("carol");
    const DialAnswer answer = carol.answer("alice", request);
    const auto lane = alice.lane(session_id(1), "carol");
    alice.dial("carol", "127.0.0.1", carol.port(), request, answer);
    const auto deadline = std::chrono::steady_clock::now() + milliseconds(300);
    CHECK(code_of([&] { lane->recv({1, 0, 0}, kAny, deadline); }) == Code::kTimeout);
    CHECK_FALSE(carol.connected("alice"));
  }
}

TEST_CASE("DataLink: an authentic peer that breaks the rules is cut off, and only it") {
  const Tag tag{1, 0, 0};
  const Bytes small = message(tag, 0, 4) + Bytes{'g', 'o', 'o', 'd'};
  const Bytes page(60000, 1);
  struct Attack {
    std::string name;
    std::function<Bytes(const RoguePeer&)> frames;
  };
  const std::vector<Attack> attacks = {
      {"a body of 2^63 bytes",
       [&](const RoguePeer& peer) {
         Bytes header = message(tag, 0, 0);
         header[23] = 0x80;
         return peer.data(1, 0, header);
       }},
      {"a head beyond its limit",
       [&](const RoguePeer& peer) { return peer.data(1, 0, message(tag, kMaxHeadBytes + 1, 0)); }},
      {"bytes that were sent before",
       [&](const RoguePeer& peer) { return peer.data(1, 0, small) + peer.data(1, 0, small); }},
      {"bytes with a gap before them",
       [&](const RoguePeer& peer) { return peer.data(1, 5, small); }},
      {"more than the credit",
       [&](const RoguePeer& peer) {
         Bytes all = peer.data(1, 0, message(tag, 0, 1 << 20));
         std::uint64_t at = kMessageHeader;
         for (int i = 0; i < 8; ++i, at += page.size()) all = all + peer.data(1, at, page);
         return all;
       }},
      {"an acknowledgement of what was never sent",
       [&](const RoguePeer&) {
         Bytes ack(static_cast<std::size_t>(kAckFrame));
         put_ack(ack.data(), {.number = 1, .received = 1, .limit = 1});
         return ack;
       }},
      {"a lane that had received what was never sent",
       [&](const RoguePeer& peer) { return peer.lane(2, session_id(2), 77); }},
      {"a report of bytes that were never sent",
       [&](const RoguePeer&) {
         Bytes flow(static_cast<std::size_t>(kFlowFrame));
         put_flow(flow.data(), 1 << 30);
         return flow;
       }},
      {"a cut of nothing",
       [&](const RoguePeer&) {
         Bytes cut(static_cast<std::size_t>(kCutFrame));
         put_cut(cut.data(), 1, 0);
         return cut;
       }},
      {"an abort out of turn",
       [&](const RoguePeer&) { return encode(AbortFrame{.number = 1, .count = 2, .task = 1}); }},
      {"a second hello", [&](const RoguePeer&) { return encode(HelloFrame{}); }},
      {"an unknown frame",
       [&](const RoguePeer&) { return encode_empty(static_cast<FrameType>(99)); }},
      {"half a frame",
       [&](const RoguePeer&) {
         return Bytes{4, 1, 0};
       }},
      {"one number for two lanes",
       [&](const RoguePeer& peer) { return peer.lane(1, session_id(5)); }},
  };
  DataWorld world;
  int number = 100;
  for (const Attack& attack : attacks) {
    INFO(attack.name);
    RoguePeer mallory(world.link("bob"), "bob", "mallory");
    const SessionId own = session_id(number++);
    const auto lane = world.link("bob").lane(own, "mallory");
    REQUIRE(mallory.say(mallory.lane(1, own) + mallory.ready()));
    mallory.say(attack.frames(mallory));
    CHECK(code_of([&] { lane->recv({9, 9, 9}, kAny, soon()); }) == Code::kCorrupt);
    mallory.hear_the_end();
  }
  CHECK(still_serves(world, 1));
}

TEST_CASE("DataLink: a peer cannot make a worker hold more than a little for sessions it has not") {
  DataWorld world;
  RoguePeer mallory(world.link("bob"), "bob", "mallory");
  REQUIRE(mallory.say(mallory.ready()));
  const std::int64_t before = resident_bytes();
  const Bytes filler(30000, 1);
  int refused = 0;
  for (std::uint32_t number = 1; number <= 1000; ++number) {
    const SessionId session = session_id(static_cast<int>(number));
    REQUIRE(mallory.say(mallory.lane(number, session) +
                        mallory.data(number, 0, message({1, 0, 0}, 0, 1 << 30) + filler)));
  }
  REQUIRE(mallory.say(encode_empty(FrameType::kPing)));
  while (refused < 1000 - kMaxUnopenedLanes) {
    const auto frames = mallory.hear();
    REQUIRE(frames);
    for (const auto& [type, payload] : *frames) refused += type == FrameType::kEnd ? 1 : 0;
  }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK(resident_bytes() - before < kMaxUnopenedLanes * kUnopenedCredits + (16 << 20));
#else
  static_cast<void>(before);
#endif
  CHECK(still_serves(world, 5000));
}

TEST_CASE("DataLink: a peer that aborts tasks without end is cut off") {
  DataWorld world;
  RoguePeer mallory(world.link("bob"), "bob", "mallory");
  const auto lane = world.link("bob").lane(session_id(1), "mallory");
  REQUIRE(mallory.say(mallory.lane(1, session_id(1)) + mallory.ready()));
  for (std::uint32_t i = 1; i <= kMaxFailedTasks + 1; ++i) {
    mallory.say(encode(AbortFrame{.number = 1, .count = i, .task = i}));
  }
  CHECK(code_of([&] { lane->recv({1 << 20, 0, 0}, kAny, soon()); }) == Code::kCorrupt);
}

TEST_CASE("DataLink: a peer that asks without reading made frames wait for it without bound") {
  DataWorld world;
  RoguePeer mallory(world.link("bob"), "bob", "mallory");
  REQUIRE(mallory.say(mallory.ready()));
  bool heard = true;
  for (std::uint32_t number = 1; heard && number < 3'000'000;) {
    Bytes frames;
    for (int i = 0; i < 2000; ++i, ++number) {
      frames = std::move(frames) + mallory.lane(number, session_id(static_cast<int>(number)));
    }
    heard = mallory.say(frames);
  }
  CHECK_FALSE(heard);
  CHECK(still_serves(world, 1));
}

TEST_CASE("DataLink: a lane that was named again had all its aborts sent again") {
  DataWorld world;
  RoguePeer mallory(world.link("bob"), "bob", "mallory");
  const auto lane = world.link("bob").lane(session_id(1), "mallory");
  for (std::uint64_t task = 1; task <= 20; ++task) lane->abort(task, Error(Code::kFailed, "no"));
  REQUIRE(mallory.say(mallory.lane(1, session_id(1)) + mallory.ready()));
  for (int i = 0; i < 5; ++i) REQUIRE(mallory.say(mallory.lane(1, session_id(1))));
  // A lane with a number for the other end that it never gave is refused: the last answer.
  REQUIRE(mallory.say(encode(LaneFrame{.number = 9, .peer_number = 77, .session = session_id(9)})));
  int aborts = 0;
  for (bool last = false; !last;) {
    const auto frames = mallory.hear();
    REQUIRE(frames);
    for (const auto& [type, payload] : *frames) {
      aborts += type == FrameType::kAbort ? 1 : 0;
      last = last || type == FrameType::kEnd;
    }
  }
  CHECK(aborts == 20);
}

TEST_CASE("DataLink: no receiver takes more than its types allow, nor allocates for it") {
  DataWorld world;
  RoguePeer mallory(world.link("bob"), "bob", "mallory");
  const auto lane = world.link("bob").lane(session_id(1), "mallory");
  REQUIRE(mallory.say(mallory.lane(1, session_id(1)) + mallory.ready()));
  auto waiting = std::async(std::launch::async, [&] {
    return code_of([&] { lane->recv({1, 0, 0}, 100, soon()); });
  });
  REQUIRE(eventually([&] { return world.link("bob").waits().size() == 1; }));
  REQUIRE(mallory.say(mallory.data(1, 0, message({1, 0, 0}, 0, kMaxBodyBytes))));
  CHECK(waiting.get() == Code::kCorrupt);
}

TEST_CASE("DataLink: a peer that was forgotten left descriptors behind for ever") {
  DataWorld world([](DataLinkOptions& options) { options.handshake = std::chrono::minutes(10); });
  DataLink& bob = world.link("bob");
  CHECK(still_serves(world, 1));
  const std::size_t known = bob.traffic().size();
  const std::int64_t before = open_files();
  std::vector<std::unique_ptr<RoguePeer>> drivers;
  std::vector<std::shared_ptr<Lane>> lanes;
  for (int i = 0; i < 50; ++i) {
    const std::string name = "driver/" + std::to_string(i);
    lanes.push_back(bob.lane(session_id(100 + i), name));
    if (i % 2 == 0) drivers.push_back(std::make_unique<RoguePeer>(bob, "bob", name));
  }
  CHECK(open_files() >= before + 100);
  const DialAnswer late = bob.answer("driver/0", DataLink::make_dial("bob"));
  for (int i = 0; i < 50; ++i) bob.forget("driver/" + std::to_string(i));
  for (const auto& driver : drivers) driver->hear_the_end();
  for (const auto& lane : lanes) {
    CHECK(code_of([&] { lane->recv({1, 0, 0}, kAny, soon()); }) == Code::kSessionOver);
    CHECK(code_of([&] { lane->send({1, 0, 0}, {}, {}); }) == Code::kSessionOver);
  }
  drivers.clear();
  lanes.clear();
  CHECK(eventually([&] { return open_files() == before; }));
  CHECK(bob.traffic().size() == known);
  // What was promised to it is not kept either.
  const Socket stranger = connect_to("127.0.0.1", bob.port());
  Bytes preamble(kDataMagic.begin(), kDataMagic.end());
  for (const std::uint8_t byte : late.token) preamble.push_back(byte);
  CHECK(eventually(
      [&] { return ::send(stranger.fd(), preamble.data(), preamble.size(), MSG_NOSIGNAL) > 0; }));
  CHECK(ends(stranger));
  CHECK(still_serves(world, 2));
}

}  // namespace curia::test
