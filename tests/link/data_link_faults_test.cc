// What networks do to a data link: cuts, flipped bits, silence, slowness, restarts.
#include <doctest/doctest.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <future>
#include <mutex>

#include "protocol/digest.h"
#include "protocol/link/frames.h"
#include "tests/link/data_world.h"
#include "tests/link/faulty_proxy.h"

namespace curia::test {
namespace {

using Way = FaultyProxy::Way;
using After = FaultyProxy::After;
using std::chrono::milliseconds;

constexpr std::int64_t kAny = kMaxBodyBytes;

// alice dials bob through a proxy.
struct ProxyWorld {
  explicit ProxyWorld(FaultyProxy::Filter filter, DataWorld::Tune tune = {})
      : world(
            [tune](DataLinkOptions& options) {
              options.redial = milliseconds(1);
              if (tune) tune(options);
            },
            [this](const std::string&, const std::string&, int) { return proxy.port(); }),
        proxy([this] { return world.link("bob").port(); }, std::move(filter)),
        alice(world.link("alice").lane(session_id(1), "bob")),
        bob(world.link("bob").lane(session_id(1), "alice")) {}

  DataWorld world;
  FaultyProxy proxy;
  std::shared_ptr<Lane> alice;
  std::shared_ptr<Lane> bob;
};

// One small round trip each way, with a message that is sealed from where it lies.
bool exchange(ProxyWorld& net, std::uint32_t round) {
  const Slice small = pattern(30, round);
  const Slice bulk = pattern(17 << 10, round);
  net.alice->send({1, 0, round}, small, {small});
  net.alice->send({1, 1, round}, {}, {bulk});
  const Message a = net.bob->recv({1, 0, round}, kAny, soon());
  const Message b = net.bob->recv({1, 1, round}, kAny, soon());
  net.bob->send({1, 2, round}, {}, {a.body});
  net.bob->send({1, 3, round}, {}, {b.body});
  const Message c = net.alice->recv({1, 2, round}, kAny, soon());
  const Message d = net.alice->recv({1, 3, round}, kAny, soon());
  return same_bytes(a.head, small) && same_bytes(c.body, small) && same_bytes(d.body, bulk);
}

// Runs exchanges; the connection of each one suffers `fault` at the next of `offsets`.
void exchange_at_offsets(
    const std::vector<std::int64_t>& offsets, Way way, DataWorld::Tune tune,
    const std::function<After(std::vector<std::uint8_t>&, std::int64_t)>& fault) {
  std::atomic<std::int64_t> offset{-1};
  std::atomic<int> hit{0};
  ProxyWorld net(
      [&](const FaultyProxy::Piece& piece) {
        const std::int64_t at = offset.load() - piece.at;
        if (piece.way != way || at < 0 || at >= std::ssize(piece.bytes)) return After::kGoOn;
        offset = -1;  // once
        hit++;
        return fault(piece.bytes, at);
      },
      std::move(tune));
  REQUIRE(exchange(net, 0));
  std::uint32_t round = 1;
  for (const std::int64_t at : offsets) {
    offset = at;
    const int before = net.proxy.connections();
    net.world.link("alice").cut_connection("bob");
    REQUIRE(eventually([&] { return net.proxy.connections() > before; }));
    REQUIRE(exchange(net, round++));
  }
  CHECK(hit == std::ssize(offsets));
}

std::vector<std::int64_t> range(std::int64_t begin, std::int64_t end, std::int64_t step = 1) {
  std::vector<std::int64_t> all;
  for (std::int64_t i = begin; i < end; i += step) all.push_back(i);
  return all;
}

After reset_at(std::vector<std::uint8_t>& bytes, std::int64_t at) {
  bytes.resize(static_cast<std::size_t>(at));
  return After::kReset;
}

After close_at(std::vector<std::uint8_t>& bytes, std::int64_t at) {
  bytes.resize(static_cast<std::size_t>(at));
  return After::kClose;
}

After flip_at(std::vector<std::uint8_t>& bytes, std::int64_t at) {
  bytes[static_cast<std::size_t>(at)] ^= 1;
  return After::kGoOn;
}

void impatient(DataLinkOptions& options) {
  options.handshake = milliseconds(100);
  options.stall = milliseconds(100);
  options.keepalive = milliseconds(20);
}

}  // namespace

TEST_CASE("DataLink: reset at each byte, nothing is lost, doubled or delivered in part") {
  SUBCASE("from the dialer") { exchange_at_offsets(range(0, 420), Way::kForward, {}, reset_at); }
  SUBCASE("to the dialer") { exchange_at_offsets(range(0, 420), Way::kBack, {}, reset_at); }
  SUBCASE("within bulk") {
    exchange_at_offsets(range(420, 17 << 10, 501), Way::kForward, {}, reset_at);
  }
}

TEST_CASE("DataLink: an orderly end at each byte is no end of a message") {
  SUBCASE("from the dialer") { exchange_at_offsets(range(0, 420, 3), Way::kForward, {}, close_at); }
  SUBCASE("to the dialer") { exchange_at_offsets(range(1, 420, 3), Way::kBack, {}, close_at); }
}

TEST_CASE("DataLink: a bit flipped at each byte costs the connection and nothing else") {
  SUBCASE("from the dialer") {
    exchange_at_offsets(range(0, 420), Way::kForward, impatient, flip_at);
  }
  SUBCASE("to the dialer") { exchange_at_offsets(range(0, 420), Way::kBack, impatient, flip_at); }
  SUBCASE("within bulk") {
    exchange_at_offsets(range(420, 17 << 10, 501), Way::kForward, impatient, flip_at);
  }
}

// Sanitizers have no time for all of it.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::int64_t kCutBytes = 64 << 20;
#else
constexpr std::int64_t kCutBytes = 1 << 30;
#endif

TEST_CASE("DataLink: a GiB arrives whole through three cuts, with little sent twice") {
  std::atomic<int> cuts{0};
  ProxyWorld net([&](const FaultyProxy::Piece& piece) {
    if (piece.way == Way::kForward && piece.connection < 3 && piece.at > 12'345'678) {
      cuts++;
      return After::kReset;
    }
    return After::kGoOn;
  });
  const Slice body = pattern(kCutBytes, 1);
  net.alice->send({1, 0, 0}, {}, {body.part(0, 1000), body.part(1000, kCutBytes - 1000)});
  const Message got = net.bob->recv({1, 0, 0}, kAny, soon());
  const auto digest = [](const Slice& slice) {
    return sha256({slice.data, static_cast<std::size_t>(slice.size)});
  };
  CHECK(digest(got.body) == digest(body));
  CHECK(cuts == 3);
  // What was under way at a cut: at most the credits, and what the sockets on the way hold.
  const std::int64_t overhead = kCutBytes / 100;
  CHECK(net.proxy.passed(Way::kForward) < kCutBytes + overhead + 3 * (24 << 20));
}

TEST_CASE("DataLink: replayed and reordered records end the connection and are not delivered") {
  std::atomic<int> attacks{0};
  std::atomic<bool> replay{true};
  auto cutter = std::make_shared<RecordCutter>(kPreambleBytes);
  auto held = std::make_shared<std::vector<std::uint8_t>>();
  auto seen = std::make_shared<int>(0);
  const auto filter = [&, cutter, held, seen](const FaultyProxy::Piece& piece) {
    if (piece.way != Way::kForward) return After::kGoOn;
    if (piece.at == 0) *cutter = RecordCutter(kPreambleBytes), *seen = 0, held->clear();
    std::vector<std::uint8_t> out;
    for (const auto& record : cutter->feed(piece.bytes)) {
      const int number = (*seen)++;
      if (attacks < 3 && number == 3) {
        attacks++;
        if (replay) {
          out.insert(out.end(), record.begin(), record.end());
        } else {
          *held = record;  // goes behind the next one
          continue;
        }
      }
      out.insert(out.end(), record.begin(), record.end());
      out.insert(out.end(), held->begin(), held->end());
      held->clear();
    }
    piece.bytes = out;
    return After::kGoOn;
  };
  SUBCASE("replayed") {}
  SUBCASE("reordered") { replay = false; }
  ProxyWorld net(filter, impatient);
  for (std::uint32_t round = 0; round < 200; ++round) REQUIRE(exchange(net, round));
  CHECK(attacks == 3);
  CHECK(net.proxy.connections() == 4);
  // A replayed message would be found here, in the place of the next of its tag.
  net.alice->send({1, 0, 3}, {}, {Slice::copy_of("new")});
  CHECK(text(net.bob->recv({1, 0, 3}, kAny, soon()).body) == "new");
}

TEST_CASE("DataLink: a handshake that was recorded is worth nothing later") {
  auto recorded = std::make_shared<std::vector<std::uint8_t>>();
  std::mutex mutex;
  ProxyWorld net([&](const FaultyProxy::Piece& piece) {
    const std::lock_guard lock(mutex);
    if (piece.way == Way::kForward && piece.connection == 0) {
      recorded->insert(recorded->end(), piece.bytes.begin(), piece.bytes.end());
    }
    return After::kGoOn;
  });
  REQUIRE(exchange(net, 0));
  const Socket replay = connect_to("127.0.0.1", net.world.link("bob").port());
  const std::lock_guard lock(mutex);
  CHECK(eventually(
      [&] { return ::send(replay.fd(), recorded->data(), recorded->size(), MSG_NOSIGNAL) > 0; }));
  char byte;
  CHECK(eventually([&] {
    const auto got = ::recv(replay.fd(), &byte, 1, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno == ECONNRESET);
  }));
  CHECK(net.world.link("bob").connected("alice"));
  CHECK(net.proxy.connections() == 1);
}

TEST_CASE("DataLink: a peer that falls silent in one direction is lost within silence and grace") {
  for (const Way way : {Way::kForward, Way::kBack}) {
    std::atomic<bool> drop{false};
    ProxyWorld net(
        [&](const FaultyProxy::Piece& piece) {
          if (drop && piece.way == way) piece.bytes.clear();
          return After::kGoOn;
        },
        [](DataLinkOptions& options) {
          options.keepalive = milliseconds(20);
          options.silence = milliseconds(200);
          options.handshake = milliseconds(100);
          options.grace = milliseconds(300);
        });
    REQUIRE(exchange(net, 0));
    drop = true;
    auto alice = std::async(std::launch::async, [&] {
      return code_of([&] { net.alice->recv({1, 9, 0}, kAny, soon()); });
    });
    CHECK(code_of([&] { net.bob->recv({1, 9, 0}, kAny, soon()); }) == Code::kPeerLost);
    CHECK(alice.get() == Code::kPeerLost);
    CHECK(code_of([&] { net.alice->send({1, 9, 0}, {}, {}); }) == Code::kPeerLost);
    // Other sessions work once the network does, as soon as a dial falls into their grace.
    drop = false;
    int session = 2;
    CHECK(eventually([&] {
      const auto again = net.world.link("alice").lane(session_id(session), "bob");
      const auto at_bob = net.world.link("bob").lane(session_id(session), "alice");
      session++;
      return code_of([&] {
               again->send({1, 0, 0}, {}, {Slice::copy_of("again")});
               at_bob->recv({1, 0, 0}, kAny, soon());
             }) == Code{};
    }));
  }
}

TEST_CASE(
    "DataLink: an idle connection stays, and a partition shorter than the grace loses nothing") {
  std::atomic<bool> drop{false};
  ProxyWorld net(
      [&](const FaultyProxy::Piece& piece) {
        if (drop) piece.bytes.clear();
        return After::kGoOn;
      },
      [](DataLinkOptions& options) {
        options.keepalive = milliseconds(20);
        options.silence = milliseconds(200);
        options.handshake = milliseconds(100);
        options.grace = std::chrono::seconds(60);
      });
  REQUIRE(exchange(net, 0));
  const std::int64_t before = net.proxy.passed(Way::kForward);
  REQUIRE(eventually([&] { return net.proxy.passed(Way::kForward) > before + 1000; }));  // pings
  CHECK(net.proxy.connections() == 1);
  drop = true;
  for (std::uint32_t i = 1; i <= 50; ++i) net.alice->send({1, 5, i}, {}, {pattern(9999, i)});
  REQUIRE(eventually([&] { return net.proxy.connections() > 2; }));
  drop = false;
  for (std::uint32_t i = 1; i <= 50; ++i) {
    CHECK(same_bytes(net.bob->recv({1, 5, i}, kAny, soon()).body, pattern(9999, i)));
  }
}

TEST_CASE("DataLink: an abort arrives although the connection was cut") {
  ProxyWorld net({});
  REQUIRE(exchange(net, 0));
  net.world.allow_dials(false);
  net.world.link("alice").cut_connection("bob");
  REQUIRE(eventually([&] { return !net.world.link("alice").connected("bob"); }));
  net.alice->send({7, 0, 0}, {}, {pattern(1 << 20, 1)});
  net.alice->abort(7, Error(Code::kFailed, "the sum failed"));
  net.alice->send({8, 0, 0}, {}, {Slice::copy_of("next")});
  net.world.allow_dials(true);
  CHECK(text(net.bob->recv({8, 0, 0}, kAny, soon()).body) == "next");
  CHECK(code_of([&] { net.bob->recv({7, 0, 0}, kAny, soon()); }) == Code::kFailed);
}

TEST_CASE("DataLink: a message that is aborted half-way lets the next one through") {
  ProxyWorld net({});
  for (std::uint32_t round = 0; round < 20; ++round) {
    // The credits stop the first message half-way; a cut connection may fall anywhere.
    net.alice->send({round + 1, 0, 0}, {}, {pattern(8 * kContractCredits, 1)});
    if (round % 2 == 1) net.world.link("alice").cut_connection("bob");
    net.alice->abort(round + 1, Error(Code::kFailed, "half-way"));
    net.alice->send({100 + round, 0, 0}, {}, {Slice::copy_of("next")});
    CHECK(text(net.bob->recv({100 + round, 0, 0}, kAny, soon()).body) == "next");
  }
  CHECK(net.proxy.passed(Way::kForward) < 20 * 4 * kContractCredits);
}

TEST_CASE("DataLink: a new connection takes the place of one that works") {
  ProxyWorld net({});
  for (std::uint32_t round = 0; round < 30; ++round) {
    if (round % 3 == 2) net.world.dial("alice", "bob");
    REQUIRE(exchange(net, round));
  }
}

}  // namespace curia::test
