// How often a grant was used: over restarts, crashes, and questions of several parties.
#include "worker/grant_uses.h"

#include <doctest/doctest.h>

#include "tests/worker/audit_rig.h"

using namespace curia;

TEST_CASE("Grant uses: a count is kept over restarts, and what a crash left unanswered is used") {
  auto disk = std::make_shared<TestDisk>();
  {
    TestOwner alice(disk, counted(3));
    CHECK(alice.ask(1) == "");
  }
  std::string crashed;
  AuditMark mark;
  {
    TestOwner alice(disk, counted(3));
    CHECK(alice.parts.uses.used(counted(3)[0].id()) == 1);
    mark = disk->mark();
    const int begun = disk->syncs;
    disk->hold();
    auto answer = alice.begin(2);
    disk->wait_for_syncs(begun + 1);
    crashed = disk->bytes();  // written, but nobody got an answer
    disk->release();
    answer.get();
  }
  auto left = std::make_shared<TestDisk>(crashed, mark);
  TestOwner alice(left, counted(3));
  CHECK(alice.ask(3) == "");
  const std::string refused = alice.ask(4);
  CHECK(contains(refused, "granted alice/x to dora 3 time(s), and all are used"));
  // An owner may grant more; what was used stays used.
  Policy more;
  more.grants = counted(4);
  alice.parts.policy.set(more);
  CHECK(alice.ask(5) == "");
  CHECK_FALSE(alice.ask(6).empty());
  more.grants[0].name = "second";
  alice.parts.policy.set(more);
  CHECK(alice.ask(7) == "");
  // One without a count comes first.
  more.grants.push_back({.source = "x", .to = "dora"});
  alice.parts.policy.set(more);
  CHECK(alice.ask(8) == "");
  CHECK(alice.parts.uses.used(more.grants[0].id()) == 1);
}

TEST_CASE("Grant uses: a request of which one part is refused uses nothing, and gets nothing") {
  TestOwner alice(std::make_shared<TestDisk>(), counted(1));
  const ConsentReply reply = alice.begin(1, "bob", {"x", "y"}).get();
  CHECK(reply.allowed == std::vector<std::uint8_t>{0, 0});
  CHECK(alice.ask(2) == "");
  CHECK_FALSE(alice.ask(3).empty());
}
