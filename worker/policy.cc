#include "worker/policy.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "protocol/error.h"

namespace curia {

namespace {

// Why this grant does not cover it; "" where it does.
std::string shortfall(const Grant& grant, const std::string& what, const ReleaseQuestion& question,
                      std::chrono::system_clock::time_point now) {
  if (grant.until && now >= *grant.until) return "has a grant of " + what + ", but it has expired";
  if (!grant.releases.empty() && !grant.releases.contains(question.release)) {
    return "grants " + what + ", but not as \"" + question.release + "\"";
  }
  if (grant.programs.empty()) return "";
  const auto strange =
      std::find_if(question.programs.begin(), question.programs.end(),
                   [&grant](const Digest& program) { return !grant.programs.contains(program); });
  if (strange == question.programs.end()) return "";
  return "grants " + what + ", but not through program " + strange->hex();
}

}  // namespace

std::string whereto(const std::string& recipient, const std::set<std::string>& members,
                    const std::string& protocol) {
  if (members.empty()) return recipient;
  std::string list;
  for (const std::string& member : members) list += (list.empty() ? "" : ", ") + member;
  return "be shared among " + list + " by " + protocol;
}

std::string Grant::str() const {
  std::string text = source + " to " + whereto(to, members, protocol);
  text +=
      programs.empty() ? ", any program" : ", " + std::to_string(programs.size()) + " program(s)";
  for (const std::string& release : releases) text += ", " + release;
  if (times != 0) text += ", " + std::to_string(times) + " time(s)";
  if (until) text += ", until " + time_text(*until);
  return text;
}

Digest Grant::id() const {
  Hasher hasher("curia grant 1");
  hasher.add(name);
  hasher.add(source);
  hasher.add(to);
  hasher.add(protocol);
  for (const auto* list : {&members, &releases}) {
    hasher.add(list->size());
    for (const std::string& item : *list) hasher.add(item);
  }
  for (const Digest& program : programs) hasher.add(program);
  return hasher.finish();
}

bool Policy::accepts(const std::set<std::string>& members, const std::string& protocol) const {
  return !devices ||
         std::ranges::find(*devices, AcceptedDevice{members, protocol}) != devices->end();
}

Decision decide(const Policy& policy, const std::string& party, const ReleaseQuestion& question,
                std::chrono::system_clock::time_point now,
                const std::function<bool(const Grant&)>& take) {
  const std::string to = whereto(question.recipient, question.members, question.protocol);
  const std::string what = party + "/" + question.source + " to " + to;
  if (!question.members.empty() && !policy.accepts(question.members, question.protocol)) {
    return {nullptr, party + " accepts no device to " + to +
                         "; its owner can add one to \"devices\" in the worker's policy"};
  }
  std::string nearest = "has no grant of " + what;
  for (const bool counted : {false, true}) {
    for (const Grant& grant : policy.grants) {
      if ((grant.times != 0) != counted || grant.source != question.source ||
          grant.to != question.recipient || grant.members != question.members ||
          grant.protocol != question.protocol) {
        continue;
      }
      if (std::string why = shortfall(grant, what, question, now); !why.empty()) {
        nearest = std::move(why);
      } else if (counted && !take(grant)) {
        nearest =
            "granted " + what + " " + std::to_string(grant.times) + " time(s), and all are used";
      } else {
        return {&grant, ""};
      }
    }
  }
  return {nullptr, party + " " + nearest + "; its owner can add one to the worker's configuration"};
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

std::string time_text(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &parts));
  return text.data();
}

}  // namespace curia
