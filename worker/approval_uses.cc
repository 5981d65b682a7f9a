#include "worker/approval_uses.h"

#include <algorithm>
#include <charconv>

#include "protocol/error.h"

namespace curia {
namespace {

std::uint32_t number_of(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw Error(Code::kInvalid, "a record of a consent has no number where one should be");
  }
  return number;
}

}  // namespace

void ApprovalUse::note(AuditRecord& record) const {
  record.fields.push_back({"approval", approval.hex()});
  record.fields.push_back({"item", std::to_string(item)});
  record.fields.push_back({"execution", std::to_string(execution)});
  record.fields.push_back({"use", release.hex()});
  for (const auto& [variable, instance] : draws) {
    record.fields.push_back({"draw", variable.hex() + " " + instance.hex()});
  }
}

std::optional<ApprovalUse> ApprovalUse::read(const AuditRecord& record) {
  if (record.field("approval").empty()) return std::nullopt;
  ApprovalUse use;
  use.approval = Digest::parse(record.field("approval"));
  use.release = Digest::parse(record.field("use"));
  use.asker = record.field("asked_by");
  use.source = record.field("source");
  use.session = record.session;
  use.item = number_of(record.field("item"));
  use.execution = number_of(record.field("execution"));
  for (const AuditField& field : record.fields) {
    if (field.name != "draw") continue;
    const std::string_view text = field.value;
    const std::size_t space = std::min(text.find(' '), text.size());
    use.draws.emplace(Digest::parse(text.substr(0, space)),
                      Digest::parse(text.substr(std::min(space + 1, text.size()))));
  }
  return use;
}

bool ApprovalUses::fits(const Execution& execution, const ApprovalUse& use, std::uint32_t item) {
  if (execution.session != use.session) return false;
  for (const auto& [number, known] : execution.items) {
    for (const auto& [unused, other] : known.asked) {
      for (const auto& [variable, instance] : use.draws) {
        const auto drawn = other.draws.find(variable);
        if (drawn != other.draws.end() && drawn->second != instance) return false;
      }
    }
  }
  const auto known = execution.items.find(item);
  return known == execution.items.end() || (known->second.release == use.release &&
                                            !known->second.asked.contains({use.asker, use.source}));
}

std::optional<ApprovalUse> ApprovalUses::find(const ApprovalUse& use,
                                              const std::vector<std::uint32_t>& items,
                                              std::int64_t most) const {
  ApprovalUse placed = use;
  std::uint32_t next = 0;
  std::int64_t begun = 0;
  if (const auto known = approvals_.find(use.approval); known != approvals_.end()) {
    for (const auto& [number, execution] : known->second) {
      ++begun;
      next = number + 1;
      for (const std::uint32_t item : items) {
        if (!fits(execution, use, item)) continue;
        placed.item = item;
        placed.execution = number;
        return placed;
      }
    }
  }
  if (begun >= most || items.empty()) return std::nullopt;
  placed.item = items.front();
  placed.execution = next;
  return placed;
}

void ApprovalUses::add(const ApprovalUse& use) {
  Execution& execution = approvals_[use.approval][use.execution];
  execution.session = use.session;
  Item& item = execution.items[use.item];
  item.release = use.release;
  item.asked[{use.asker, use.source}] = use;
}

bool ApprovalUses::reserve(ApprovalUse& use, const std::vector<std::uint32_t>& items,
                           std::int64_t most) {
  const std::lock_guard lock(mutex_);
  const auto placed = find(use, items, most);
  if (!placed) return false;
  use = *placed;
  add(use);
  return true;
}

bool ApprovalUses::left(const ApprovalUse& use, const std::vector<std::uint32_t>& items,
                        std::int64_t most) const {
  const std::lock_guard lock(mutex_);
  return find(use, items, most).has_value();
}

void ApprovalUses::undo(const ApprovalUse& use) {
  const std::lock_guard lock(mutex_);
  const auto known = approvals_.find(use.approval);
  if (known == approvals_.end()) return;
  const auto execution = known->second.find(use.execution);
  if (execution == known->second.end()) return;
  const auto item = execution->second.items.find(use.item);
  if (item == execution->second.items.end() || item->second.release != use.release) return;
  item->second.asked.erase({use.asker, use.source});
  if (item->second.asked.empty()) execution->second.items.erase(item);
  if (execution->second.items.empty()) known->second.erase(execution);
}

void ApprovalUses::replay(const ApprovalUse& use) {
  const std::lock_guard lock(mutex_);
  add(use);
}

std::int64_t ApprovalUses::used(const Digest& approval) const {
  const std::lock_guard lock(mutex_);
  const auto known = approvals_.find(approval);
  return known == approvals_.end() ? 0 : std::ssize(known->second);
}

}  // namespace curia
