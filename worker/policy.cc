#include "worker/policy.h"

#include <algorithm>
#include <ctime>

#include "protocol/error.h"

namespace curia {

namespace {

// "bob", or "be shared among alice, bob, carol by replicated3".
std::string whereto(const std::string& recipient, const std::set<std::string>& members,
                    const std::string& protocol) {
  if (members.empty()) return recipient;
  std::string list;
  for (const std::string& member : members) list += (list.empty() ? "" : ", ") + member;
  return "be shared among " + list + " by " + protocol;
}

}  // namespace

std::string Grant::str() const {
  std::string text = source + " to " + whereto(to, members, protocol);
  text +=
      programs.empty() ? ", any program" : ", " + std::to_string(programs.size()) + " program(s)";
  for (const std::string& release : releases) text += ", " + release;
  return text;
}

std::string refusal(const std::vector<Grant>& grants, const std::string& party,
                    const ReleaseQuestion& question, std::chrono::system_clock::time_point now) {
  const std::string what = party + "/" + question.source + " to " +
                           whereto(question.recipient, question.members, question.protocol);
  std::string nearest = "has no grant of " + what;
  for (const Grant& grant : grants) {
    if (grant.source != question.source || grant.to != question.recipient ||
        grant.members != question.members || grant.protocol != question.protocol) {
      continue;
    }
    if (grant.until && now >= *grant.until) {
      nearest = "has a grant of " + what + ", but it has expired";
      continue;
    }
    if (!grant.releases.empty() && !grant.releases.contains(question.release)) {
      nearest = "grants " + what + ", but not as \"" + question.release + "\"";
      continue;
    }
    if (!grant.programs.empty()) {
      const auto strange = std::find_if(
          question.programs.begin(), question.programs.end(),
          [&grant](const Digest& program) { return !grant.programs.contains(program); });
      if (strange != question.programs.end()) {
        nearest = "grants " + what + ", but not through program " + strange->hex();
        continue;
      }
    }
    return "";
  }
  return party + " " + nearest + "; its owner can add one to the worker's configuration";
}

std::chrono::system_clock::time_point parse_time(const std::string& text) {
  std::tm parts{};
  const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (end == nullptr || *end != '\0') {
    throw Error(Code::kInvalid, "expected a time such as 2027-01-31T00:00:00Z");
  }
  // The clock counts nanoseconds, and ends in 2262.
  using Clock = std::chrono::system_clock;
  const std::time_t time = timegm(&parts);
  if (time >= Clock::to_time_t(Clock::time_point::max())) return Clock::time_point::max();
  if (time <= Clock::to_time_t(Clock::time_point::min())) return Clock::time_point::min();
  return Clock::from_time_t(time);
}

}  // namespace curia
