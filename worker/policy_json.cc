#include "worker/policy_json.h"

#include <nlohmann/json.hpp>

#include "protocol/error.h"
#include "protocol/interval.h"
#include "protocol/link/keys.h"
#include "protocol/type.h"
#include "worker/approvals.h"

namespace curia {
namespace {

constexpr std::int64_t kMaxTimes = 1'000'000;
constexpr double kMaxBudget = 10'000;

void read_members(Fields& fields, const PolicyContext& context, const std::string& field,
                  std::set<std::string>& members, std::string& protocol) {
  for (const std::string& member : fields.texts_or_none(field)) {
    if (member != context.party && !context.parties.contains(member)) {
      fields.fail(field, "\"" + member + "\" is not among the parties");
    }
    members.insert(member);
  }
  if (members.size() != 3) {
    fields.fail(field,
                "expected three distinct parties, such as [\"alice\", \"bob\", "
                "\"carol\"]");
  }
  protocol = fields.text_or("protocol", std::string(kReplicated3));
  if (protocol != kReplicated3) {
    fields.fail("protocol", "expected \"" + std::string(kReplicated3) + "\"");
  }
}

void read_limits(Fields& fields, Grant& grant) {
  for (const std::string& program : fields.texts_or_none("programs")) {
    grant.programs.insert(fields.checked("programs", [&] { return Digest::parse(program); }));
  }
  for (const std::string& release : fields.texts_or_none("releases")) {
    grant.releases.insert(release);
  }
  if (fields.has("until")) {
    const std::string until = fields.text("until");
    grant.until = fields.checked("until", [&] { return parse_time(until); });
  }
  if (fields.has("times")) grant.times = fields.number("times", 1, kMaxTimes);
  if (fields.has("name")) {
    grant.name = fields.text("name");
    checked_name(fields, "name", grant.name);
  }
}

Grant read_grant(Fields fields, const PolicyContext& context, const Policy& policy) {
  Grant grant;
  grant.source = fields.text("source");
  if (!context.datasets.contains(grant.source)) {
    fields.fail("source", "there is no dataset \"" + grant.source + "\" in this configuration");
  }
  if (fields.has("share_among")) {
    if (fields.has("to")) fields.fail("to", "a grant has either to or share_among");
    read_members(fields, context, "share_among", grant.members, grant.protocol);
  } else {
    grant.to = fields.text("to");
    if (!context.parties.contains(grant.to) && !policy.drivers.contains(grant.to)) {
      fields.fail("to", "\"" + grant.to + "\" is neither among parties nor among drivers");
    }
  }
  read_limits(fields, grant);
  fields.finish();
  for (const Grant& other : policy.grants) {
    if ((grant.times == 0 && other.times == 0) || other.id() != grant.id()) continue;
    fields.fail("times",
                "another grant is the same, so the two would be counted together; give "
                "one of them a \"name\"");
  }
  return grant;
}

Rule read_rule(Fields fields, const PolicyContext& context, const Policy& policy) {
  Rule rule;
  rule.source = fields.text("source");
  if (!context.datasets.contains(rule.source)) {
    fields.fail("source", "there is no dataset \"" + rule.source + "\" in this configuration");
  }
  rule.to = fields.text("to");
  if (!context.parties.contains(rule.to) && !policy.drivers.contains(rule.to)) {
    fields.fail("to", "\"" + rule.to + "\" is neither among parties nor among drivers");
  }
  if (policy.rule(rule.source, rule.to) != nullptr) {
    fields.fail("to", "another rule has the budget of \"" + rule.to + "\" for \"" + rule.source +
                          "\"; make them one");
  }
  rule.epsilon = fields.real("epsilon");
  if (!(rule.epsilon > 0 && rule.epsilon <= kMaxBudget)) {
    fields.fail("epsilon", "expected a budget above 0 and up to " + number_text(kMaxBudget) +
                               ", such as 1.0; found " + number_text(rule.epsilon));
  }
  if (fields.has("delta")) rule.delta = fields.real("delta");
  if (!(rule.delta >= 0 && rule.delta < 1)) {
    fields.fail("delta",
                "expected from 0, which allows Laplace noise only, to below 1, such as "
                "1e-6; found " +
                    number_text(rule.delta));
  }
  fields.finish();
  return rule;
}

}  // namespace

Policy read_policy(Fields& fields, const PolicyContext& context) {
  Policy policy;
  for (const auto& [name, key] : fields.pairs_or_none("drivers")) {
    checked_name(fields, "drivers." + name, name);
    if (context.parties.contains(name) || name == context.party) {
      fields.fail("drivers." + name, "this name is also a party's; give the driver its own");
    }
    policy.drivers.emplace(name, checked_key(fields, "drivers." + name, key));
  }
  if (fields.has("devices")) {
    policy.devices.emplace();
    for (Fields& device : fields.list_or_none("devices")) {
      AcceptedDevice accepted;
      read_members(device, context, "members", accepted.members, accepted.protocol);
      device.finish();
      policy.devices->push_back(std::move(accepted));
    }
  }
  for (Fields& grant : fields.list_or_none("grants")) {
    policy.grants.push_back(read_grant(std::move(grant), context, policy));
  }
  for (Fields& rule : fields.list_or_none("rules")) {
    policy.rules.push_back(read_rule(std::move(rule), context, policy));
  }
  for (const auto& [name, key] : fields.pairs_or_none("approvers")) {
    checked_name(fields, "approvers." + name, name);
    policy.approvers.emplace(
        name, fields.checked("approvers." + name, [&] { return Digest::parse(key); }));
  }
  if (fields.has("approvals")) {
    policy.approvals = read_approvals(beside(fields.file(), fields.text("approvals")),
                                      context.party, policy.approvers);
    policy.index();
  }
  return policy;
}

std::string grants_json(const std::vector<Grant>& grants) {
  auto list = nlohmann::ordered_json::array();
  for (const Grant& grant : grants) {
    nlohmann::ordered_json json = {{"source", grant.source}};
    if (grant.members.empty()) {
      json["to"] = grant.to;
    } else {
      json["share_among"] = grant.members;
      json["protocol"] = grant.protocol;
    }
    for (const Digest& program : grant.programs) json["programs"].push_back(program.hex());
    for (const std::string& release : grant.releases) json["releases"].push_back(release);
    if (grant.until) json["until"] = time_text(*grant.until);
    if (grant.times != 0) json["times"] = grant.times;
    if (!grant.name.empty()) json["name"] = grant.name;
    list.push_back(std::move(json));
  }
  return list.dump(2);
}

std::string rules_json(const std::vector<Rule>& rules) {
  auto list = nlohmann::ordered_json::array();
  for (const Rule& rule : rules) {
    list.push_back({{"source", rule.source},
                    {"to", rule.to},
                    {"epsilon", rule.epsilon},
                    {"delta", rule.delta}});
  }
  return list.dump(2);
}

std::string checked_key(Fields& fields, const std::string& name, const std::string& text) {
  fields.checked(name, [&] { check_key(text, "public key"); });
  return text;
}

void checked_name(Fields& fields, const std::string& field, const std::string& name) {
  fields.checked(field, [&] { check_name(name, "principal"); });
}

}  // namespace curia
