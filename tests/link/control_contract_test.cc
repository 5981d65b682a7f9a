// What every implementation of the control plane must do.
#include <doctest/doctest.h>

#include <atomic>

#include "tests/link/control_rig.h"

using namespace curia;

namespace {

// A server and one client that is connected to it.
template <class Fabric>
struct Pair {
  Fabric fabric;
  Recorder at_server;
  Recorder at_client;
  std::unique_ptr<ControlServer> server;
  std::unique_ptr<ControlClient> client;
  ConnId conn = 0;

  Pair() : server(fabric.make_server()), client(fabric.make_client("alice")) {}

  void start() {
    server->start(at_server);
    client->start(at_client);
    conn = client->connect("bob", server->endpoint(), fabric.key());
  }
};

Slice pattern(std::int64_t bytes) {
  auto buffer = Buffer::allocate(bytes);
  for (std::int64_t i = 0; i < bytes; ++i) {
    buffer->data()[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
  }
  return Slice(BufferPtr(buffer));
}

bool same(const Slice& a, const Slice& b) {
  return a.size == b.size && std::equal(a.data, a.data + a.size, b.data);
}

}  // namespace

#define FABRICS MemoryFabric, ZmqFabric

TEST_CASE_TEMPLATE("Control: messages arrive in order, under the sender's name", F, FABRICS) {
  Pair<F> pair;
  pair.start();
  for (int i = 0; i < 1000; ++i) pair.client->send(pair.conn, text_frames(std::to_string(i)));
  REQUIRE(pair.at_server.wait_heard(1000));
  const auto heard = pair.at_server.heard();
  for (int i = 0; i < 1000; ++i) {
    const Heard& one = heard[static_cast<std::size_t>(i)];
    REQUIRE(one.frames.head == std::to_string(i));
    REQUIRE(one.principal == "alice");
    REQUIRE(one.conn == heard[0].conn);
  }
  for (int i = 0; i < 1000; ++i) pair.server->send(heard[0].conn, text_frames(std::to_string(i)));
  REQUIRE(pair.at_client.wait_heard(1000));
  const auto back = pair.at_client.heard();
  for (int i = 0; i < 1000; ++i) {
    const Heard& one = back[static_cast<std::size_t>(i)];
    REQUIRE(one.frames.head == std::to_string(i));
    REQUIRE(one.principal == "bob");
    REQUIRE(one.conn == pair.conn);
  }
  CHECK(pair.at_server.violations() == 0);
  CHECK(pair.at_client.violations() == 0);
}

TEST_CASE_TEMPLATE("Control: payloads arrive intact, from no byte to 1 MiB", F, FABRICS) {
  Pair<F> pair;
  pair.start();
  std::vector<std::vector<Slice>> sent;
  for (const std::int64_t bytes : {0, 1, 33, 200, 4095, 4096, 70000, 1 << 20}) {
    sent.push_back({pattern(bytes)});
  }
  sent.push_back({});
  sent.push_back({pattern(5000), pattern(0), pattern(300), pattern(100000)});
  for (const auto& payload : sent) pair.client->send(pair.conn, {"put", payload});
  REQUIRE(pair.at_server.wait_heard(sent.size()));
  const auto heard = pair.at_server.heard();
  for (const Heard& one : heard) pair.server->send(one.conn, one.frames);
  REQUIRE(pair.at_client.wait_heard(sent.size()));
  for (const auto& side : {heard, pair.at_client.heard()}) {
    for (std::size_t i = 0; i < sent.size(); ++i) {
      CHECK(side[i].frames.head == "put");
      REQUIRE(side[i].frames.payload.size() == sent[i].size());
      for (std::size_t k = 0; k < sent[i].size(); ++k) {
        CHECK(same(side[i].frames.payload[k], sent[i][k]));
        CHECK(reinterpret_cast<std::uintptr_t>(side[i].frames.payload[k].data) % kAlignment == 0);
      }
    }
  }
}

TEST_CASE_TEMPLATE("Control: more than any queue holds arrives all the same", F, FABRICS) {
  Pair<F> pair;
  pair.at_server.on_message = [&](const Heard& heard) {
    pair.server->send(heard.conn, heard.frames);
  };
  pair.start();
  const Slice chunk = pattern(64 << 10);
  for (int i = 0; i < 500; ++i) pair.client->send(pair.conn, {std::to_string(i), {chunk}});
  REQUIRE(pair.at_client.wait_heard(500));
  const auto heard = pair.at_client.heard();
  for (std::size_t i = 0; i < 500; ++i) {
    REQUIRE(heard[i].frames.head == std::to_string(i));
    REQUIRE(same(heard[i].frames.payload.at(0), chunk));
  }
}

TEST_CASE_TEMPLATE("Control: a server keeps many clients apart", F, FABRICS) {
  F fabric;
  Recorder at_server;
  const auto server = fabric.make_server();
  at_server.on_message = [&](const Heard& heard) {
    server->send(heard.conn, text_frames(heard.principal + ":" + heard.frames.head));
  };
  server->start(at_server);
  std::vector<std::unique_ptr<Recorder>> recorders;
  std::vector<std::unique_ptr<ControlClient>> clients;
  for (int i = 0; i < 20; ++i) {
    recorders.push_back(std::make_unique<Recorder>());
    clients.push_back(fabric.make_client("c" + std::to_string(i)));
    clients.back()->start(*recorders.back());
    const ConnId conn = clients.back()->connect("bob", server->endpoint(), fabric.key());
    for (int k = 0; k < 50; ++k) clients.back()->send(conn, text_frames(std::to_string(k)));
  }
  for (int i = 0; i < 20; ++i) {
    Recorder& recorder = *recorders[static_cast<std::size_t>(i)];
    REQUIRE(recorder.wait_heard(50));
    const auto heard = recorder.heard();
    for (int k = 0; k < 50; ++k) {
      REQUIRE(heard[static_cast<std::size_t>(k)].frames.head ==
              "c" + std::to_string(i) + ":" + std::to_string(k));
    }
  }
}

TEST_CASE_TEMPLATE("Control: two connections of one client are two", F, FABRICS) {
  Pair<F> pair;
  pair.start();
  const ConnId other = pair.client->connect("bob", pair.server->endpoint(), pair.fabric.key());
  CHECK(other != pair.conn);
  pair.client->send(pair.conn, text_frames("one"));
  pair.client->send(other, text_frames("two"));
  REQUIRE(pair.at_server.wait_heard(2));
  const auto heard = pair.at_server.heard();
  CHECK(heard[0].conn != heard[1].conn);
  for (const Heard& one : heard) pair.server->send(one.conn, one.frames);
  REQUIRE(pair.at_client.wait_heard(2));
  for (const Heard& one : pair.at_client.heard()) {
    CHECK(one.conn == (one.frames.head == "one" ? pair.conn : other));
  }
}

TEST_CASE_TEMPLATE("Control: a client learns that the server stopped", F, FABRICS) {
  Pair<F> pair;
  pair.start();
  pair.client->send(pair.conn, text_frames("hello"));
  REQUIRE(pair.at_server.wait_heard(1));
  for (int i = 0; i < 100; ++i) {
    pair.server->send(pair.at_server.heard()[0].conn, text_frames("last words"));
  }
  pair.server.reset();
  REQUIRE(pair.at_client.wait_gone(pair.conn));
  CHECK(pair.at_client.why(pair.conn) != "");
  CHECK(pair.at_client.heard().size() == 100);
  pair.client->send(pair.conn, text_frames("is dropped"));
  CHECK(pair.at_client.wait_ticks(2));
  CHECK(pair.at_client.violations() == 0);
}

TEST_CASE_TEMPLATE("Control: a server learns that the client stopped", F, FABRICS) {
  Pair<F> pair;
  pair.start();
  for (int i = 0; i < 100; ++i) pair.client->send(pair.conn, text_frames("work"));
  pair.client.reset();
  REQUIRE(pair.at_server.wait_heard(100));
  const ConnId conn = pair.at_server.heard()[0].conn;
  REQUIRE(pair.at_server.wait_gone(conn));
  pair.server->send(conn, text_frames("is dropped"));
  CHECK(pair.at_server.wait_ticks(2));
  CHECK(pair.at_server.violations() == 0);
}

TEST_CASE_TEMPLATE("Control: nobody listening ends the connection, and says where", F, FABRICS) {
  F fabric;
  Recorder at_client;
  const auto client = fabric.make_client("alice");
  const std::string endpoint = fabric.closed_endpoint();
  const ConnId conn = client->connect("bob", endpoint, fabric.key());
  client->send(conn, text_frames("nobody hears this"));
  client->start(at_client);
  REQUIRE(at_client.wait_gone(conn));
  CHECK(at_client.why(conn).find("bob") != std::string::npos);
  CHECK(at_client.why(conn).find("connection refused at " + endpoint) != std::string::npos);
}

TEST_CASE_TEMPLATE("Control: drop() lets go out what was sent, and tells only the peer", F,
                   FABRICS) {
  Pair<F> pair;
  pair.start();
  SUBCASE("by the client") {
    for (int i = 0; i < 10; ++i) pair.client->send(pair.conn, text_frames("work"));
    pair.client->drop(pair.conn);
    pair.client->send(pair.conn, text_frames("too late"));
    REQUIRE(pair.at_server.wait_heard(10));
    CHECK(pair.at_server.wait_gone(pair.at_server.heard()[0].conn));
    CHECK(pair.at_server.heard().size() == 10);
    CHECK(pair.at_client.gone_count() == 0);
  }
  SUBCASE("by the server") {
    pair.at_server.on_message = [&](const Heard& heard) {
      pair.server->send(heard.conn, text_frames("wrong version"));
      pair.server->drop(heard.conn);
      pair.server->send(heard.conn, text_frames("too late"));
    };
    pair.client->send(pair.conn, text_frames("hello"));
    REQUIRE(pair.at_client.wait_gone(pair.conn));
    REQUIRE(pair.at_client.heard().size() == 1);
    CHECK(pair.at_client.heard()[0].frames.head == "wrong version");
    CHECK(pair.at_server.wait_ticks(2));
    CHECK(pair.at_server.gone_count() == 0);
  }
}

TEST_CASE_TEMPLATE("Control: send() refuses what passes a limit, at the caller", F, FABRICS) {
  Pair<F> pair;
  pair.start();
  const auto refused = [&](Frames frames, const std::string& word) {
    try {
      pair.client->send(pair.conn, std::move(frames));
      return false;
    } catch (const Error& error) {
      return error.code() == Code::kInvalid && error.message().find(word) != std::string::npos;
    }
  };
  const auto full = static_cast<std::size_t>(kMaxControlMessage);
  CHECK(refused({"", {}}, "head"));
  CHECK(refused({std::string(full + 1, 'x'), {}}, "bytes"));
  CHECK(refused({"x", {pattern(kMaxControlMessage)}}, "bytes"));
  const auto most = static_cast<std::size_t>(kMaxControlFrames);
  CHECK(refused({"x", std::vector<Slice>(most, pattern(1))}, "frames"));

  pair.client->send(pair.conn, {std::string(full, 'x'), {}});
  pair.client->send(pair.conn, {"x", {pattern(kMaxControlMessage - 1)}});
  pair.client->send(pair.conn, {"x", std::vector<Slice>(most - 1, pattern(1))});
  REQUIRE(pair.at_server.wait_heard(3));
  const auto heard = pair.at_server.heard();
  CHECK(heard[0].frames.head.size() == full);
  CHECK(heard[1].frames.bytes() == kMaxControlMessage);
  CHECK(heard[2].frames.payload.size() == most - 1);
}

TEST_CASE_TEMPLATE("Control: sends from within on_frames() make a ping-pong", F, FABRICS) {
  Pair<F> pair;
  const auto answer = [](ControlEndpoint& endpoint) {
    return [&endpoint](const Heard& heard) {
      const int count = std::stoi(heard.frames.head);
      if (count < 500) endpoint.send(heard.conn, text_frames(std::to_string(count + 1)));
    };
  };
  pair.at_server.on_message = answer(*pair.server);
  pair.at_client.on_message = answer(*pair.client);
  pair.start();
  pair.client->send(pair.conn, text_frames("1"));
  REQUIRE(pair.at_client.wait_heard(250));
  CHECK(pair.at_client.heard().back().frames.head == "500");
  CHECK(pair.at_server.heard().size() == 250);
}

TEST_CASE_TEMPLATE("Control: an exception in on_frames() ends that connection only", F, FABRICS) {
  Pair<F> pair;
  pair.at_server.on_message = [](const Heard& heard) {
    if (heard.frames.head == "bad") throw Error(Code::kInvalid, "a bad message");
  };
  pair.start();
  const ConnId other = pair.client->connect("bob", pair.server->endpoint(), pair.fabric.key());
  pair.client->send(pair.conn, text_frames("bad"));
  REQUIRE(pair.at_client.wait_gone(pair.conn));
  pair.client->send(other, text_frames("good"));
  REQUIRE(pair.at_server.wait_heard(1));
  CHECK(pair.at_server.heard()[0].frames.head == "good");
  REQUIRE(pair.at_server.wait_any_gone());
  CHECK(pair.at_server.gone_count() == 1);
}

TEST_CASE_TEMPLATE("Control: wake() makes a tick soon, and ticks come anyway", F, FABRICS) {
  Pair<F> pair;
  pair.start();
  CHECK(pair.at_client.wait_ticks(3));
  CHECK(pair.at_server.wait_ticks(3));
  pair.client->wake();
  CHECK(pair.at_client.wait_ticks(1));
}

TEST_CASE_TEMPLATE("Control: no callback runs once an endpoint is destroyed", F, FABRICS) {
  Pair<F> pair;
  std::atomic<bool> destroyed{false};
  std::atomic<int> late{0};
  pair.at_server.on_message = [&](const Heard&) {
    if (destroyed) ++late;
  };
  pair.start();
  std::atomic<bool> enough{false};
  std::thread sender([&] {
    while (!enough) pair.client->send(pair.conn, text_frames("work"));
  });
  const bool heard = pair.at_server.wait_heard(100);
  pair.server.reset();
  destroyed = true;
  const bool gone = pair.at_client.wait_gone(pair.conn);
  enough = true;
  sender.join();
  CHECK(heard);
  CHECK(gone);
  CHECK(late == 0);
  CHECK(pair.at_server.violations() == 0);
}

TEST_CASE_TEMPLATE("Control: threads that send at once lose nothing and keep their order", F,
                   FABRICS) {
  Pair<F> pair;
  pair.start();
  constexpr int kEach = 2000;
  std::vector<std::thread> senders;
  for (int t = 0; t < 4; ++t) {
    senders.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        pair.client->send(pair.conn, text_frames(std::to_string(t * kEach + i)));
      }
    });
  }
  for (std::thread& sender : senders) sender.join();
  REQUIRE(pair.at_server.wait_heard(4 * kEach));
  std::vector<int> next(4, 0);
  for (const Heard& one : pair.at_server.heard()) {
    const int number = std::stoi(one.frames.head);
    REQUIRE(number % kEach == next[static_cast<std::size_t>(number / kEach)]++);
  }
}
