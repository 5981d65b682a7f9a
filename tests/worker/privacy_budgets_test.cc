// Rules: what a budget of differential privacy allows, over restarts, crashes and failures.
#include "worker/privacy_budgets.h"

#include <doctest/doctest.h>

#include "tests/support/digests.h"
#include "tests/worker/audit_rig.h"

using namespace curia;

namespace {

Charges cost(std::uint8_t id, double epsilon, double delta = 0) {
  return {{filled(id), {epsilon, delta}}};
}

ConsentItem item(Charges charges, const std::string& to = "dora", const std::string& source = "x") {
  ConsentItem item{source, {}, to, {}, "out"};
  item.charges = std::move(charges);
  return item;
}

// Alice's worker with budgets of x, and no grant.
struct Ruling : TestOwner {
  explicit Ruling(DiskPtr given, double epsilon = 1, double delta = 1e-6)
      : TestOwner(std::move(given), {}) {
    set(epsilon, delta);
  }
  void set(double epsilon, double delta) {
    Policy policy;
    policy.rules = {{"x", "dora", epsilon, delta}, {"x", "bob", epsilon, delta}};
    parts.policy.set(std::move(policy));
  }
  static ConsentRequest request(std::vector<ConsentItem> items) {
    ConsentRequest request{"dora", "00ff", 1, {}, {}};
    request.items = std::move(items);
    return request;
  }
  static std::string reason(const ConsentReply& reply) {
    for (const std::string& text : reply.reasons) {
      if (!text.empty()) return text;
    }
    return "";
  }
  std::future<ConsentReply> begin_with(std::vector<ConsentItem> items) {
    auto answer = std::make_shared<std::promise<ConsentReply>>();
    answer_consent(parts, "alice", request(std::move(items)),
                   [answer](const ConsentReply& reply) { answer->set_value(reply); });
    return answer->get_future();
  }
  // "" for yes, else the reason.
  std::string give(std::vector<ConsentItem> items) {
    return reason(begin_with(std::move(items)).get());
  }
  std::string foreseen(std::vector<ConsentItem> items) const {
    return reason(foresee_consent(parts, request(std::move(items))));
  }
  double spent(const std::string& to = "dora") const {
    return parts.budgets.spent("x", to).epsilon;
  }
};

}  // namespace

TEST_CASE("Rules: a budget is used up, and what is left is said") {
  Ruling alice(std::make_shared<TestDisk>());
  CHECK(alice.give({item(cost(1, 0.5))}) == "");
  CHECK(alice.give({item(cost(2, 0.25, 1e-7))}) == "");
  const std::string refused = alice.give({item(cost(3, 0.5, 1e-7))});
  CHECK(contains(refused,
                 "alice has epsilon 0.25 and delta 9e-07 left of its budget for dora to learn of "
                 "\"x\", and this costs epsilon 0.5 and delta 1e-07"));
  CHECK(alice.spent() == 0.75);
  CHECK(alice.give({item(cost(4, 0.25))}) == "");
  CHECK_FALSE(alice.give({item(cost(5, 0x1p-16))}).empty());
  // Delta is a budget of its own.
  Ruling other(std::make_shared<TestDisk>());
  CHECK(other.give({item(cost(1, 0.1, 9e-7))}) == "");
  CHECK_FALSE(other.give({item(cost(2, 0.1, 2e-7))}).empty());
  CHECK(other.give({item(cost(2, 0.1))}) == "");
}

TEST_CASE("Rules: ten times 0.1 is 1, and no more than that") {
  Ruling alice(std::make_shared<TestDisk>());
  for (std::uint8_t i = 0; i < 10; ++i) CHECK(alice.give({item(cost(i, 0.1))}) == "");
  CHECK_FALSE(alice.give({item(cost(10, 1e-4))}).empty());
}

TEST_CASE("Rules: one release is paid for once, whatever is made of it; others are not covered") {
  Ruling alice(std::make_shared<TestDisk>());
  Charges both = cost(1, 0.5);
  both.merge(cost(2, 0.5));
  CHECK(alice.give({item(cost(1, 0.5))}) == "");
  CHECK(alice.give({item(cost(1, 0.5))}) == "");
  CHECK(alice.spent() == 0.5);
  CHECK(alice.give({item(both), item(both), item(cost(2, 0.5))}) == "");
  CHECK(alice.spent() == 1);
  CHECK(contains(alice.give({item(cost(1, 0.25))}), "another cost of the same release"));
  CHECK_FALSE(alice.give({item(cost(3, 0.5))}).empty());
  // Nor is what an owner has made smaller: but nobody unlearns what was paid for.
  alice.set(0.25, 0);
  CHECK(alice.give({item(both)}) == "");
  both.merge(cost(3, 0.1));
  CHECK_FALSE(alice.give({item(both)}).empty());
}

TEST_CASE("Rules: rows are not covered, nor other sources and principals") {
  Ruling alice(std::make_shared<TestDisk>());
  CHECK(contains(alice.give({item({})}),
                 "lets out alice/x to dora with differential privacy only, and \"out\" depends on "
                 "rows without a dp_ op between"));
  CHECK(contains(alice.give({item(cost(1, 0.5), "dora", "y")}), "has no grant of alice/y to dora"));
  CHECK(contains(alice.give({item(cost(1, 0.5), "carol")}), "has no grant of alice/x to carol"));
  CHECK(alice.give({item(cost(1, 1))}) == "");
  CHECK(alice.spent("bob") == 0);
  CHECK(alice.give({item(cost(1, 1), "bob")}) == "");
  CHECK(alice.give({item(cost(2, 1), "bob")}) != "");
}

TEST_CASE("Rules: a share costs every member its budget") {
  Ruling alice(std::make_shared<TestDisk>());
  ConsentItem share = item(cost(1, 0.75), "");
  share.protocol = "replicated3";
  share.members = {"alice", "bob", "carol"};
  CHECK_FALSE(alice.give({share}).empty());  // no rule for carol
  CHECK(alice.spent("bob") == 0);
  share.members = {"alice", "bob", "dora"};
  CHECK(alice.give({share}) == "");
  CHECK(alice.spent("bob") == 0.75);
  CHECK(alice.spent("dora") == 0.75);
}

TEST_CASE("Rules: a grant of the source costs no budget, one with a count comes after the rule") {
  Ruling alice(std::make_shared<TestDisk>());
  Policy policy = *alice.parts.policy.get();
  policy.grants = counted(1);
  alice.parts.policy.set(policy);
  CHECK(alice.give({item(cost(1, 1))}) == "");
  CHECK(alice.parts.uses.used(policy.grants[0].id()) == 0);
  CHECK(alice.give({item(cost(2, 1))}) == "");
  CHECK(alice.parts.uses.used(policy.grants[0].id()) == 1);
  policy.grants = {{.source = "x", .to = "dora"}};
  alice.parts.policy.set(policy);
  CHECK(alice.give({item(cost(3, 1))}) == "");
  CHECK(alice.spent() == 1);
}

TEST_CASE("Rules: what was spent outlives restarts, and what a crash left unanswered is spent") {
  auto disk = std::make_shared<TestDisk>();
  {
    Ruling alice(disk);
    CHECK(alice.give({item(cost(1, 0.3, 1e-7)), item(cost(2, 0.1), "bob")}) == "");
  }
  std::string crashed;
  AuditMark mark;
  {
    Ruling alice(disk);
    CHECK(alice.spent() == 0.3);
    CHECK(alice.spent("bob") == 0.1);
    CHECK(alice.parts.budgets.spent("x", "dora").delta == 1e-7);
    mark = disk->mark();
    const int begun = disk->syncs;
    disk->hold();
    auto answer = alice.begin_with({item(cost(3, 0.4))});
    disk->wait_for_syncs(begun + 1);
    crashed = disk->bytes();  // written, but nobody got an answer
    disk->release();
    answer.get();
  }
  auto left = std::make_shared<TestDisk>(crashed, mark);
  Ruling alice(left);
  CHECK(alice.spent() == 0.7);
  CHECK_FALSE(alice.give({item(cost(4, 0.4))}).empty());
  CHECK(alice.give({item(cost(1, 0.3, 1e-7))}) == "");
  CHECK(good(*left));
}

TEST_CASE("Rules: what is refused, or not in the log, costs nothing") {
  auto disk = std::make_shared<TestDisk>();
  Ruling alice(disk);
  CHECK_FALSE(alice.give({item(cost(1, 0.5)), item({})}).empty());
  CHECK(alice.spent() == 0);
  disk->full = true;
  CHECK(contains(alice.give({item(cost(1, 0.5))}), "its audit log cannot be written"));
  CHECK(alice.spent() == 0);
  disk->full = false;
  CHECK(alice.give({item(cost(1, 0.5))}) == "");
  CHECK(alice.spent() == 0.5);
  alice.audit.reset();
  alice.parts.audit = nullptr;
  Ruling again(std::make_shared<TestDisk>(disk->bytes(), disk->mark()));
  CHECK(again.spent() == 0.5);
}

TEST_CASE(
    "Rules: two consents for one release at once, of which one is not written, leave it paid") {
  PrivacyBudgets budgets;
  const std::vector<Rule> rules = {{"x", "dora", 1, 0}};
  const BudgetUse use{"x", {"dora"}, cost(1, 1)};
  CHECK(budgets.reserve(use, rules) == "");
  CHECK(budgets.reserve(use, rules) == "");
  budgets.undo(use);
  CHECK(budgets.spent("x", "dora").epsilon == 1);
  budgets.undo(use);
  CHECK(budgets.spent("x", "dora").epsilon == 0);
}

TEST_CASE("Rules: what is foreseen of several releases is what they would cost together") {
  auto disk = std::make_shared<TestDisk>();
  Ruling alice(disk);
  CHECK(alice.foreseen({item(cost(1, 0.6))}) == "");
  CHECK(alice.foreseen({item(cost(1, 0.6)), item(cost(1, 0.6))}) == "");
  CHECK(contains(alice.foreseen({item(cost(1, 0.6)), item(cost(2, 0.6))}), "has epsilon 0.4 left"));
  CHECK(alice.spent() == 0);
  CHECK(count(*disk, AuditKind::kConsent) == 0);
  CHECK(alice.give({item(cost(1, 0.6))}) == "");
  CHECK(alice.foreseen({item(cost(1, 0.6)), item(cost(2, 0.4))}) == "");
}

TEST_CASE("Rules: the log says who was charged what, and under which rule") {
  auto disk = std::make_shared<TestDisk>();
  Ruling alice(disk);
  CHECK(alice.give({item(cost(7, 0.5, 1e-7), "bob")}) == "");
  bool found = false;
  for (const AuditRecord& record : records_of(*disk)) {
    if (record.kind != AuditKind::kConsent) continue;
    CHECK(record.field("answer") == "given");
    CHECK(record.field("rule") == "x");
    CHECK(record.field("charged") == "bob");
    CHECK(record.field("charge") == filled(7).hex() + " 0.5 1e-07");
    found = true;
    AuditRecord broken = record;
    for (AuditField& field : broken.fields) {
      if (field.name == "charge") field.value = filled(7).hex() + " much";
    }
    CHECK_THROWS_AS(BudgetUse::read(broken), Error);
  }
  CHECK(found);
}
