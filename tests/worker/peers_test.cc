#include "worker/peers.h"

#include <doctest/doctest.h>

#include <future>

#include "tests/support/false_worker.h"

using namespace curia;

namespace {

// alice's connections to a bob that answers as the test wants.
struct Scene {
  MemoryControlNetwork network;
  FalseWorker bob{network, "bob"};
  NotingDialer dialer;
  std::unique_ptr<ControlClient> client = network.make_client("alice");
  Peers peers{"alice", {{"bob", {"memory://bob", "", "127.0.0.1"}}}, *client, &dialer};

  ~Scene() { client.reset(); }
};

}  // namespace

TEST_CASE("Peers: a malformed answer to dial is no connection, and bob is asked again") {
  Scene scene;
  scene.bob.answers[Kind::kDial] = malformed_dial_answers();
  SUBCASE("too short, too long") {}
  SUBCASE("an address that cannot be dialled") { scene.dialer.throws = 2; }
  scene.bob.start();
  scene.peers.start();
  const NotingDialer::Dial dial = scene.dialer.first();
  CHECK(dial.peer == "bob");
  CHECK(dial.port == 7);
  CHECK(dial.token == 9);
}

TEST_CASE("Peers: a question is asked again when its answer was malformed, on a new connection") {
  Scene scene;
  const ConsentReply good{{1}, {""}};
  scene.bob.answers[Kind::kConsent] = {{0, "no answer"}, {0, encode(good)}};
  scene.bob.start();
  scene.peers.start();
  std::promise<bool> allowed;
  scene.peers.ask("bob", {"dora", "", 1, {}, {{"x", {}, "dora", {}, "out"}}},
                  [&](const ConsentReply* answer, const Error*) {
                    allowed.set_value(answer != nullptr && answer->allowed[0] == 1);
                  });
  auto answer = allowed.get_future();
  REQUIRE(answer.wait_for(std::chrono::seconds(60)) == std::future_status::ready);
  CHECK(answer.get());
}
