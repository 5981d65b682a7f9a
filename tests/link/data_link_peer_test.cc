// Peers that restart, never come, are given up, or hardly move.
#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>

#include "tests/link/data_world.h"
#include "tests/link/faulty_proxy.h"

namespace curia::test {
namespace {

using Way = FaultyProxy::Way;
using After = FaultyProxy::After;
using std::chrono::milliseconds;

constexpr std::int64_t kAny = kMaxBodyBytes;

}  // namespace

TEST_CASE("DataLink: a peer that was restarted ends the old lanes and serves new ones") {
  DataWorld world([](DataLinkOptions& options) { options.redial = milliseconds(1); });
  const auto alice = world.link("alice").lane(session_id(1), "bob");
  auto bob = world.link("bob").lane(session_id(1), "alice");
  alice->send({1, 0, 0}, {}, {Slice::copy_of("to the first bob")});
  CHECK(text(bob->recv({1, 0, 0}, kAny, soon()).body) == "to the first bob");
  bob.reset();
  world.kill("bob");
  world.start("bob");
  bob = world.link("bob").lane(session_id(1), "alice");
  CHECK(code_of([&] { alice->recv({1, 1, 0}, kAny, soon()); }) == Code::kPeerLost);
  CHECK(code_of([&] { bob->recv({1, 0, 0}, kAny, soon()); }) == Code::kPeerLost);
  const auto alice_2 = world.link("alice").lane(session_id(2), "bob");
  const auto bob_2 = world.link("bob").lane(session_id(2), "alice");
  alice_2->send({1, 0, 0}, {}, {Slice::copy_of("to the second bob")});
  CHECK(text(bob_2->recv({1, 0, 0}, kAny, soon()).body) == "to the second bob");
}

TEST_CASE("DataLink: a peer that never comes is lost after the grace, not before it was needed") {
  DataWorld world([](DataLinkOptions& options) { options.grace = milliseconds(50); });
  world.allow_dials(false);
  const auto lane = world.link("alice").lane(session_id(1), "bob");
  CHECK(code_of([&] { lane->recv({1, 0, 0}, kAny, soon()); }) == Code::kPeerLost);
  CHECK(code_of([&] { lane->send({1, 0, 0}, {}, {}); }) == Code::kPeerLost);
}

TEST_CASE("DataLink: lose() ends the waits with its error at once, what had arrived stays") {
  DataWorld world;
  const auto alice = world.link("alice").lane(session_id(1), "bob");
  const auto bob = world.link("bob").lane(session_id(1), "alice");
  alice->send({1, 0, 0}, {}, {Slice::copy_of("said before")});
  REQUIRE(world.link("alice").flush(soon()));
  auto waiting = std::async(std::launch::async, [&] {
    return code_of([&] { bob->recv({1, 1, 0}, kAny, soon()); });
  });
  REQUIRE(eventually([&] { return world.link("bob").waits().size() == 1; }));
  CHECK(world.link("bob").waits()[0].tag == Tag{1, 1, 0});
  CHECK(world.link("bob").waits()[0].peer == "alice");
  world.link("bob").lose("alice", Error(Code::kPeerLost, "alice's heartbeats stopped"));
  CHECK(waiting.get() == Code::kPeerLost);
  CHECK(text(bob->recv({1, 0, 0}, kAny, soon()).body) == "said before");
}
TEST_CASE("DataLink: a connection that hardly moves holds up its own peer only") {
  // 100 KB pass, then nothing until the gate opens.
  std::mutex mutex;
  std::condition_variable opened;
  bool open = false;
  DataWorld* self = nullptr;
  FaultyProxy proxy([&] { return self->link("bob").port(); },
                    [&](const FaultyProxy::Piece& piece) {
                      std::unique_lock lock(mutex);
                      if (piece.at > 100'000) opened.wait(lock, [&] { return open; });
                      return After::kGoOn;
                    });
  DataWorld world({}, [&](const std::string&, const std::string& to, int port) {
    return to == "bob" ? proxy.port() : port;
  });
  self = &world;
  const auto to_bob = world.link("alice").lane(session_id(1), "bob");
  const auto at_bob = world.link("bob").lane(session_id(1), "alice");
  const auto to_carol = world.link("alice").lane(session_id(1), "carol");
  const auto at_carol = world.link("carol").lane(session_id(1), "alice");
  const Slice bulk = pattern(8 << 20, 1);
  for (std::uint32_t i = 0; i < 4; ++i) to_bob->send({1, 0, i}, {}, {bulk});
  auto slow = std::async(std::launch::async, [&] {
    bool good = true;
    for (std::uint32_t i = 0; i < 4; ++i) {
      good = good && same_bytes(at_bob->recv({1, 0, i}, kAny, soon()).body, bulk);
    }
    return good;
  });
  for (std::uint32_t i = 0; i < 8; ++i) to_carol->send({1, 0, i}, {}, {bulk});
  for (std::uint32_t i = 0; i < 8; ++i) {
    CHECK(same_bytes(at_carol->recv({1, 0, i}, kAny, soon()).body, bulk));
  }
  CHECK(proxy.passed(Way::kForward) < 1 << 20);
  {
    const std::lock_guard lock(mutex);
    open = true;
    opened.notify_all();
  }
  CHECK(slow.get());
}

}  // namespace curia::test
