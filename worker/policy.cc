#include "worker/policy.h"

#include <algorithm>
#include <ctime>

#include "protocol/error.h"

namespace curia {

std::string Grant::str() const {
  std::string text = source + " to " + to;
  text +=
      programs.empty() ? ", any program" : ", " + std::to_string(programs.size()) + " program(s)";
  for (const std::string& release : releases) text += ", " + release;
  return text;
}

std::string refusal(const std::vector<Grant>& grants, const std::string& party,
                    const ReleaseQuestion& question, std::chrono::system_clock::time_point now) {
  const std::string source = party + "/" + question.source;
  std::string nearest = "has no grant of " + source + " to " + question.recipient;
  for (const Grant& grant : grants) {
    if (grant.source != question.source || grant.to != question.recipient) continue;
    if (grant.until && now >= *grant.until) {
      nearest = "has a grant of " + source + " to " + question.recipient + ", but it has expired";
      continue;
    }
    if (!grant.releases.empty() && !grant.releases.contains(question.release)) {
      nearest = "grants " + source + " to " + question.recipient + ", but not as \"" +
                question.release + "\"";
      continue;
    }
    if (!grant.programs.empty()) {
      const auto strange = std::find_if(
          question.programs.begin(), question.programs.end(),
          [&grant](const Digest& program) { return !grant.programs.contains(program); });
      if (strange != question.programs.end()) {
        nearest = "grants " + source + " to " + question.recipient + ", but not through program " +
                  strange->hex();
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
