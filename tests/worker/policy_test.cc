#include "worker/policy.h"

#include <doctest/doctest.h>

#include "protocol/error.h"
#include "worker/consent.h"

using namespace curia;

namespace {

using Time = std::chrono::system_clock::time_point;

const Time kNow = parse_time("2026-06-01T12:00:00Z");
const Digest kMean = sha256({});
const Digest kOther = random_digest();

std::string refusal(const std::vector<Grant>& grants, const std::string& party,
                    const ReleaseQuestion& question, Time now) {
  Policy policy;
  policy.grants = grants;
  return decide(policy, party, question, now, {[](const Grant&) { return true; }, {}, {}}).refused;
}

bool allowed(const std::vector<Grant>& grants, const ReleaseQuestion& question, Time now = kNow) {
  return refusal(grants, "alice", question, now).empty();
}

ReleaseQuestion question() { return {"x", {kMean}, "dora", "total"}; }

}  // namespace

TEST_CASE("Policy: without a grant nothing leaves, and the reason says what is missing") {
  CHECK(refusal({}, "alice", question(), kNow).find("alice has no grant of alice/x to dora") !=
        std::string::npos);
  CHECK_FALSE(allowed({{.source = "y", .to = "dora"}, {.source = "x", .to = "bob"}}, question()));
  CHECK_FALSE(allowed({{.source = "", .to = "dora"}, {.source = "x", .to = ""}}, question()));
  CHECK(allowed({{.source = "y", .to = "dora"}, {.source = "x", .to = "dora"}}, question()));
}

TEST_CASE("Policy: a grant for programs covers data only if it went through no other program") {
  const std::vector<Grant> grants = {{.source = "x", .to = "dora", .programs = {kMean}}};
  CHECK(allowed(grants, question()));
  ReleaseQuestion mixed = question();
  mixed.programs.insert(kOther);
  CHECK_FALSE(allowed(grants, mixed));
  mixed.programs = {kOther};
  CHECK_FALSE(allowed(grants, mixed));
  CHECK(refusal(grants, "alice", mixed, kNow).find(kOther.hex()) != std::string::npos);
  // Two grants that each cover a part cover nothing together.
  const Grant second{.source = "x", .to = "dora", .programs = {kOther}};
  mixed.programs = {kMean, kOther};
  CHECK_FALSE(allowed({grants[0], second}, mixed));
}

TEST_CASE("Policy: the longest refusal, of names as long as they may be, is told whole") {
  const auto name = [](char first) { return std::string(kMaxNameBytes, first); };
  Approval approval;
  approval.driver = "dora";
  approval.times = kMaxApprovalTimes;
  approval.until = kNow + std::chrono::hours(1);
  ReleaseQuestion long_one{name('x'), {kMean}, "", name('o'), {name('a'), name('b'), name('c')}};
  long_one.protocol = kReplicated3;
  long_one.driver = "dora";
  approval.releases.push_back({.pattern = long_one.lineage.pattern,
                               .members = long_one.members,
                               .protocol = long_one.protocol,
                               .sources = {long_one.source}});
  Policy policy;
  policy.devices = {{long_one.members, long_one.protocol}};
  policy.approvals.push_back(approval);
  policy.index();
  const auto none_left = [](const Approval&, const std::vector<std::uint32_t>&) { return false; };
  const std::string reason = decide(policy, name('p'), long_one, kNow, {{}, none_left, {}}).refused;
  INFO(reason);
  CHECK(reason.find("none is left") != std::string::npos);
  CHECK(std::ssize(reason) < kMaxConsentReason);
  CHECK(std::ssize(reason) > kMaxConsentReason / 2);
}

TEST_CASE("Policy: a grant for outputs covers those names only") {
  const std::vector<Grant> grants = {{.source = "x", .to = "dora", .releases = {"total", "mean"}}};
  CHECK(allowed(grants, question()));
  ReleaseQuestion other = question();
  for (const char* name : {"", "Total", "total ", "rows"}) {
    other.release = name;
    CHECK_FALSE(allowed(grants, other));
  }
}

TEST_CASE("Policy: a grant ends at its moment, and a later one still counts") {
  const Grant until{.source = "x", .to = "dora", .until = kNow};
  CHECK_FALSE(allowed({until}, question()));
  CHECK(allowed({until}, question(), kNow - std::chrono::seconds(1)));
  CHECK(refusal({until}, "alice", question(), kNow).find("expired") != std::string::npos);
  CHECK(allowed({until, {.source = "x", .to = "dora"}}, question()));
}

TEST_CASE("Policy: times are read in one form, also those beyond the clock's end") {
  CHECK(parse_time("1970-01-01T00:00:10Z").time_since_epoch() == std::chrono::seconds(10));
  CHECK(parse_time("9999-12-31T00:00:00Z") > kNow);
  CHECK(parse_time("0001-01-01T00:00:00Z") < kNow);
  for (const char* text : {"", "2027-01-31", "2027-01-31T00:00:00", "2027-01-31T00:00:00Zx",
                           "2027-13-31T00:00:00Z", "tomorrow"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_time(text), Error);
  }
}
