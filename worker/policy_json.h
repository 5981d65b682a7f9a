// The policy of a party as JSON: in the worker's configuration, or in a file of its own.
// worker/README.md lists the fields.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "protocol/fields.h"
#include "worker/policy.h"

namespace curia {

// What a policy speaks of.
struct PolicyContext {
  std::string party;
  std::set<std::string> parties;  // the other workers
  std::set<std::string> datasets;
};

// Takes the fields "drivers", "devices", "grants", "rules", "approvers" and "approvals", all of
// which may be absent. Errors: kInvalid, naming file, field and what is expected.
Policy read_policy(Fields& fields, const PolicyContext& context);

// The fields "grants" and "rules", as JSON.
std::string grants_json(const std::vector<Grant>& grants);
std::string rules_json(const std::vector<Rule>& rules);

// Errors: kInvalid, naming the field, for what is no key, or no name of a principal.
std::string checked_key(Fields& fields, const std::string& name, const std::string& text);
void checked_name(Fields& fields, const std::string& field, const std::string& name);

}  // namespace curia
