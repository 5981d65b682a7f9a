#include "protocol/link/memory_link.h"

#include <doctest/doctest.h>

#include <map>
#include <mutex>

#include "tests/link/link_contract.h"

namespace curia::test {
namespace {

class MemoryWorld : public LinkWorld {
 public:
  Link& link(const std::string& party) override {
    const std::lock_guard lock(mutex_);
    auto& link = links_[party];
    if (!link) link = network_.link(party);
    return *link;
  }

 private:
  MemoryNetwork network_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Link>> links_;
};

}  // namespace

TEST_CASE("MemoryLink: it keeps the contract of Link") {
  link_contract([] { return std::make_unique<MemoryWorld>(); });
}

TEST_CASE("MemoryLink: a message passes by reference") {
  MemoryNetwork network;
  const Slice body = pattern(1 << 20, 1);
  network.link("alice")->lane(session_id(1), "bob")->send({1, 0, 0}, {}, {body});
  const Message got =
      network.link("bob")->lane(session_id(1), "alice")->recv({1, 0, 0}, body.size, soon());
  CHECK(got.body.data == body.data);
}

TEST_CASE("MemoryLink: a lost party ends the lanes of the others, after what it had said") {
  MemoryNetwork network;
  const auto alice = network.link("alice");
  const auto bob = network.link("bob");
  alice->lane(session_id(1), "bob")->send({1, 0, 0}, {}, {Slice::copy_of("last words")});
  network.lose("alice", Error(Code::kPeerLost, "alice is gone"));
  const auto lane = bob->lane(session_id(1), "alice");
  CHECK(text(lane->recv({1, 0, 0}, 100, soon()).body) == "last words");
  CHECK(code_of([&] { lane->recv({1, 1, 0}, 100, soon()); }) == Code::kPeerLost);
  CHECK(code_of([&] { lane->send({1, 2, 0}, {}, {}); }) == Code::kPeerLost);
}

}  // namespace curia::test
