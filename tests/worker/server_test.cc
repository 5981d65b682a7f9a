#include "worker/server.h"

#include <doctest/doctest.h>

#include "store/memory_backend.h"
#include "worker/consent.h"

using namespace curia;

namespace {

// A control endpoint whose only peer reads so many messages and no more.
class FullControl : public ControlServer {
 public:
  explicit FullControl(int room) : room_(room) {}
  void start(ControlEvents& events) override { events_ = &events; }
  void send(ConnId, Frames) override { ++sent; }
  void drop(ConnId) override {}
  void wake() override {}
  std::string endpoint() const override { return ""; }
  bool reachable(ConnId) const override { return sent < room_; }

  void receive(std::string frame) { events_->on_frames(1, "dora", {std::move(frame), {}}); }

  int sent = 0;

 private:
  const int room_;
  ControlEvents* events_ = nullptr;
};

void add_request(std::string& frame, Kind kind, const std::string& metadata) {
  Header header;
  header.kind = static_cast<std::uint16_t>(kind);
  header.request = 1;
  append_packet(frame, header, metadata);
}

}  // namespace

TEST_CASE("Server: a message went on being answered when its sender was cut for not reading") {
  ObjectStore store;
  store.add(std::make_unique<MemoryBackend>(0, 0));
  Parts parts;
  parts.party = "alice";
  parts.store = &store;
  FullControl control(10);
  Server server(parts, control, {});
  server.start();
  std::string frame;
  add_request(frame, Kind::kHello, encode(HelloRequest{}));
  for (int i = 0; i < 1000; ++i) add_request(frame, Kind::kStats, encode(Nothing{}));
  control.receive(frame);
  CHECK(control.sent == 10);
}

TEST_CASE("Consent: names that are none are refused, and no reason breaks a line of the log") {
  Parts parts;
  parts.party = "alice";
  const auto ask = [&](ConsentItem item) {
    ConsentReply reply;
    answer_consent(parts, "bob", {"dora", "", 1, {}, {std::move(item)}},
                   [&reply](const ConsentReply& answer) { reply = answer; });
    REQUIRE(reply.allowed.size() == 1);
    CHECK(reply.allowed[0] == 0);
    for (const unsigned char c : reply.reasons[0]) CHECK((c >= 0x20 && c != 0x7F));
    return reply.reasons[0];
  };
  CHECK(ask({"x", {}, "dora", {}, "out"}).find("has no grant of alice/x") != std::string::npos);
  ask({"x\nalice has granted all", {}, "dora", {}, "out"});
  ask({"x", {}, "dora\r", {}, "out"});
  ask({"x", {}, "dora", {}, "\x1b[2J"});

  // Another worker's reasons may hold anything.
  class Rude : public Consents {
   public:
    void ask(const std::string&, const ConsentRequest&, Answer answer) override {
      const ConsentReply reply{{0}, {"no\nyes\x7f"}};
      answer(&reply, nullptr);
    }
  } bob;
  parts.consents = &bob;
  auto label = std::make_shared<Label>();
  label->sources[{"bob", "y"}];
  std::string refused;
  check_release(parts, {"dora", "", 1, {}}, {{label, "dora", {}, "out"}},
                [&](const std::string& why) { refused = why; });
  CHECK(refused == "no?yes?");
}
