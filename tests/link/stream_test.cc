// The two halves of a lane without sockets: what one sends, the other has, whatever is cut.
#include <doctest/doctest.h>

#include <cstring>
#include <deque>
#include <random>

#include "protocol/link/in_stream.h"
#include "protocol/link/out_stream.h"
#include "protocol/link/pace.h"
#include "tests/link/link_contract.h"

namespace curia::test {
namespace {

constexpr std::int64_t kCredit = 64 << 10;

struct Sent {
  Tag tag;
  std::int64_t bytes;
  std::uint32_t seed;
};

// A lane between two streams; a connection is what lies between `rewind` and the next one.
struct StreamPair {
  StreamPair() : in(kCredit) { reconnect(); }

  void reconnect() {
    const std::uint64_t limit = in.limit();
    out.rewind(in.received(), limit, released);
  }

  // Moves one piece. False: there is nothing to move.
  bool move(std::int64_t most, bool authentic) {
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(most));
    switch (out.next()) {
      case OutStream::Next::kNothing:
        return false;
      case OutStream::Next::kCut: {
        const std::uint64_t at = out.take_cut();
        if (authentic) in.cut(at);
        return true;
      }
      case OutStream::Next::kSmall: {
        const auto piece = out.take_small(bytes.data(), most);
        if (authentic) in.consume(piece.offset, std::span(bytes).first(size(piece.bytes)));
        return true;
      }
      case OutStream::Next::kBulk: {
        std::vector<Slice> slices;
        const auto piece = out.take_bulk(most, slices);
        std::int64_t at = 0;
        for (const Slice& slice : slices) {
          std::memcpy(bytes.data() + at, slice.data, size(slice.size));
          at += slice.size;
        }
        CHECK(at == piece.bytes);
        const auto target = in.direct(piece.offset, piece.bytes);
        if (!target) {
          if (authentic) in.consume(piece.offset, std::span(bytes).first(size(piece.bytes)));
          return true;
        }
        if (authentic) {
          std::memcpy(target->at, bytes.data(), size(piece.bytes));
          in.commit(piece.bytes);
        } else {
          std::memset(target->at, 0xEE, size(piece.bytes));  // forged bytes, before the tag failed
          in.abandon();
        }
        return true;
      }
    }
    return false;
  }

  static std::size_t size(std::int64_t bytes) { return static_cast<std::size_t>(bytes); }

  OutStream out;
  InStream in;
  std::vector<OutMessage> released;
};

void push(StreamPair& lane, const Sent& sent) {
  const Slice body = pattern(sent.bytes, sent.seed);
  const std::int64_t half = sent.bytes / 3;
  lane.out.push(sent.tag, pattern(sent.seed % 50, sent.seed),
                {body.part(0, half), body.part(half, 0), body.part(half, sent.bytes - half)},
                sent.bytes);
}

bool is(const Message& message, const Sent& sent) {
  return same_bytes(message.body, pattern(sent.bytes, sent.seed)) &&
         same_bytes(message.head, pattern(sent.seed % 50, sent.seed));
}

}  // namespace

TEST_CASE(
    "Streams: messages pass in order through pieces, forgeries, cuts and aborts of any kind") {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](std::uint32_t limit) { return random() % limit; };
    StreamPair lane;
    std::deque<Sent> due;
    std::uint64_t task = 1;
    std::uint32_t op = 0;
    std::int64_t most_held = 0;
    for (int step = 0; step < 400; ++step) {
      switch (below(10)) {
        case 0:
        case 1:
        case 2: {
          const std::int64_t bytes = below(4) == 0 ? below(5 * kCredit) : below(3000);
          due.push_back({{task, op++, 0}, bytes, static_cast<std::uint32_t>(random())});
          push(lane, due.back());
          break;
        }
        case 3:
        case 4:
        case 5:
          lane.move(1 + below(40000), true);
          break;
        case 6:
          if (below(2) == 0) lane.move(1 + below(40000), false);  // the connection ends with it
          lane.reconnect();
          break;
        case 7:
          lane.out.acked(lane.in.received(), lane.in.limit(), lane.released);
          break;
        case 8: {
          if (due.empty()) break;
          const Sent expected = due.front();
          auto got = lane.in.take(expected.tag, expected.bytes);
          for (int i = 0; !got && i < 10000; ++i) {
            lane.in.wait(expected.tag, expected.bytes);
            lane.out.acked(lane.in.received(), lane.in.limit(), lane.released);
            REQUIRE(lane.move(1 + below(40000), true));
            got = lane.in.take(expected.tag, expected.bytes);
          }
          lane.in.stop_waiting();
          REQUIRE(got);
          REQUIRE(is(*got, expected));
          due.pop_front();
          break;
        }
        default:
          if (below(8) != 0) break;
          lane.out.drop_task(task, lane.released);
          lane.in.fail(task, Error(Code::kFailed, "aborted"));
          task++;
          due.clear();
          break;
      }
      // What the sender may still send counts as held already.
      most_held =
          std::max(most_held, static_cast<std::int64_t>(lane.in.limit() - lane.in.received()));
    }
    while (!due.empty()) {
      lane.in.wait(due.front().tag, due.front().bytes);
      lane.out.acked(lane.in.received(), lane.in.limit(), lane.released);
      if (const auto got = lane.in.take(due.front().tag, due.front().bytes)) {
        REQUIRE(is(*got, due.front()));
        due.pop_front();
      } else {
        REQUIRE(lane.move(1 + below(40000), true));
      }
    }
    lane.out.acked(lane.in.received(), lane.in.limit(), lane.released);
    while (lane.move(30000, true)) {
      lane.out.acked(lane.in.received(), lane.in.limit(), lane.released);
    }
    lane.out.acked(lane.in.received(), lane.in.limit(), lane.released);
    CHECK(lane.out.idle());
    CHECK(most_held <= 6 * kCredit + kMessageHeader + 50);
  }
}

TEST_CASE("Streams: what nobody receives stops at the credit, whatever its header says") {
  StreamPair lane;
  for (std::uint32_t i = 0; i < 100; ++i) push(lane, {{1, i, 0}, i % 2 == 0 ? 100 : 50000, i});
  while (lane.move(16 << 10, true)) {
    lane.out.acked(lane.in.received(), lane.in.limit(), lane.released);
  }
  CHECK(lane.in.received() <= static_cast<std::uint64_t>(kCredit));
  StreamPair empty;  // entries without bytes count too
  for (std::uint32_t i = 0; i < 10000; ++i) empty.out.push({1, i, 0}, {}, {}, 0);
  while (empty.move(16 << 10, true)) {
    empty.out.acked(empty.in.received(), empty.in.limit(), empty.released);
  }
  CHECK(empty.in.messages() <= kCredit / kMessageHeader);
}

TEST_CASE("Streams: a peer that cut what was waited for filled a lane without bound") {
  InStream in(kCredit);
  in.wait({1, 9, 0}, 256 << 20);
  std::uint64_t at = 0;
  std::int64_t held = 0;
  std::vector<std::uint8_t> bytes(1 << 20);
  const auto begin = [&](const Tag& tag, std::int64_t body) {
    put_message_header(bytes.data(), {tag, 0, body});
    in.consume(at, std::span(bytes).first(kMessageHeader));
    at += kMessageHeader;
  };
  std::uint32_t op = 10;
  const auto fill = [&] {
    for (int round = 0; round < 100; ++round) {
      begin({1, 9, 0}, 256 << 20);
      in.limit();
      in.cut(at++);
      while (in.limit() - in.received() >= bytes.size() + kMessageHeader) {
        begin({1, op++, 0}, std::ssize(bytes));
        in.consume(at, bytes);
        at += bytes.size();
        held += std::ssize(bytes);
      }
    }
  };
  CHECK(code_of(fill) == Code::kCorrupt);
  CHECK(held <= 2 * kCredit + kClaimWindow);
}

TEST_CASE("Streams: a sender that cuts a message uses what was granted for it, once") {
  StreamPair lane;
  const Sent large{{1, 0, 0}, 100 << 20, 1};
  lane.out.push(large.tag, {}, {pattern(large.bytes, 1)}, large.bytes);
  lane.in.wait(large.tag, large.bytes);
  const auto pass = [&] {
    lane.out.acked(lane.in.received(), lane.in.limit(), lane.released);
    return lane.move(32 << 10, true);
  };
  for (int i = 0; i < 20; ++i) REQUIRE(pass());
  lane.in.stop_waiting();
  lane.out.drop_task(1, lane.released);
  lane.in.fail(1, Error(Code::kFailed, "aborted"));
  std::deque<Sent> due;
  for (std::uint32_t i = 0; i < 500; ++i) {
    due.push_back({{2, i, 0}, 50000, i});
    push(lane, due.back());
  }
  while (pass()) continue;
  CHECK(lane.in.messages() > kCredit / 50000);
  for (const Sent& sent : due) {
    auto got = lane.in.take(sent.tag, sent.bytes);
    for (; !got; got = lane.in.take(sent.tag, sent.bytes)) REQUIRE(pass());
    CHECK(is(*got, sent));
  }
}

TEST_CASE("Streams: a message whose recv() gave up half-way stays, however large it is") {
  StreamPair lane;
  const Sent large{{1, 0, 0}, 50 << 20, 1};
  push(lane, large);
  push(lane, {{1, 1, 0}, 1000, 2});
  lane.in.wait(large.tag, large.bytes);
  for (bool first = true;; first = false) {
    lane.out.acked(lane.in.received(), lane.in.limit(), lane.released);
    if (!lane.move(256 << 10, true)) break;
    if (first) lane.in.stop_waiting();
  }
  CHECK(is(*lane.in.take(large.tag, large.bytes), large));
  while (lane.move(256 << 10, true)) continue;
  CHECK(lane.in.take({1, 1, 0}, 1000));
}

TEST_CASE("Streams: a receiver refuses bytes that are out of place or beyond its credit") {
  const std::vector<std::uint8_t> bytes(100000);
  const auto first = std::span(bytes).first(10);
  InStream in(kCredit);
  CHECK(code_of([&] { in.consume(0, first); }) == Code::kCorrupt);  // nothing was granted
  in.limit();
  CHECK(code_of([&] { in.consume(1, first); }) == Code::kCorrupt);
  in.consume(0, first);
  CHECK(code_of([&] { in.consume(0, first); }) == Code::kCorrupt);
  CHECK(code_of([&] { in.consume(10, bytes); }) == Code::kCorrupt);
  CHECK(code_of([&] { in.cut(9); }) == Code::kCorrupt);
  in.cut(10);
  CHECK(code_of([&] { in.cut(11); }) == Code::kCorrupt);
  std::vector<std::uint8_t> header(32, 0xFF);  // a body of 2^64 - 1 bytes
  CHECK(code_of([&] { in.consume(11, header); }) == Code::kCorrupt);
}

TEST_CASE("Streams: a sender refuses acknowledgements of what it never sent") {
  StreamPair lane;
  push(lane, {{1, 0, 0}, 1000, 1});
  lane.move(100, true);
  CHECK(code_of([&] { lane.out.acked(101, 1 << 20, lane.released); }) == Code::kCorrupt);
  lane.out.acked(100, 1 << 20, lane.released);
  CHECK(code_of([&] { lane.out.rewind(99, 1 << 20, lane.released); }) == Code::kCorrupt);
  CHECK(code_of([&] { lane.out.rewind(101, 1 << 20, lane.released); }) == Code::kCorrupt);
}

TEST_CASE("Streams: buffers are let go of when they are acknowledged") {
  StreamPair lane;
  const auto owner = Buffer::allocate(30000);
  lane.out.push({1, 0, 0}, {}, {Slice(BufferPtr(owner))}, 30000);
  while (lane.move(8192, true)) continue;
  CHECK(owner.use_count() == 2);
  lane.out.acked(lane.in.received() - 1, lane.in.limit(), lane.released);
  CHECK(lane.released.empty());
  lane.out.acked(lane.in.received(), lane.in.limit(), lane.released);
  lane.released.clear();
  CHECK(owner.use_count() == 1);
}

// A receiver need not report a few bytes; a sender that waited for it stood still for ever.
TEST_CASE("Pace: what is less than the smallest window never closes it") {
  Pace pace;
  while (pace.in_flight() < Pace::kSmallestWindow - 64) {
    CHECK(pace.open());
    pace.sent(64);
  }
  CHECK(pace.open());
}

TEST_CASE("Pace: half a second of the rate that was seen is under way, not more") {
  static SteadyTime now;
  for (const double rate : {1e3, 1e5, 1e6, 1e7, 1e8}) {
    now = SteadyTime(std::chrono::hours(1));
    Pace pace([] { return now; });
    std::uint64_t arrived = 0;
    std::int64_t most = 0;
    for (int i = 0; i < 2000; ++i) {
      while (pace.open()) pace.sent(pace.record_size(256 << 10));
      if (i > 50) most = std::max(most, pace.in_flight());
      const std::int64_t record = std::min(pace.in_flight(), pace.record_size(256 << 10));
      now += std::chrono::nanoseconds(
          static_cast<std::int64_t>(1e9 * static_cast<double>(record) / rate));
      arrived += static_cast<std::uint64_t>(record);
      pace.arrived(arrived);
    }
    const double allowed = std::clamp(rate * 0.5, 2.0 * Pace::kSmallestWindow,
                                      1.1 * static_cast<double>(Pace::kLargestWindow));
    CHECK(static_cast<double>(most) <= allowed);
    CHECK(pace.record_size(256 << 10) >= Pace::kSmallestRecord);
    if (rate >= 1e7) CHECK(pace.record_size(256 << 10) == 256 << 10);
  }
}

TEST_CASE("Pace: a link that became slow is noticed, and one that was idle keeps its rate") {
  static SteadyTime now;
  now = SteadyTime(std::chrono::hours(1));
  Pace pace([] { return now; });
  std::uint64_t arrived = 0;
  const auto take = [&](std::int64_t bytes, double rate) {
    now += std::chrono::nanoseconds(
        static_cast<std::int64_t>(1e9 * static_cast<double>(bytes) / rate));
    arrived += static_cast<std::uint64_t>(bytes);
    pace.arrived(arrived);
  };
  for (int i = 0; i < 200; ++i) {
    while (pace.open()) pace.sent(pace.record_size(256 << 10));
    take(64 << 10, 1e8);
  }
  CHECK(pace.window() == Pace::kLargestWindow);
  for (int i = 0; i < 20; ++i) {
    now += std::chrono::seconds(10);  // nothing to send
    pace.sent(20000);
    take(pace.in_flight(), 1e8);
  }
  CHECK(pace.window() == Pace::kLargestWindow);
  for (int i = 0; i < 2000; ++i) {
    while (pace.open()) pace.sent(pace.record_size(256 << 10));
    take(16 << 10, 1e5);
  }
  CHECK(pace.window() <= 50000 + Pace::kSmallestRecord);
}

}  // namespace curia::test
