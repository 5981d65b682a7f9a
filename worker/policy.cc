#include "worker/policy.h"

#include <algorithm>

#include "protocol/error.h"
#include "protocol/interval.h"
#include "protocol/list_text.h"

namespace curia {

namespace {

// Why this grant does not cover it; "" where it does.
std::string shortfall(const Grant& grant, const std::string& what, const ReleaseQuestion& question,
                      UtcTime now) {
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

// Why the releases of an approval that name a value do not cover it; "" where `items` do.
std::string shortfall(const Approval& approval, const std::string& what,
                      const ReleaseQuestion& question, UtcTime now,
                      std::vector<std::uint32_t>& items) {
  const std::string approved = "approved this value of \"" + question.release + "\"";
  std::erase_if(items, [&](std::uint32_t item) {
    const ApprovedRelease& release = approval.releases[item];
    return release.to != question.recipient || release.members != question.members ||
           release.protocol != question.protocol || !release.sources.contains(question.source);
  });
  if (items.empty()) return approved + ", but not " + what;
  if (now >= approval.until) return approved + ", but that has expired";
  return "";
}

const Approval* find_approval(const Policy& policy, const std::string& what,
                              const ReleaseQuestion& question, UtcTime now, const TakeUse& take,
                              std::string& nearest) {
  // Without this the pattern does not say what the value is.
  if (!question.lineage.bound) return nullptr;
  for (const auto& [number, items] : policy.approved(question.lineage.pattern)) {
    const Approval& approval = policy.approvals[number];
    // What another driver may do is not this one's to know.
    if (approval.driver != question.driver) continue;
    std::vector<std::uint32_t> covering = items;
    if (std::string why = shortfall(approval, what, question, now, covering); !why.empty()) {
      nearest = std::move(why);
    } else if (!take.approval(approval, covering)) {
      nearest = "approved " + what + " as \"" + question.release + "\" " +
                std::to_string(approval.times) +
                " time(s), each in one session with its own random numbers, and none is left";
    } else {
      return &approval;
    }
  }
  return nullptr;
}

// The rules for all who would learn it; of a share that is each member, as if it were plain. Empty
// where one is missing.
std::vector<Rule> find_rules(const Policy& policy, const std::string& party,
                             const ReleaseQuestion& question) {
  std::set<std::string> learn = question.members;
  if (learn.empty()) learn.insert(question.recipient);
  std::vector<Rule> rules;
  for (const std::string& to : learn) {
    if (to == party) continue;
    const Rule* rule = policy.rule(question.source, to);
    if (rule == nullptr) return {};
    rules.push_back(*rule);
  }
  return rules;
}

// Takes the budget of rules. `nearest`: what is missing, where there are rules.
std::vector<Rule> take_rules(const Policy& policy, const std::string& party,
                             const std::string& what, const ReleaseQuestion& question,
                             const TakeUse& take, std::string& nearest) {
  std::vector<Rule> rules = find_rules(policy, party, question);
  if (rules.empty()) return rules;
  if (question.charges.empty()) {
    nearest = "lets out " + what + " with differential privacy only, and \"" + question.release +
              "\" depends on rows without a dp_ op between";
    return {};
  }
  if (const std::string missing = take.rules(rules); !missing.empty()) {
    nearest = missing;
    return {};
  }
  return rules;
}

}  // namespace

std::string Rule::str() const {
  return source + " to " + to + ", epsilon " + number_text(epsilon) + ", delta " +
         number_text(delta);
}

std::string whereto(const std::string& recipient, const std::set<std::string>& members,
                    const std::string& protocol) {
  if (members.empty()) return recipient;
  return "be shared among " + list_text(members) + " by " + protocol;
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

const Rule* Policy::rule(const std::string& source, const std::string& to) const {
  const auto found = std::ranges::find_if(
      rules, [&](const Rule& rule) { return rule.source == source && rule.to == to; });
  return found == rules.end() ? nullptr : &*found;
}

void Policy::index() {
  by_pattern_.clear();
  for (std::size_t i = 0; i < approvals.size(); ++i) {
    for (std::uint32_t item = 0; item < approvals[i].releases.size(); ++item) {
      by_pattern_[approvals[i].releases[item].pattern][i].push_back(item);
    }
  }
}

const Policy::Approved& Policy::approved(const Digest& pattern) const {
  static const Approved none;
  const auto found = by_pattern_.find(pattern);
  return found == by_pattern_.end() ? none : found->second;
}

Decision decide(const Policy& policy, const std::string& party, const ReleaseQuestion& question,
                UtcTime now, const TakeUse& take) {
  const std::string to = whereto(question.recipient, question.members, question.protocol);
  const std::string what = party + "/" + question.source + " to " + to;
  if (!question.members.empty() && !policy.accepts(question.members, question.protocol)) {
    return {nullptr,
            nullptr,
            {},
            party + " accepts no device to " + to +
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
      } else if (counted && !take.grant(grant)) {
        nearest =
            "granted " + what + " " + std::to_string(grant.times) + " time(s), and all are used";
      } else {
        return {&grant, nullptr, {}, ""};
      }
    }
    if (counted) break;
    if (const Approval* given = find_approval(policy, what, question, now, take, nearest)) {
      return {nullptr, given, {}, ""};
    }
    if (auto rules = take_rules(policy, party, what, question, take, nearest); !rules.empty()) {
      return {nullptr, nullptr, std::move(rules), ""};
    }
  }
  return {
      nullptr,
      nullptr,
      {},
      party + " " + nearest +
          "; its owner can grant it in the worker's policy, or approve it (curia plan --release)"};
}

}  // namespace curia
