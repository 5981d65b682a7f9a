// How far approvals were used: executions, sessions, instances, restarts; and the files they are
// read from.
#include "worker/approval_uses.h"

#include <doctest/doctest.h>

#include <fstream>

#include "tests/support/digests.h"
#include "tests/support/temporary_folder.h"
#include "tests/worker/audit_rig.h"
#include "worker/approvals.h"

using namespace curia;

namespace {

ApprovalUse use(std::uint8_t release, const std::string& session = "s1",
                std::map<Digest, Digest> draws = {}, const std::string& asker = "alice") {
  return {filled(1), filled(release), asker, "x", session, std::move(draws)};
}

bool take(ApprovalUses& uses, ApprovalUse wanted, std::uint32_t item, std::int64_t most = 1) {
  return uses.reserve(wanted, {item}, most);
}

const Lineage kSum =
    RunLineage(filled(7), {dataset_lineage("alice", "x", filled(8))}, nullptr).output(0);

Approval approval_of_sum(const SigningKey& key, std::int64_t times = 1) {
  Approval approval;
  approval.owner = "alice";
  approval.driver = "dora";
  approval.times = times;
  approval.until = parse_time("2200-01-01T00:00:00Z");
  approval.releases = {{kSum.pattern, "dora", {}, "", {"x"}, "the sum"}};
  sign(approval, key);
  return approval;
}

ConsentRequest question(std::uint64_t task, const std::string& session = "00ff") {
  ConsentRequest request{"dora", session, task, {}, {}};
  request.items.push_back({"x", {}, "dora", {}, "out", kNoOp, "", {}, kSum});
  return request;
}

// Alice's worker with that approval and nothing else.
struct Approving : TestOwner {
  explicit Approving(DiskPtr given, std::int64_t times = 1) : TestOwner(std::move(given), {}) {
    Policy policy;
    policy.approvals = {approval_of_sum(kKey, times)};
    policy.index();
    parts.policy.set(std::move(policy));
  }
  // "" for yes, else the reason.
  std::string asked(const ConsentRequest& request, const std::string& asker = "alice") {
    std::promise<ConsentReply> answer;
    answer_consent(parts, asker, request,
                   [&answer](const ConsentReply& reply) { answer.set_value(reply); });
    const ConsentReply reply = answer.get_future().get();
    return reply.allowed[0] == 1 ? "" : reply.reasons[0];
  }
};

}  // namespace

TEST_CASE("Approval uses: an execution has each release once, and several askers for it") {
  ApprovalUses uses;
  CHECK(take(uses, use(1), 0));
  CHECK(take(uses, use(2), 1));
  CHECK_FALSE(take(uses, use(3), 0));
  CHECK_FALSE(take(uses, use(1), 0));  // the same party again is another release
  CHECK(take(uses, use(1, "s1", {}, "bob"), 0));
  CHECK_FALSE(take(uses, use(1, "s1", {}, "bob"), 0));
  ApprovalUse of_y = use(1);
  of_y.source = "y";  // which the same value derives from
  CHECK(take(uses, of_y, 0));
  CHECK_FALSE(take(uses, of_y, 0));
  CHECK(uses.used(filled(1)) == 1);
  // Another execution where there is one.
  CHECK(take(uses, use(3), 0, 2));
  CHECK(uses.used(filled(1)) == 2);
  CHECK_FALSE(take(uses, use(4), 0, 2));
  CHECK(take(uses, use(4), 1, 2));
}

TEST_CASE("Approval uses: an execution belongs to one session") {
  ApprovalUses uses;
  CHECK(take(uses, use(1, "s1"), 0));
  CHECK_FALSE(take(uses, use(2, "s2"), 1));
  CHECK(take(uses, use(2, "s2"), 1, 2));
  CHECK(take(uses, use(3, "s1"), 1, 2));
}

TEST_CASE("Approval uses: a variable is bound to one instance in an execution") {
  ApprovalUses uses;
  const std::map<Digest, Digest> first = {{filled(10), filled(11)}};
  const std::map<Digest, Digest> second = {{filled(10), filled(12)}};
  CHECK(take(uses, use(1, "s1", first), 0));
  CHECK_FALSE(take(uses, use(2, "s1", second), 1));
  CHECK(take(uses, use(2, "s1", {{filled(20), filled(12)}}), 2));
  CHECK(take(uses, use(2, "s1", first), 1));
}

TEST_CASE("Approval uses: equal releases are taken one after the other") {
  ApprovalUses uses;
  ApprovalUse first = use(1);
  ApprovalUse second = use(2);
  ApprovalUse third = use(3);
  CHECK(uses.reserve(first, {0, 1}, 1));
  CHECK(uses.left(second, {0, 1}, 1));
  CHECK(uses.reserve(second, {0, 1}, 1));
  CHECK(first.item != second.item);
  CHECK_FALSE(uses.left(third, {0, 1}, 1));
  CHECK_FALSE(uses.reserve(third, {0, 1}, 1));
}

TEST_CASE("Approval uses: what was undone is left, and takes its bindings along") {
  ApprovalUses uses;
  ApprovalUse taken = use(1, "s1", {{filled(10), filled(11)}});
  CHECK(uses.reserve(taken, {0}, 1));
  uses.undo(taken);
  CHECK(uses.used(filled(1)) == 0);
  CHECK(take(uses, use(2, "s2", {{filled(10), filled(12)}}), 0));
  uses.undo(use(9));  // never taken
  CHECK(uses.used(filled(1)) == 1);
}

TEST_CASE("Approval uses: come back from the records of consents, and malformed ones are none") {
  ApprovalUse taken = use(1, "00ff", {{filled(10), filled(11)}, {filled(12), filled(13)}}, "bob");
  taken.item = 4;
  taken.execution = 2;
  AuditRecord record;
  record.kind = AuditKind::kConsent;
  record.session = "00ff";
  record.fields = {{"asked_by", "bob"}, {"source", "x"}};
  taken.note(record);
  const auto back = ApprovalUse::read(record);
  REQUIRE(back.has_value());
  CHECK(back->item == 4);
  CHECK(back->execution == 2);
  CHECK(back->draws == taken.draws);
  CHECK(back->release == taken.release);
  CHECK(back->asker == "bob");
  CHECK(back->source == "x");
  for (const char* name : {"approval", "item", "execution", "use", "draw"}) {
    AuditRecord changed = record;
    for (AuditField& field : changed.fields) {
      if (field.name == name) field.value += "x";
    }
    INFO(name);
    CHECK_THROWS_AS(ApprovalUse::read(changed), Error);
  }
}

TEST_CASE("Approval: covers its value once, for its driver and recipient, and says why not") {
  auto disk = std::make_shared<TestDisk>();
  Approving alice(disk);
  ConsentRequest other = question(1);
  other.items[0].lineage.pattern = filled(99);
  CHECK(contains(alice.asked(other), "alice has no grant of alice/x to dora"));
  other = question(1);
  other.items[0].recipient = "bob";
  CHECK(contains(alice.asked(other), "approved this value of \"out\", but not alice/x to bob"));
  other = question(1);
  other.items[0].source = "y";
  CHECK(contains(alice.asked(other), "but not alice/y to dora"));
  other = question(1);
  other.principal = "eve";
  CHECK(contains(alice.asked(other), "alice has no grant of alice/x to dora"));
  other = question(1);
  other.items[0].lineage.bound = false;
  CHECK(contains(alice.asked(other), "has no grant"));
  other = question(1);
  other.items[0].members = {"alice", "bob", "carol"};
  other.items[0].recipient = "";
  other.items[0].protocol = "replicated3";
  CHECK_FALSE(alice.asked(other).empty());
  // None of that used it up.
  CHECK(foresee_consent(alice.parts, question(1)).allowed[0] == 1);
  CHECK(alice.asked(question(1)).empty());
  CHECK(contains(alice.asked(question(2)), "1 time(s)"));
  CHECK(foresee_consent(alice.parts, question(2)).allowed[0] == 0);
}

TEST_CASE("Approval: the programs on the way do not matter, its lineage says it all") {
  Approving alice(std::make_shared<TestDisk>());
  ConsentRequest request = question(1);
  request.items[0].programs = {filled(50), filled(51)};
  request.items[0].program = filled(52);
  CHECK(alice.asked(request).empty());
}

TEST_CASE("Approval: one that has expired covers nothing") {
  Approving alice(std::make_shared<TestDisk>());
  Policy policy;
  policy.approvals = {approval_of_sum(kKey)};
  policy.approvals[0].until = parse_time("2020-01-01T00:00:00Z");
  policy.index();
  alice.parts.policy.set(std::move(policy));
  CHECK(contains(alice.asked(question(1)), "has expired"));
}

TEST_CASE("Approval: counts are kept over restarts, also of what a crash left unanswered") {
  auto disk = std::make_shared<TestDisk>();
  {
    Approving alice(disk, 3);
    CHECK(alice.asked(question(1)).empty());
    CHECK(alice.asked(question(1), "bob").empty());  // another member, the same release
  }
  std::string crashed;
  AuditMark mark;
  {
    Approving alice(disk, 3);
    const Digest id = approval_of_sum(kKey, 3).id();
    CHECK(alice.parts.approval_uses.used(id) == 1);
    mark = disk->mark();
    const int begun = disk->syncs;
    disk->hold();
    std::promise<ConsentReply> answer;
    answer_consent(alice.parts, "alice", question(2),
                   [&answer](const ConsentReply& reply) { answer.set_value(reply); });
    disk->wait_for_syncs(begun + 1);
    crashed = disk->bytes();
    disk->release();
    answer.get_future().get();
  }
  Approving alice(std::make_shared<TestDisk>(crashed, mark), 3);
  CHECK(alice.parts.approval_uses.used(approval_of_sum(kKey, 3).id()) == 2);
  CHECK(alice.asked(question(3)).empty());
  CHECK_FALSE(alice.asked(question(4)).empty());
}

TEST_CASE("Approval: nothing is used where the log cannot be written, or another item is refused") {
  auto disk = std::make_shared<TestDisk>();
  Approving alice(disk);
  ConsentRequest both = question(1);
  both.items.push_back({"y", {}, "dora", {}, "out"});
  CHECK_FALSE(alice.asked(both).empty());
  CHECK(alice.parts.approval_uses.used(approval_of_sum(kKey).id()) == 0);
  disk->faulty = true;
  CHECK(contains(alice.asked(question(2)), "audit log cannot be written"));
  CHECK(alice.parts.approval_uses.used(approval_of_sum(kKey).id()) == 0);
}

TEST_CASE("Approvals: files that are not what an approver signed for this party are refused") {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/a.json";
  const std::map<std::string, Digest> approvers = {{"ann", kKey.public_key()}};
  const auto write = [&path](const Approval& approval) {
    std::ofstream(path) << approval_json(approval);
  };
  const auto refusal = [&](const std::string& party) -> std::string {
    try {
      read_approvals(folder.path(), party, approvers);
    } catch (const Error& error) {
      return error.message();
    }
    return "";
  };
  write(approval_of_sum(kKey));
  CHECK(read_approvals(folder.path(), "alice", approvers).size() == 1);
  CHECK(contains(refusal("bob"), "this approval is of alice, not of bob"));
  write(approval_of_sum(SigningKey::generate()));
  CHECK(contains(refusal("alice"), "is none of the approvers"));
  Approval edited = approval_of_sum(kKey);
  edited.times = 1000;
  write(edited);
  CHECK(contains(refusal("alice"), "the signature does not belong to what the file says"));
  CHECK(contains(refusal("alice"), path));
  std::ofstream(path) << "{";
  CHECK(contains(refusal("alice"), "not JSON"));
  // A copy is not a second one, and other files are none of them.
  write(approval_of_sum(kKey));
  std::ofstream(folder.path() + "/b.json") << approval_json(approval_of_sum(kKey));
  std::ofstream(folder.path() + "/notes.txt") << "notes";
  CHECK(read_approvals(folder.path(), "alice", approvers).size() == 1);
  CHECK_THROWS_AS(read_approvals(folder.path() + "/none", "alice", approvers), Error);
}
