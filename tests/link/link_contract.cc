#include "tests/link/link_contract.h"

#include <doctest/doctest.h>

#include <cstring>
#include <future>
#include <thread>
#include <vector>

namespace curia::test {
namespace {

constexpr std::int64_t kAny = kMaxBodyBytes;

// A task on its own thread whose result, or exception, get() hands out.
template <class F>
auto in_thread(F&& call) {
  return std::async(std::launch::async, std::forward<F>(call));
}

struct Ends {
  explicit Ends(LinkWorld& world, int session = 1)
      : alice(world.link("alice").lane(session_id(session), "bob")),
        bob(world.link("bob").lane(session_id(session), "alice")) {}
  std::shared_ptr<Lane> alice;
  std::shared_ptr<Lane> bob;
};

Slice bytes_of(std::string_view value) { return Slice::copy_of(value); }

const Traffic* traffic_to(const std::vector<Traffic>& all, const std::string& peer) {
  for (const Traffic& one : all) {
    if (one.peer == peer) return &one;
  }
  return nullptr;
}

void order_and_tags(LinkWorld& world) {
  Ends ends(world);
  SUBCASE("messages arrive whole, with the parts of the body joined") {
    ends.alice->send({1, 2, 3}, bytes_of("head"), {bytes_of("bo"), bytes_of(""), bytes_of("dy")});
    const Message got = ends.bob->recv({1, 2, 3}, 4, soon());
    CHECK(text(got.head) == "head");
    CHECK(text(got.body) == "body");
  }
  SUBCASE("messages with equal tags arrive in the order they were sent") {
    for (int i = 0; i < 50; ++i) ends.alice->send({1, 1, 1}, {}, {bytes_of(std::to_string(i))});
    for (int i = 0; i < 50; ++i) {
      CHECK(text(ends.bob->recv({1, 1, 1}, kAny, soon()).body) == std::to_string(i));
    }
  }
  SUBCASE("a message is found by its tag whatever came before it") {
    for (std::uint32_t op = 0; op < 40; ++op) {
      ends.alice->send({1, op, 0}, bytes_of("h" + std::to_string(op)), {pattern(100 + op, op)});
    }
    for (std::uint32_t op = 40; op-- > 0;) {
      const Message got = ends.bob->recv({1, op, 0}, kAny, soon());
      CHECK(text(got.head) == "h" + std::to_string(op));
      CHECK(same_bytes(got.body, pattern(100 + op, op)));
    }
  }
  SUBCASE("empty heads and bodies arrive") {
    ends.alice->send({1, 0, 0}, {}, {});
    ends.alice->send({1, 1, 0}, {}, {bytes_of("")});
    ends.alice->send({1, 2, 0}, bytes_of("h"), {});
    CHECK(ends.bob->recv({1, 0, 0}, 0, soon()).body.size == 0);
    CHECK(ends.bob->recv({1, 1, 0}, 0, soon()).head.size == 0);
    CHECK(text(ends.bob->recv({1, 2, 0}, 0, soon()).head) == "h");
  }
  SUBCASE("recv() that waits first gets the message") {
    auto got = in_thread([&] { return ends.bob->recv({1, 7, 0}, kAny, soon()); });
    ends.alice->send({1, 6, 0}, {}, {bytes_of("other")});
    ends.alice->send({1, 7, 0}, {}, {bytes_of("this")});
    CHECK(text(got.get().body) == "this");
    CHECK(text(ends.bob->recv({1, 6, 0}, kAny, soon()).body) == "other");
  }
  SUBCASE("a ping-pong of a thousand rounds loses nothing") {
    auto echo = in_thread([&] {
      for (std::uint32_t i = 0; i < 1000; ++i) {
        ends.bob->send({1, 0, i}, {}, {ends.bob->recv({1, 0, i}, kAny, soon()).body});
      }
    });
    for (std::uint32_t i = 0; i < 1000; ++i) {
      ends.alice->send({1, 0, i}, {}, {bytes_of(std::to_string(i))});
      REQUIRE(text(ends.alice->recv({1, 0, i}, kAny, soon()).body) == std::to_string(i));
    }
    echo.get();
  }
}

void limits_and_credits(LinkWorld& world) {
  Ends ends(world);
  SUBCASE("a body longer than the types allow is corrupt, and the lane goes on") {
    ends.alice->send({1, 0, 0}, {}, {pattern(9, 1)});
    ends.alice->send({1, 1, 0}, {}, {pattern(30 * kContractCredits, 1)});
    ends.alice->send({1, 2, 0}, {}, {pattern(8, 1)});
    CHECK(code_of([&] { ends.bob->recv({1, 0, 0}, 8, soon()); }) == Code::kCorrupt);
    CHECK(code_of([&] { ends.bob->recv({1, 1, 0}, 8, soon()); }) == Code::kCorrupt);
    CHECK(ends.bob->recv({1, 2, 0}, 8, soon()).body.size == 8);
  }
  SUBCASE("heads beyond the limit are refused at once") {
    CHECK(code_of([&] {
            ends.alice->send({1, 0, 0}, pattern(kMaxHeadBytes + 1, 1), {});
          }) == Code::kInvalid);
    ends.alice->send({1, 0, 0}, pattern(kMaxHeadBytes, 1), {});
    CHECK(ends.bob->recv({1, 0, 0}, 0, soon()).head.size == kMaxHeadBytes);
  }
  SUBCASE("messages larger than the credits arrive, whenever recv() is called") {
    const Slice large = pattern(20 * kContractCredits + 12345, 3);
    ends.alice->send({1, 0, 0}, bytes_of("first"), {large});
    ends.alice->send({1, 1, 0}, {}, {large.part(0, 777), large.part(777, large.size - 777)});
    const Message first = ends.bob->recv({1, 0, 0}, large.size, soon());
    CHECK(text(first.head) == "first");
    CHECK(same_bytes(first.body, large));
    CHECK(same_bytes(ends.bob->recv({1, 1, 0}, large.size, soon()).body, large));
    auto waiting = in_thread([&] { return ends.bob->recv({1, 2, 0}, large.size, soon()); });
    ends.alice->send({1, 2, 0}, {}, {large});
    CHECK(same_bytes(waiting.get().body, large));
  }
  SUBCASE("all parties send 100 times the credits, then receive") {
    const std::vector<std::string> names = {"alice", "bob", "carol"};
    std::vector<std::future<bool>> parties;
    for (const std::string& self : names) {
      parties.push_back(in_thread([&world, &names, self] {
        bool good = true;
        for (const std::string& peer : names) {
          if (peer == self) continue;
          const auto lane = world.link(self).lane(session_id(1), peer);
          for (std::uint32_t i = 0; i < 200; ++i) {
            lane->send({1, 0, i}, {}, {pattern(kContractCredits / 2, i)});
          }
        }
        for (const std::string& peer : names) {
          if (peer == self) continue;
          const auto lane = world.link(self).lane(session_id(1), peer);
          for (std::uint32_t i = 0; i < 200; ++i) {
            const Message got = lane->recv({1, 0, i}, kContractCredits, soon());
            good = good && same_bytes(got.body, pattern(kContractCredits / 2, i));
          }
        }
        return good;
      }));
    }
    for (auto& party : parties) CHECK(party.get());
  }
  SUBCASE("a lane that nobody receives does not block the others") {
    for (int i = 0; i < 40; ++i) ends.alice->send({1, 0, 0}, {}, {pattern(kContractCredits, 1)});
    for (int session = 2; session < 34; ++session) {
      Ends other(world, session);
      other.alice->send({1, 0, 0}, {}, {pattern(kContractCredits * 2, 5)});
    }
    for (int session = 33; session >= 2; --session) {
      Ends other(world, session);
      CHECK(same_bytes(other.bob->recv({1, 0, 0}, kAny, soon()).body,
                       pattern(kContractCredits * 2, 5)));
    }
  }
  SUBCASE("lanes of different sessions and peers do not mix") {
    Ends other(world, 2);
    const auto carol = world.link("carol").lane(session_id(1), "bob");
    const auto bob_of_carol = world.link("bob").lane(session_id(1), "carol");
    ends.alice->send({1, 0, 0}, {}, {bytes_of("alice 1")});
    other.alice->send({1, 0, 0}, {}, {bytes_of("alice 2")});
    carol->send({1, 0, 0}, {}, {bytes_of("carol 1")});
    CHECK(text(bob_of_carol->recv({1, 0, 0}, kAny, soon()).body) == "carol 1");
    CHECK(text(other.bob->recv({1, 0, 0}, kAny, soon()).body) == "alice 2");
    CHECK(text(ends.bob->recv({1, 0, 0}, kAny, soon()).body) == "alice 1");
  }
  SUBCASE("traffic counts heads and bodies") {
    ends.alice->send({1, 0, 0}, bytes_of("four"), {pattern(1000, 1)});
    ends.alice->send({1, 1, 0}, {}, {});
    ends.bob->recv({1, 0, 0}, kAny, soon());
    ends.bob->recv({1, 1, 0}, kAny, soon());
    const auto sent = world.link("alice").traffic();
    const auto received = world.link("bob").traffic();
    REQUIRE(traffic_to(sent, "bob") != nullptr);
    REQUIRE(traffic_to(received, "alice") != nullptr);
    CHECK(traffic_to(sent, "bob")->sent_bytes == 1004);
    CHECK(traffic_to(sent, "bob")->sent_messages == 2);
    CHECK(traffic_to(received, "alice")->received_bytes == 1004);
    CHECK(traffic_to(received, "alice")->received_messages == 2);
  }
}

void tasks_end(LinkWorld& world) {
  Ends ends(world);
  const Error why(Code::kQuota, "no memory for the sum");
  SUBCASE("abort() ends the peer's wait with the same error") {
    auto waiting = in_thread([&] { ends.bob->recv({5, 0, 0}, kAny, soon()); });
    ends.alice->abort(5, why);
    try {
      waiting.get();
      FAIL("recv() returned");
    } catch (const Error& error) {
      CHECK(error.code() == Code::kQuota);
      CHECK(error.message() == why.message());
      CHECK(error.party() == "alice");
    }
  }
  SUBCASE("abort() reaches a peer whose credits are used up, and drops what was queued") {
    for (std::uint32_t i = 0; i < 20; ++i) {
      ends.alice->send({5, 0, i}, {}, {pattern(3 * kContractCredits, i)});
    }
    ends.alice->abort(5, why);
    ends.alice->send({6, 0, 0}, {}, {bytes_of("next task")});
    CHECK(text(ends.bob->recv({6, 0, 0}, kAny, soon()).body) == "next task");
    for (std::uint32_t i = 0; i < 20; ++i) {
      CHECK(code_of([&] { ends.bob->recv({5, 0, i}, kAny, soon()); }) == Code::kQuota);
    }
    CHECK(code_of([&] { ends.alice->recv({5, 0, 0}, kAny, soon()); }) == Code::kQuota);
  }
  SUBCASE("cancel() ends a wait, and one that comes later, here only") {
    auto waiting = in_thread([&] { ends.bob->recv({5, 0, 0}, kAny, soon()); });
    ends.bob->cancel(5, why);
    CHECK(code_of([&] { waiting.get(); }) == Code::kQuota);
    CHECK(code_of([&] { ends.bob->recv({5, 1, 0}, kAny, soon()); }) == Code::kQuota);
    ends.bob->send({5, 2, 0}, {}, {bytes_of("still said")});
    CHECK(text(ends.alice->recv({5, 2, 0}, kAny, soon()).body) == "still said");
  }
  SUBCASE("after cancel() late messages of the task go, and others flow") {
    ends.bob->cancel(5, why);
    for (std::uint32_t i = 0; i < 10; ++i) {
      ends.alice->send({5, 0, i}, {}, {pattern(2 * kContractCredits, i)});
    }
    ends.alice->send({6, 0, 0}, {}, {bytes_of("next task")});
    CHECK(text(ends.bob->recv({6, 0, 0}, kAny, soon()).body) == "next task");
  }
  SUBCASE("finish() drops what came and what comes late") {
    for (std::uint64_t task = 1; task <= 3; ++task) {
      ends.alice->send({task, 0, 0}, {}, {pattern(2 * kContractCredits, 1)});
    }
    ends.bob->finish(2);
    CHECK(ends.bob->recv({3, 0, 0}, kAny, soon()).body.size == 2 * kContractCredits);
    CHECK(code_of([&] { ends.bob->recv({2, 0, 0}, kAny, soon()); }) == Code::kInvalid);
    for (std::uint32_t i = 0; i < 10; ++i) {
      ends.alice->send({1, 0, i}, {}, {pattern(2 * kContractCredits, 1)});
    }
    ends.alice->send({4, 0, 0}, {}, {bytes_of("four")});
    CHECK(text(ends.bob->recv({4, 0, 0}, kAny, soon()).body) == "four");
  }
  SUBCASE("finish() at the sender keeps what is still on its way") {
    ends.alice->send({1, 0, 0}, {}, {pattern(5 * kContractCredits, 1)});
    ends.alice->finish(1);
    CHECK(ends.bob->recv({1, 0, 0}, kAny, soon()).body.size == 5 * kContractCredits);
  }
}

void ends_of_waits(LinkWorld& world) {
  Ends ends(world);
  SUBCASE("close() wakes a waiting recv() and refuses everything later") {
    auto waiting = in_thread([&] { ends.bob->recv({1, 0, 0}, kAny, soon()); });
    ends.alice->send({1, 1, 0}, {}, {bytes_of("dropped by close")});
    world.link("bob").close(session_id(1));
    CHECK(code_of([&] { waiting.get(); }) == Code::kSessionOver);
    CHECK(code_of([&] { ends.bob->recv({1, 1, 0}, kAny, soon()); }) == Code::kSessionOver);
    CHECK(code_of([&] { ends.bob->send({1, 1, 0}, {}, {}); }) == Code::kSessionOver);
    Ends other(world, 2);
    other.alice->send({1, 0, 0}, {}, {bytes_of("other session")});
    CHECK(text(other.bob->recv({1, 0, 0}, kAny, soon()).body) == "other session");
  }
  SUBCASE("a session that the peer closed ends the wait for it") {
    ends.alice->send({1, 0, 0}, {}, {bytes_of("said before")});
    CHECK(text(ends.bob->recv({1, 0, 0}, kAny, soon()).body) == "said before");
    auto waiting = in_thread([&] { ends.bob->recv({1, 1, 0}, kAny, soon()); });
    world.link("alice").close(session_id(1));
    CHECK(code_of([&] { waiting.get(); }) == Code::kSessionOver);
  }
  SUBCASE("a deadline gives kTimeout with the names of both and the tag, and the lane goes on") {
    try {
      ends.bob->recv({3, 14, 15}, kAny, std::chrono::steady_clock::now());
      FAIL("recv() returned");
    } catch (const Error& error) {
      CHECK(error.code() == Code::kTimeout);
      CHECK(error.message().find("bob waited for alice") != std::string::npos);
      CHECK(error.message().find("task 3, op 14, step 15") != std::string::npos);
    }
    ends.alice->send({3, 14, 15}, {}, {bytes_of("late")});
    CHECK(text(ends.bob->recv({3, 14, 15}, kAny, soon()).body) == "late");
  }
  SUBCASE("a deadline that passes while waiting gives kTimeout") {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(30);
    CHECK(code_of([&] { ends.bob->recv({1, 0, 0}, kAny, deadline); }) == Code::kTimeout);
    CHECK(std::chrono::steady_clock::now() >= deadline);
  }
  SUBCASE("threads of different sessions wait and send at the same time") {
    std::vector<std::future<bool>> threads;
    for (int session = 10; session < 18; ++session) {
      for (const bool first : {true, false}) {
        threads.push_back(in_thread([&world, session, first] {
          const auto lane = world.link(first ? "alice" : "bob")
                                .lane(session_id(session), first ? "bob" : "alice");
          bool good = true;
          for (std::uint32_t i = 0; i < 200; ++i) {
            const std::int64_t bytes = i % 50 == 49 ? kContractCredits + 99 : 64 + i;
            lane->send({1, 0, i}, {}, {pattern(bytes, i + static_cast<std::uint32_t>(session))});
            const Message got = lane->recv({1, 0, i}, kAny, soon());
            good = good &&
                   same_bytes(got.body, pattern(bytes, i + static_cast<std::uint32_t>(session)));
          }
          return good;
        }));
      }
    }
    for (auto& thread : threads) CHECK(thread.get());
  }
}

}  // namespace

void link_contract(const std::function<std::unique_ptr<LinkWorld>()>& make_world) {
  const auto world = make_world();
  order_and_tags(*world);
  limits_and_credits(*world);
  tasks_end(*world);
  ends_of_waits(*world);
}

SessionId session_id(int number) {
  SessionId id{};
  std::memcpy(id.data(), &number, sizeof(number));
  return id;
}

SteadyTime soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(60); }

Slice pattern(std::int64_t bytes, std::uint32_t seed) {
  auto buffer = Buffer::allocate(bytes);
  std::uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
  std::int64_t i = 0;
  for (; i + 8 <= bytes; i += 8) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    std::memcpy(buffer->data() + i, &state, 8);
  }
  for (; i < bytes; ++i) buffer->data()[i] = static_cast<std::uint8_t>(seed + i);
  return Slice(BufferPtr(std::move(buffer)));
}

bool same_bytes(const Slice& a, const Slice& b) {
  return a.size == b.size &&
         (a.size == 0 || std::memcmp(a.data, b.data, static_cast<std::size_t>(a.size)) == 0);
}

std::string text(const Slice& slice) {
  return {reinterpret_cast<const char*>(slice.data), static_cast<std::size_t>(slice.size)};
}

Code code_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  return Code{};
}

}  // namespace curia::test
