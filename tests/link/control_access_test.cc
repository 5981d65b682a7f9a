// Who gets in, and as whom: attacks on the authentication of a control server. Where a protection
// can be left out, the same attack is shown to work without it.
#include <doctest/doctest.h>

#include "tests/link/control_raw.h"

using namespace curia;

namespace {

// A server with recorded events and honest alice connected to it.
struct Scene {
  ZmqFabric fabric;
  Recorder at_server;
  Recorder at_alice;
  std::unique_ptr<ZmqControlServer> server;
  std::unique_ptr<ControlClient> alice;
  ConnId conn = 0;

  explicit Scene(std::chrono::milliseconds first_message = std::chrono::seconds(60))
      : alice(fabric.make_client("alice")) {
    ZmqServerOptions options = fabric.server_options();
    options.first_message = first_message;
    server = std::make_unique<ZmqControlServer>(options);
    server->start(at_server);
    alice->start(at_alice);
    conn = alice->connect("bob", server->endpoint(), fabric.key());
  }

  bool wait_stat(std::int64_t ControlStats::*which, std::int64_t least) {
    return at_server.until([&] { return server->stats().*which >= least; });
  }
  // Alice is served whatever others do, and nobody but she has been heard.
  void only_alice_is_heard() {
    const std::size_t before = at_server.heard().size();
    alice->send(conn, text_frames("honest"));
    REQUIRE(at_server.wait_heard(before + 1));
    for (const Heard& one : at_server.heard()) {
      CHECK(one.principal == "alice");
      CHECK(one.frames.head == "honest");
    }
  }
};

// A bare ROUTER with what makes ours secure, piece by piece.
struct BareServer {
  KeyPair keys = generate_keys();
  KeyPair client = generate_keys();
  Principals principals{{{client.public_key, "alice"}}};
  zmq::context_t context{1};
  std::unique_ptr<ZapHandler> zap;
  zmq::socket_t router{context, zmq::socket_type::router};

  explicit BareServer(bool with_handler) {
    if (with_handler) zap = std::make_unique<ZapHandler>(context, principals);
    router.set(zmq::sockopt::linger, 0);
    router.set(zmq::sockopt::handshake_ivl, 3000);
  }
  std::string bind() {
    router.bind("tcp://127.0.0.1:*");
    return router.get(zmq::sockopt::last_endpoint);
  }
  // Answers for the handler until a message is there; its last frame. "": `done` came first.
  std::string receive(const std::function<bool()>& done) {
    while (true) {
      if (zap) zap->answer();
      zmq::message_t part;
      std::string last;
      bool got = false;
      while (router.recv(part, zmq::recv_flags::dontwait)) {
        got = true;
        last = part.to_string();
        if (!part.more()) break;
      }
      if (got) return last;
      if (done()) return "";
      zmq::pollitem_t item{router.handle(), 0, ZMQ_POLLIN, 0};
      zmq::poll(&item, 1, std::chrono::milliseconds(5));
    }
  }
};

// A Curia client that tries to say "attack" to a bare server.
struct Intruder {
  Recorder events;
  ZmqControlClient client;
  ConnId conn;
  Intruder(const KeyPair& keys, const std::string& endpoint, const std::string& server_key)
      : client({.keys = keys, .handshake = std::chrono::seconds(20)}), conn(0) {
    client.start(events);
    conn = client.connect("bob", endpoint, server_key);
    client.send(conn, text_frames("attack"));
  }
  bool refused() const { return events.gone_count() > 0; }
};

}  // namespace

TEST_CASE("Control: a client with an unknown key is refused, and told so") {
  Scene scene;
  Recorder events;
  ZmqControlClient stranger({generate_keys()});
  stranger.start(events);
  const ConnId conn = stranger.connect("bob", scene.server->endpoint(), scene.fabric.key());
  stranger.send(conn, text_frames("attack"));
  REQUIRE(events.wait_gone(conn));
  CHECK(events.why(conn).find("does not know our key") != std::string::npos);
  CHECK(scene.wait_stat(&ControlStats::refused_keys, 1));
  scene.only_alice_is_heard();
}

TEST_CASE("Control: a wrong server key ends the handshake, with a hint") {
  Scene scene;
  Recorder events;
  ZmqControlClient client({scene.fabric.clients["carol"]});
  client.start(events);
  const ConnId conn = client.connect("bob", scene.server->endpoint(), generate_keys().public_key);
  client.send(conn, text_frames("for somebody else"));
  REQUIRE(events.wait_gone(conn));
  CHECK(events.why(conn).find("is the server's key right") != std::string::npos);
  scene.only_alice_is_heard();
}

TEST_CASE("Control: clients without CURVE get nothing in") {
  Scene scene;
  RawDealer peer;
  SUBCASE("NULL mechanism") {}
  SUBCASE("PLAIN mechanism") {
    peer.socket.set(zmq::sockopt::plain_username, "alice");
    peer.socket.set(zmq::sockopt::plain_password, "alice");
  }
  peer.socket.connect(scene.server->endpoint());
  peer.send({"attack"});
  CHECK(scene.wait_stat(&ControlStats::failed_handshakes, 1));
  scene.only_alice_is_heard();
}

TEST_CASE("Control: another party's public key is no use without its secret") {
  Scene scene;
  KeyPair stolen = generate_keys();
  stolen.public_key = scene.fabric.clients["carol"].public_key;
  RawDealer peer(stolen, scene.fabric.key());
  peer.socket.connect(scene.server->endpoint());
  peer.send({"attack"});
  CHECK(scene.wait_stat(&ControlStats::failed_handshakes, 1));
  scene.only_alice_is_heard();
}

TEST_CASE("Control: the sender is the key, whatever a message says") {
  Scene scene;
  RawDealer carol(scene.fabric.clients["carol"], scene.fabric.key());
  carol.socket.set(zmq::sockopt::routing_id, std::string("alice-alice-alic"));
  // libzmq lets a peer announce properties, but none with the name of an attested one.
  const std::string forged = "User-Id:" + scene.fabric.clients["alice"].public_key;
  const int option = 95;  // ZMQ_METADATA
  CHECK(zmq_setsockopt(carol.socket.handle(), option, forged.data(), forged.size()) != 0);
  carol.socket.connect(scene.server->endpoint());
  carol.send({"sender: alice", "alice", scene.fabric.clients["alice"].public_key});
  REQUIRE(scene.at_server.wait_heard(1));
  CHECK(scene.at_server.heard()[0].principal == "carol");
}

TEST_CASE("Control: a squatter on another's routing id gets none of its messages") {
  const std::string id = "0123456789abcdef";
  Scene scene(std::chrono::seconds(5));
  scene.alice->send(scene.conn, text_frames("honest"));
  REQUIRE(scene.at_server.wait_heard(1));
  RawDealer alice(scene.fabric.clients["alice"], scene.fabric.key());
  alice.socket.set(zmq::sockopt::routing_id, id);
  alice.socket.connect(scene.server->endpoint());
  alice.send({"honest"});
  REQUIRE(scene.at_server.wait_heard(2));
  const ConnId conn = scene.at_server.heard()[1].conn;

  RawDealer carol(scene.fabric.clients["carol"], scene.fabric.key());
  carol.socket.set(zmq::sockopt::routing_id, id);
  carol.socket.connect(scene.server->endpoint());
  // libzmq keeps her waiting: no message of hers is read, and so the connection is closed.
  for (int i = 0; i < 10; ++i) carol.send({"attack"});
  REQUIRE(scene.wait_stat(&ControlStats::cut_connections, 1));

  scene.server->send(conn, text_frames("for alice"));
  CHECK(alice.receive(kPatience) == "for alice");
  CHECK(carol.receive(std::chrono::milliseconds(0)) == "");
  scene.only_alice_is_heard();
  CHECK(scene.at_server.gone_count() == 0);
}

TEST_CASE("Control: with handover, which is off, the squatter would get the messages") {
  const std::string id = "0123456789abcdef";
  zmq::context_t context(1);
  zmq::socket_t router(context, zmq::socket_type::router);
  router.set(zmq::sockopt::linger, 0);
  router.set(zmq::sockopt::router_handover, true);
  router.bind("tcp://127.0.0.1:*");
  const std::string endpoint = router.get(zmq::sockopt::last_endpoint);
  zmq::message_t part;
  RawDealer alice;
  RawDealer carol;
  for (RawDealer* peer : {&alice, &carol}) {
    peer->socket.set(zmq::sockopt::routing_id, id);
    peer->socket.connect(endpoint);
    peer->send({"hello"});
    REQUIRE(router.recv(part));
    REQUIRE(router.recv(part));
  }
  router.send(zmq::buffer(id), zmq::send_flags::sndmore);
  router.send(zmq::buffer(std::string("for alice")), zmq::send_flags::none);
  CHECK(carol.receive(kPatience) == "for alice");
}

TEST_CASE("Control: routing ids that are not sixteen random bytes are refused") {
  Scene scene;
  // Without an id of its own a peer gets one that others can guess, and abort the server with.
  std::string id;
  SUBCASE("none") {}
  SUBCASE("short") { id = "carol"; }
  SUBCASE("long") { id = std::string(255, 'x'); }
  RawDealer carol(scene.fabric.clients["carol"], scene.fabric.key());
  if (!id.empty()) carol.socket.set(zmq::sockopt::routing_id, id);
  carol.socket.connect(scene.server->endpoint());
  carol.send({"attack"});
  CHECK(scene.wait_stat(&ControlStats::refused_senders, 1));
  CHECK(scene.wait_stat(&ControlStats::cut_connections, 1));
  scene.only_alice_is_heard();
}

TEST_CASE("Control: a key that is removed closes its connections, and no others") {
  Scene scene;
  Recorder at_carol;
  const auto carol = scene.fabric.make_client("carol");
  carol->start(at_carol);
  const ConnId conn = carol->connect("bob", scene.server->endpoint(), scene.fabric.key());
  carol->send(conn, text_frames("still allowed"));
  REQUIRE(scene.at_server.wait_heard(1));
  const ConnId there = scene.at_server.heard()[0].conn;

  auto principals = scene.fabric.server_options().principals;
  const std::string key = scene.fabric.clients["carol"].public_key;
  bool known = false;
  SUBCASE("removed") { principals.erase(key); }
  SUBCASE("given to another principal") {
    principals[key] = "dora";
    known = true;
  }
  scene.server->set_principals(principals);
  for (int i = 0; i < 100; ++i) carol->send(conn, text_frames("too late"));
  REQUIRE(at_carol.wait_gone(conn));
  REQUIRE(scene.at_server.wait_gone(there));
  CHECK(scene.at_server.why(there).find("key of carol was removed") != std::string::npos);
  CHECK(scene.at_server.heard().size() == 1);

  const ConnId again = carol->connect("bob", scene.server->endpoint(), scene.fabric.key());
  carol->send(again, text_frames("again"));
  if (known) {
    REQUIRE(scene.at_server.wait_heard(2));
    CHECK(scene.at_server.heard()[1].principal == "dora");
  } else {
    CHECK(at_carol.wait_gone(again));
    CHECK(scene.at_server.heard().size() == 1);
  }
  const std::size_t before = scene.at_server.heard().size();
  scene.alice->send(scene.conn, text_frames("honest"));
  REQUIRE(scene.at_server.wait_heard(before + 1));
  CHECK(scene.at_server.heard().back().principal == "alice");
}

TEST_CASE("Control: while nobody answers for the keys, nobody gets in") {
  BareServer bare(true);
  secure_server(bare.router, bare.keys);
  const std::string endpoint = bare.bind();
  bool answering = false;
  SUBCASE("the handler is gone") { bare.zap.reset(); }
  SUBCASE("the handler is there and says nothing") {}
  SUBCASE("the handler works: this shows that the others can fail") { answering = true; }
  Intruder alice(bare.client, endpoint, bare.keys.public_key);
  std::unique_ptr<ZapHandler> silent;
  if (!answering) silent = std::move(bare.zap);
  const std::string got = bare.receive([&] { return alice.refused(); });
  CHECK(got == (answering ? "attack" : ""));
}

TEST_CASE("Control: when who answers for the keys ends, those inside stay and nobody new gets in") {
  BareServer bare(true);
  secure_server(bare.router, bare.keys);
  const std::string endpoint = bare.bind();
  Intruder inside(bare.client, endpoint, bare.keys.public_key);
  REQUIRE(bare.receive([&] { return inside.refused(); }) == "attack");
  bare.zap.reset();
  Intruder late(bare.client, endpoint, bare.keys.public_key);
  CHECK(bare.receive([&] { return late.refused(); }) == "");
  CHECK_FALSE(inside.refused());
  inside.client.send(inside.conn, text_frames("still here"));
  CHECK(bare.receive([&] { return inside.refused(); }) == "still here");
}

TEST_CASE("Control: an unknown key gets in where the domain is not enforced") {
  BareServer bare(false);
  bool enforced = false;
  SUBCASE("not enforced: the attack works") {
    bare.router.set(zmq::sockopt::curve_server, true);
    bare.router.set(zmq::sockopt::curve_secretkey, bare.keys.secret_key);
    bare.router.set(zmq::sockopt::zap_domain, "curia");
  }
  SUBCASE("enforced, as a control server does") {
    secure_server(bare.router, bare.keys);
    enforced = true;
  }
  Intruder stranger(generate_keys(), bare.bind(), bare.keys.public_key);
  const std::string got = bare.receive([&] { return stranger.refused(); });
  CHECK(got == (enforced ? "" : "attack"));
}

TEST_CASE("Control: malformed keys and addresses are refused before anything is opened") {
  ZmqFabric fabric;
  const auto message = [](const std::function<void()>& act) {
    try {
      act();
    } catch (const Error& error) {
      return error.code() == Code::kInvalid ? error.message() : "another code";
    }
    return std::string("no error");
  };
  auto options = fabric.server_options();
  options.principals["short"] = "dora";
  CHECK(message([&] { const ZmqControlServer server(options); }).find("key of dora") !=
        std::string::npos);
  options = fabric.server_options();
  options.keys.secret_key = "";
  CHECK(message([&] { const ZmqControlServer server(options); }).find("secret key") !=
        std::string::npos);
  options = fabric.server_options();
  options.bind = "tcp://no.such.address:1";
  CHECK(message([&] { const ZmqControlServer server(options); }).find("cannot listen") !=
        std::string::npos);
  const auto client = fabric.make_client("alice");
  CHECK(message([&] { client->connect("bob", "tcp://127.0.0.1:1", "short"); }).find("key of bob") !=
        std::string::npos);
  CHECK(message([&] {
          client->connect("bob", "http://bob", fabric.key());
        }).find("expected tcp://") != std::string::npos);
}
