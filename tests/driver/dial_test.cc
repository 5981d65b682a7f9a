#include <doctest/doctest.h>

#include "driver/connection.h"
#include "driver/session.h"
#include "protocol/link/memory_link.h"
#include "tests/support/false_worker.h"

using namespace curia;

TEST_CASE("Dial: a worker's malformed answer is no connection, and the driver asks again") {
  MemoryControlNetwork network;
  MemoryNetwork links;
  FalseWorker alice(network, "alice");
  alice.answers[Kind::kDial] = malformed_dial_answers();
  NotingDialer dialer;
  SUBCASE("too short, too long") {}
  SUBCASE("an error, and an address that cannot be dialled") {
    alice.answers[Kind::kDial][0] = {kFailure,
                                     encode(WireError(Error(Code::kOverloaded, "later")))};
    alice.answers[Kind::kDial].erase(alice.answers[Kind::kDial].begin() + 1);
    dialer.throws = 1;
  }
  alice.start();
  Wiring wiring;
  wiring.driver = "dora";
  wiring.workers["alice"] = {"memory://alice", "", "127.0.0.1"};
  wiring.control = network.make_client("dora");
  wiring.make_link = [&](const std::string& self) {
    return SessionLink{links.link(self), &dialer};
  };
  Session session(std::move(wiring), {});
  const Ref ref = session.put(
      "alice", Tensor::of<double>({1 << 16}, std::vector<double>(std::size_t{1} << 16)));
  const NotingDialer::Dial dial = dialer.first();
  CHECK(dial.peer == "alice");
  CHECK(dial.port == 7);
  CHECK(dial.token == 9);
}
