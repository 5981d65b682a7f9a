// What a peer may cost a control server: garbage, floods, oversized and endless messages, silence.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <deque>

#include "tests/link/control_proxy.h"
#include "tests/link/control_raw.h"

using namespace curia;

namespace {

// A server with recorded events, and honest alice.
struct Scene {
  ZmqFabric fabric;
  ZmqServerOptions options = fabric.server_options();
  Recorder at_server;
  Recorder at_alice;
  std::unique_ptr<ZmqControlServer> server;
  std::unique_ptr<ControlClient> alice;

  Scene() { options.first_message = std::chrono::seconds(60); }
  void start() {
    server = std::make_unique<ZmqControlServer>(options);
    server->start(at_server);
    alice = fabric.make_client("alice");
    alice->start(at_alice);
  }
  int port() const { return port_of_endpoint(server->endpoint()); }
  bool wait_stat(std::int64_t ControlStats::*which, std::int64_t least) {
    return at_server.until([&] { return server->stats().*which >= least; });
  }
  // A new connection of alice's is served.
  void alice_is_served() {
    const std::size_t before = at_server.heard().size();
    const ConnId conn = alice->connect("bob", server->endpoint(), fabric.key());
    alice->send(conn, text_frames("honest"));
    REQUIRE(at_server.wait_heard(before + 1));
    CHECK(at_server.heard().back().frames.head == "honest");
    CHECK(at_server.heard().back().principal == "alice");
  }
};

// Sanitized programs are slow, and look at some of the places.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr std::size_t kStep = 11;
#else
constexpr std::size_t kStep = 1;
#endif

// Carol, without the limits of our client.
struct Carol {
  RawDealer peer;
  explicit Carol(const Scene& scene, const std::string& endpoint)
      : peer(scene.fabric.clients.at("carol"), scene.fabric.key()) {
    peer.socket.set(zmq::sockopt::routing_id, std::string("carol-carol-caro"));
    peer.socket.connect(endpoint);
  }
};

}  // namespace

TEST_CASE("Control: garbage on the port is closed, and alice is served") {
  Scene scene;
  scene.start();
  const RawTcp http(scene.port());
  CHECK(http.send("GET / HTTP/1.1\r\nHost: bob\r\n\r\n" + std::string(200, 'x')));
  CHECK(http.wait_closed());
  const RawTcp other(scene.port());
  CHECK(other.send(zmtp_greeting("GSSAPI")));
  CHECK(other.wait_closed());
  const RawTcp noise(scene.port());
  CHECK(noise.send(zmtp_greeting("CURVE") + std::string(2, '\4') + std::string(300, '\xee')));
  CHECK(noise.wait_closed());
  scene.alice_is_served();
}

TEST_CASE("Control: a keyless claim of 3 GiB costs no memory") {
  // Sends up to 256 MiB of a frame that claims more; returns how much resident memory grew.
  const auto claim = [](int port, std::uint64_t bytes) {
    const RawTcp peer(port);
    std::int64_t most = 0;
    const std::int64_t before = resident_bytes();
    bool open = peer.send(zmtp_greeting("CURVE") + zmtp_length('\6', bytes));
    const std::string chunk(1 << 20, 'x');
    for (int i = 0; i < 256 && open; ++i) {
      open = peer.send(chunk);
      most = std::max(most, resident_bytes() - before);
    }
    return most;
  };
  SUBCASE("a control server") {
    Scene scene;
    scene.start();
    CHECK(claim(scene.port(), std::uint64_t{3} << 30) < (64 << 20));
    CHECK(claim(scene.port(), std::uint64_t{1} << 63) < (64 << 20));
    scene.alice_is_served();
  }
  SUBCASE("without a limit the attack works: this shows that the test can fail") {
    zmq::context_t context(1);
    zmq::socket_t router(context, zmq::socket_type::router);
    router.set(zmq::sockopt::linger, 0);
    secure_server(router, generate_keys());
    router.bind("tcp://127.0.0.1:*");
    const int port = port_of_endpoint(router.get(zmq::sockopt::last_endpoint));
    CHECK(claim(port, std::uint64_t{3} << 30) > (128 << 20));
  }
}

TEST_CASE("Control: six hundred half-open connections do not keep alice out") {
  Scene scene;
  scene.options.handshake = std::chrono::seconds(60);  // so none of them goes by itself
  SUBCASE("with room for them") { scene.options.max_connections = 2000; }
  SUBCASE("with room for a hundred: the oldest that say nothing must go") {
    scene.options.max_connections = 100;
  }
  scene.start();
  std::vector<RawTcp> idle;
  for (int i = 0; i < 600; ++i) {
    idle.emplace_back(scene.port());
    REQUIRE(idle.back().connected());
    if (i % 2 == 0) idle.back().send(zmtp_greeting("CURVE"));
  }
  scene.alice_is_served();
  if (scene.options.max_connections == 100) {
    CHECK(scene.wait_stat(&ControlStats::cut_connections, 500));
    CHECK(idle[0].wait_closed());
  } else {
    CHECK(scene.server->stats().connections > 600);
  }
}

TEST_CASE("Control: a handshake that does not come is not waited for") {
  Scene scene;
  scene.options.handshake = std::chrono::milliseconds(500);
  scene.start();
  const RawTcp silent(scene.port());
  const RawTcp halfway(scene.port());
  halfway.send(zmtp_greeting("CURVE"));
  CHECK(silent.wait_closed());
  CHECK(halfway.wait_closed());
}

TEST_CASE("Control: a peer that was let in and says nothing is sent away") {
  Scene scene;
  scene.options.first_message = std::chrono::milliseconds(300);
  scene.start();
  const ConnId conn = scene.alice->connect("bob", scene.server->endpoint(), scene.fabric.key());
  CHECK(scene.at_alice.wait_gone(conn));
  CHECK(scene.at_server.gone_count() == 0);  // it was never reported
}

TEST_CASE("Control: a message of the limit is taken; one byte more ends the connection") {
  Scene scene;
  scene.start();
  const auto most = static_cast<std::size_t>(kMaxControlMessage);
  std::vector<std::string> attack;
  SUBCASE("in one frame") { attack = {std::string(most + 1, 'x')}; }
  SUBCASE("in two frames") { attack = {"x", std::string(most, 'x')}; }
  Carol carol(scene, scene.server->endpoint());
  carol.peer.send({std::string(most, 'x')});
  carol.peer.send({"y", std::string(most - 1, 'x')});
  REQUIRE(scene.at_server.wait_heard(2));
  const ConnId conn = scene.at_server.heard()[0].conn;
  CHECK(scene.at_server.heard()[0].frames.head.size() == most);
  CHECK(scene.at_server.heard()[1].frames.bytes() == kMaxControlMessage);
  carol.peer.send(attack);
  CHECK(scene.at_server.wait_gone(conn));
  CHECK(scene.at_server.heard().size() == 2);
  scene.alice_is_served();
}

TEST_CASE("Control: malformed frames end the connection, and the worker lives") {
  Scene scene;
  scene.start();
  Carol carol(scene, scene.server->endpoint());
  const auto most = static_cast<std::size_t>(kMaxControlFrames);
  carol.peer.send(std::vector<std::string>(most, "x"));
  REQUIRE(scene.at_server.wait_heard(1));
  const ConnId conn = scene.at_server.heard()[0].conn;
  SUBCASE("one frame too many") { carol.peer.send(std::vector<std::string>(most + 1, "x")); }
  SUBCASE("a thousand frames") { carol.peer.send(std::vector<std::string>(1000, "x")); }
  SUBCASE("an empty head") { carol.peer.send({"", "x"}); }
  SUBCASE("nothing at all") { carol.peer.send({""}); }
  carol.peer.send({"too late"});
  REQUIRE(scene.at_server.wait_gone(conn));
  CHECK(scene.at_server.why(conn).find("carol sent a message") == 0);
  CHECK(scene.server->stats().refused_messages >= 1);
  CHECK(scene.at_server.heard().size() == 1);
  CHECK(scene.at_server.violations() == 0);
  scene.alice_is_served();
}

TEST_CASE("Control: a message without end is cut before it fills the memory") {
  Scene scene;
  scene.start();
  Carol carol(scene, scene.server->endpoint());
  carol.peer.send({"hello"});
  REQUIRE(scene.at_server.wait_heard(1));
  const ConnId conn = scene.at_server.heard()[0].conn;
  // libzmq sends nothing of a message before it has all of it, so ours has an end, far away.
  const std::string frame(1 << 20, 'x');
  for (int i = 0; i < 400; ++i)
    carol.peer.socket.send(zmq::buffer(frame), zmq::send_flags::sndmore);
  carol.peer.socket.send(zmq::buffer(frame), zmq::send_flags::none);
  REQUIRE(scene.at_server.wait_gone(conn));
  CHECK(scene.wait_stat(&ControlStats::cut_connections, 1));
  CHECK(scene.server->stats().refused_messages == 0);  // it was not gathered to its end
  scene.alice_is_served();
}

TEST_CASE("Control: a peer that does not read is given up, and costs a bounded amount") {
  Scene scene;
  scene.options.max_waiting_bytes = 4 << 20;
  scene.start();
  Carol carol(scene, scene.server->endpoint());
  carol.peer.send({"hello"});
  REQUIRE(scene.at_server.wait_heard(1));
  const ConnId conn = scene.at_server.heard()[0].conn;
  const Slice chunk(BufferPtr(Buffer::allocate(256 << 10)));
  // Far more than the socket buffers of both ends and our queue hold together.
  for (int i = 0; i < 4000; ++i) scene.server->send(conn, {"chunk", {chunk}});
  REQUIRE(scene.at_server.wait_gone(conn));
  CHECK(scene.at_server.why(conn).find("does not read") != std::string::npos);
  CHECK(scene.wait_stat(&ControlStats::dropped_sends, 1));
  scene.alice_is_served();
}

TEST_CASE("Control: one principal cannot take all the room there is") {
  Scene scene;
  scene.options.max_per_principal = 3;
  scene.start();
  Recorder at_carol;
  const auto carol = scene.fabric.make_client("carol");
  carol->start(at_carol);
  std::vector<ConnId> conns;
  for (int i = 0; i < 4; ++i) {
    conns.push_back(carol->connect("bob", scene.server->endpoint(), scene.fabric.key()));
    carol->send(conns.back(), text_frames("hello"));
    if (i < 3) REQUIRE(scene.at_server.wait_heard(static_cast<std::size_t>(i) + 1));
  }
  CHECK(at_carol.wait_gone(conns[3]));
  CHECK(at_carol.gone_count() == 1);
  CHECK(scene.at_server.heard().size() == 3);
  // Room that is given back can be taken again.
  carol->drop(conns[0]);
  REQUIRE(scene.at_server.wait_any_gone());
  const ConnId again = carol->connect("bob", scene.server->endpoint(), scene.fabric.key());
  carol->send(again, text_frames("hello"));
  CHECK(scene.at_server.wait_heard(4));
}

TEST_CASE("Control: both ends notice a peer that falls silent") {
  Scene scene;
  scene.start();
  Proxy proxy(scene.port());
  const ConnId conn = scene.alice->connect("bob", proxy.endpoint(), scene.fabric.key());
  scene.alice->send(conn, text_frames("hello"));
  REQUIRE(scene.at_server.wait_heard(1));
  const ConnId there = scene.at_server.heard()[0].conn;
  proxy.freeze();
  CHECK(scene.at_alice.wait_gone(conn));
  CHECK(scene.at_server.wait_gone(there));
  CHECK(scene.at_alice.why(conn).find("fell silent") != std::string::npos);
}

TEST_CASE("Control: reset at each byte, no message is heard in part, and each end told once") {
  Scene scene;
  scene.start();
  const Frames whole{"hello", {Slice::copy_of(std::string(300, 'x'))}};
  scene.at_server.on_message = [&](const Heard& heard) { scene.server->send(heard.conn, whole); };
  bool back = false;
  SUBCASE("to the server") {}
  SUBCASE("to the client") { back = true; }
  Recorder& hears = back ? scene.at_alice : scene.at_server;
  // Each connection carries a byte more than the one before, until one carries the message.
  std::size_t budget = 1;
  for (; hears.heard().empty(); budget += kStep) {
    Proxy proxy(scene.port(), back ? Proxy::kNoEnd : budget, back ? budget : Proxy::kNoEnd);
    const ConnId conn = scene.alice->connect("bob", proxy.endpoint(), scene.fabric.key());
    scene.alice->send(conn, whole);
    REQUIRE(scene.at_alice.wait_gone(conn));
    REQUIRE(budget < 5000);
  }
  CHECK(budget > 300 + 64);  // the message, and a greeting at least
  for (const Recorder* end : {&scene.at_server, &scene.at_alice}) {
    CHECK(end->violations() == 0);
    for (const Heard& heard : end->heard()) {
      CHECK(heard.frames.head == whole.head);
      REQUIRE(heard.frames.payload.size() == 1);
      CHECK(heard.frames.payload[0].size == 300);
    }
  }
  // A connection that is left alone is none the worse.
  const std::size_t before = scene.at_alice.heard().size();
  scene.alice->send(scene.alice->connect("bob", scene.server->endpoint(), scene.fabric.key()),
                    whole);
  CHECK(scene.at_alice.wait_heard(before + 1));
}

TEST_CASE("Control: a connection that was recorded is worth nothing when it is played again") {
  Scene scene;
  scene.start();
  std::string recorded;
  {
    Proxy proxy(scene.port());
    const ConnId conn = scene.alice->connect("bob", proxy.endpoint(), scene.fabric.key());
    scene.alice->send(conn, text_frames("pay carol"));
    REQUIRE(scene.at_server.wait_heard(1));
    recorded = proxy.recorded();
  }
  CHECK(recorded.size() > 500);
  const RawTcp attacker(scene.port());
  REQUIRE(attacker.connected());
  attacker.send(recorded);
  CHECK(attacker.wait_closed());
  CHECK(scene.wait_stat(&ControlStats::failed_handshakes, 1));
  scene.alice_is_served();
  const auto heard = scene.at_server.heard();
  CHECK(std::count_if(heard.begin(), heard.end(),
                      [](const Heard& one) { return one.frames.head == "pay carol"; }) == 1);
}
