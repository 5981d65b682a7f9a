#include "worker/privacy_budgets.h"

#include <algorithm>
#include <charconv>

#include "protocol/error.h"
#include "protocol/interval.h"

namespace curia {
namespace {

// Ten times 0.1 is 1: sums of doubles may pass a budget by their own error.
constexpr double kRounding = 1e-9;

bool within(double sum, double budget) { return sum <= budget * (1 + kRounding); }

// The number before the next space of `text`, which it takes away.
double take_number(std::string_view& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !(number >= 0) || (end != text.data() + text.size() && *end != ' ')) {
    throw Error(Code::kInvalid, "a record of a consent has no cost where one should be");
  }
  text.remove_prefix(std::min(text.size(), static_cast<std::size_t>(end - text.data()) + 1));
  return number;
}

}  // namespace

void BudgetUse::note(AuditRecord& record) const {
  record.fields.push_back({"rule", source});
  for (const std::string& principal : to) record.fields.push_back({"charged", principal});
  for (const auto& [id, charge] : charges) {
    record.fields.push_back(
        {"charge", id.hex() + " " + number_text(charge.epsilon) + " " + number_text(charge.delta)});
  }
}

std::optional<BudgetUse> BudgetUse::read(const AuditRecord& record) {
  if (record.field("rule").empty()) return std::nullopt;
  BudgetUse use;
  use.source = record.field("rule");
  for (const AuditField& field : record.fields) {
    if (field.name == "charged") use.to.push_back(field.value);
    if (field.name != "charge") continue;
    std::string_view text = field.value;
    const Digest id = Digest::parse(text.substr(0, std::min(text.find(' '), text.size())));
    text.remove_prefix(std::min<std::size_t>(text.size(), 65));
    Charge charge;
    charge.epsilon = take_number(text);
    charge.delta = take_number(text);
    use.charges.emplace(id, charge);
  }
  return use;
}

std::string PrivacyBudgets::reserve(const BudgetUse& use, const std::vector<Rule>& rules) {
  const std::lock_guard lock(mutex_);
  for (const Rule& rule : rules) {
    if (std::string missing = shortfall(use, rule, nullptr); !missing.empty()) return missing;
  }
  add(use);
  return "";
}

std::string PrivacyBudgets::foresee(const BudgetUse& use, const std::vector<Rule>& rules,
                                    Pending& pending) const {
  const std::lock_guard lock(mutex_);
  for (const Rule& rule : rules) {
    const auto found = pending.find({use.source, rule.to});
    const Charges* before = found == pending.end() ? nullptr : &found->second;
    if (std::string missing = shortfall(use, rule, before); !missing.empty()) return missing;
  }
  for (const Rule& rule : rules) {
    pending[{use.source, rule.to}].insert(use.charges.begin(), use.charges.end());
  }
  return "";
}

std::string PrivacyBudgets::shortfall(const BudgetUse& use, const Rule& rule,
                                      const Charges* pending) const {
  static const Releases none;
  const auto found = spent_.find({use.source, rule.to});
  const Releases& given = found == spent_.end() ? none : found->second;
  Charge sum;
  for (const auto& [id, release] : given) sum.add(release.charge);
  if (pending != nullptr) {
    for (const auto& [id, charge] : *pending) {
      if (!given.contains(id)) sum.add(charge);
    }
  }
  Charge asked;
  for (const auto& [id, charge] : use.charges) {
    const auto known = given.find(id);
    if (known != given.end() && known->second.charge != charge) {
      return "has heard of another cost of the same release to " + rule.to;
    }
    const bool paid = known != given.end() || (pending != nullptr && pending->contains(id));
    if (!paid) asked.add(charge);
  }
  if (within(sum.epsilon + asked.epsilon, rule.epsilon) &&
      within(sum.delta + asked.delta, rule.delta)) {
    return "";
  }
  // Learning again what was paid for is free, also where an owner has lowered the budget.
  if (asked == Charge{}) return "";
  const Charge left{std::max(0.0, rule.epsilon - sum.epsilon),
                    std::max(0.0, rule.delta - sum.delta)};
  const bool gaussian = asked.delta != 0;
  return "has " + left.str(gaussian) + " left of its budget for " + rule.to + " to learn of \"" +
         use.source + "\", and this costs " + asked.str(gaussian);
}

void PrivacyBudgets::add(const BudgetUse& use) {
  for (const std::string& to : use.to) {
    Releases& given = spent_[{use.source, to}];
    for (const auto& [id, charge] : use.charges) {
      Given& release = given[id];
      release.charge = charge;
      ++release.times;
    }
  }
}

void PrivacyBudgets::undo(const BudgetUse& use) {
  const std::lock_guard lock(mutex_);
  for (const std::string& to : use.to) {
    Releases& given = spent_[{use.source, to}];
    for (const auto& [id, charge] : use.charges) {
      const auto found = given.find(id);
      if (found != given.end() && --found->second.times == 0) given.erase(found);
    }
  }
}

void PrivacyBudgets::replay(const BudgetUse& use) {
  const std::lock_guard lock(mutex_);
  add(use);
}

Charge PrivacyBudgets::spent(const std::string& source, const std::string& to) const {
  const std::lock_guard lock(mutex_);
  Charge sum;
  const auto found = spent_.find({source, to});
  if (found == spent_.end()) return sum;
  for (const auto& [id, release] : found->second) sum.add(release.charge);
  return sum;
}

}  // namespace curia
