#include "protocol/approval.h"

#include <doctest/doctest.h>

#include <functional>

#include "protocol/error.h"

using namespace curia;

namespace {

const SigningKey kKey = SigningKey::generate();

Approval approval() {
  Approval approval;
  approval.owner = "alice";
  approval.driver = "dora";
  approval.times = 3;
  approval.until = parse_time("2030-01-01T00:00:00Z");
  approval.releases = {
      {random_digest(), "bob", {}, "", {"x"}, "a sum"},
      {random_digest(), "", {"alice", "bob", "carol"}, "replicated3", {"x", "y"}, "shares"}};
  approval.nonce = random_digest();
  sign(approval, kKey);
  return approval;
}

std::string refusal(const std::string& json) {
  try {
    approval_from_json(json, "a.json");
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

}  // namespace

TEST_CASE("Approval: comes back from its JSON, and its signature is good") {
  const Approval given = approval();
  const Approval back = approval_from_json(approval_json(given), "a.json");
  CHECK(back == given);
  CHECK(back.good());
}

TEST_CASE("Approval: whatever is changed in it, the signature is no good any more") {
  const std::vector<std::function<void(Approval&)>> changes = {
      [](Approval& a) { a.owner = "bob"; },
      [](Approval& a) { a.driver = "eve"; },
      [](Approval& a) { ++a.times; },
      [](Approval& a) { a.until += std::chrono::seconds(1); },
      [](Approval& a) { a.nonce = random_digest(); },
      [](Approval& a) { a.releases.pop_back(); },
      [](Approval& a) { a.releases.push_back(a.releases[0]); },
      [](Approval& a) { std::swap(a.releases[0], a.releases[1]); },
      [](Approval& a) { a.releases[0].pattern = random_digest(); },
      [](Approval& a) { a.releases[0].to = "eve"; },
      [](Approval& a) {
        a.releases[0].sources = {"x", "y"};
      },
      [](Approval& a) { a.releases[0].what = "a mean"; },
      [](Approval& a) { a.releases[1].members.insert("eve"); },
      [](Approval& a) { a.releases[1].protocol = "other"; },
      [](Approval& a) { a.releases[1].sources = {"x"}; },
      // From one set into the next.
      [](Approval& a) { a.releases[1].members.erase("carol"), a.releases[1].sources = {"carol"}; },
      [](Approval& a) { a.key = SigningKey::generate().public_key(); },
      [](Approval& a) { a.signature[63] ^= 1; },
  };
  for (const auto& change : changes) {
    Approval changed = approval();
    change(changed);
    CHECK_FALSE(changed.good());
  }
}

TEST_CASE("Approval: JSON that is none is refused with the field's name") {
  const std::string good = approval_json(approval());
  const auto with = [&good](const std::string& from, const std::string& to) {
    std::string text = good;
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    return refusal(text.replace(at, from.size(), to));
  };
  const std::pair<std::string, std::string> wanted[] = {
      {with("\"curia_approval\": 1", "\"curia_approval\": 2"), "curia_approval"},
      {with("\"times\": 3", "\"times\": 0"), "times"},
      {with("\"times\": 3", "\"times\": 1000001"), "times"},
      {with("2030-01-01T", "2030-01-01 "), "until"},
      {with("\"pattern\": \"", "\"pattern\": \"z"), "pattern"},
      {with("\"nonce\": \"", "\"nonce\": \"z"), "nonce"},
      {with("\"signature\": \"", "\"signature\": \"z"), "signature"},
      {with("\"owner\"", "\"ower\""), "owner"},
      {with("\"to\": \"bob\",", "\"to\": \"bob\", \"too\": 1,"), "too"},
      {with("\"carol\"", "\"bob\""), "share_among"},
      {with("\"carol\"", "\"b b\""), "share_among"},
  };
  for (const auto& [found, field] : wanted) {
    INFO(found);
    CHECK(found.find("a.json") == 0);
    CHECK(found.find(field) != std::string::npos);
  }
  CHECK(refusal("[]") == "a.json: expected an object {...}");
  CHECK(refusal(std::string(10'000, '[')) == "a.json: nested deeper than 32");
  CHECK(refusal(std::string(static_cast<std::size_t>(kMaxApprovalBytes) + 1, ' '))
            .find("at most 16 MiB") != std::string::npos);
}
