#include "worker/consent.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "protocol/digest.h"

namespace curia {
namespace {

// What is wrong with the names in a question; "" where they are names.
std::string bad_name(const ConsentItem& item) {
  try {
    check_name(item.source, "source");
    // A share has members instead.
    if (item.members.empty()) check_name(item.recipient, "recipient");
    for (const std::string& member : item.members) check_name(member, "member");
    if (!item.release.empty()) check_name(item.release, "release");
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

ReleaseQuestion question_of(const ConsentRequest& request, const ConsentItem& item) {
  ReleaseQuestion question{item.source,
                           {item.programs.begin(), item.programs.end()},
                           item.recipient,
                           item.release,
                           {item.members.begin(), item.members.end()},
                           item.protocol,
                           item.lineage,
                           request.principal,
                           item.charges};
  question.programs.insert(item.program);
  return question;
}

// What counts as one release, whoever asks for it. `source`: "" for all that it derives from.
Digest release_of(const ConsentRequest& request, const ConsentItem& item,
                  const std::string& source) {
  Hasher hasher("curia release 1");
  hasher.add(request.principal);
  hasher.add(request.session);
  hasher.add(request.task);
  hasher.add(request.instance);
  hasher.add(source);
  hasher.add(item.recipient);
  hasher.add(item.program);
  hasher.add(item.release);
  hasher.add(std::uint64_t{item.op});
  hasher.add(item.protocol);
  for (const std::string& member : item.members) hasher.add(member);
  return hasher.finish();
}

ApprovalUse use_of(const Approval& approval, const ConsentRequest& request, const ConsentItem& item,
                   const std::string& asker) {
  ApprovalUse use;
  use.approval = approval.id();
  use.release = release_of(request, item, "");
  use.asker = asker;
  use.source = item.source;
  use.session = request.session;
  use.draws = item.lineage.draws;
  return use;
}

BudgetUse use_of(const std::vector<Rule>& rules, const ConsentItem& item) {
  BudgetUse use{item.source, {}, item.charges};
  for (const Rule& rule : rules) use.to.push_back(rule.to);
  return use;
}

// Fields that a record of any answer has; what follows says how a consent was given.
constexpr std::ptrdiff_t kAskedFields = 7;

AuditRecord record_of(const std::string& asker, const ConsentRequest& request,
                      const ConsentItem& item, const ReleaseQuestion& question) {
  AuditRecord record;
  record.kind = AuditKind::kConsent;
  record.principal = request.principal;
  record.session = request.session;
  record.task = request.task;
  record.fields = {{"answer", ""},
                   {"source", item.source},
                   {"to", whereto(item.recipient, question.members, question.protocol)},
                   {"release", item.release},
                   {"asked_by", asker},
                   {"program", item.program.hex()},
                   {"instance", request.instance.hex()}};
  return record;
}

// A decision about all items of a request, on its way to the log.
struct Decided {
  ConsentReply reply;
  std::vector<AuditRecord> records;
  std::vector<std::function<void()>> undo;  // of what was counted
  bool gives = false;

  void refuse(std::size_t i, const std::string& reason) {
    reply.allowed[i] = 0;
    reply.reasons[i] = reason.substr(0, kMaxConsentReason);
    std::vector<AuditField>& fields = records[i].fields;
    fields.erase(fields.begin() + kAskedFields, fields.end());
    fields[0].value = "denied";
    fields.push_back({"why", one_line(reason)});
  }
  void refuse_all(const std::string& reason) {
    for (const auto& step : undo) step();
    undo.clear();
    gives = false;
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (reply.allowed[i] == 1) refuse(i, reason);
    }
  }
};

constexpr int kNamed = 3;  // of what is denied, beside the first

// What is denied in one request is one record: the first item as a whole, a few more by name, and
// the number of the others. What is given has a record each.
std::vector<AuditRecord> joined(std::vector<AuditRecord> records) {
  std::vector<AuditRecord> kept;
  std::optional<AuditRecord> denied;
  int more = 0;
  for (AuditRecord& record : records) {
    if (record.field("answer") != "denied") {
      kept.push_back(std::move(record));
    } else if (!denied) {
      denied = std::move(record);
    } else if (++more <= kNamed) {
      denied->fields.push_back({"also", std::string(record.field("source")) + " to " +
                                            std::string(record.field("to")) + " as " +
                                            std::string(record.field("release"))});
    }
  }
  if (more > kNamed) denied->fields.push_back({"others", std::to_string(more - kNamed)});
  if (denied) kept.push_back(*std::move(denied));
  return kept;
}

void decide_item(Parts& parts, const Policy& policy, const std::string& asker,
                 const ConsentRequest& request, const ConsentItem& item, Decided& decided) {
  const ReleaseQuestion question = question_of(request, item);
  AuditRecord record = record_of(asker, request, item, question);
  Decision decision;
  decision.refused = bad_name(item);
  if (decision.refused.empty()) {
    const auto take_grant = [&](const Grant& grant) {
      GrantUse use{grant.id(), release_of(request, item, item.source), asker};
      if (!parts.uses.reserve(use, grant.times)) return false;
      record.fields.push_back({"use", use.release.hex()});
      decided.undo.emplace_back([&parts, use] { parts.uses.undo(use); });
      return true;
    };
    const auto take_approval = [&](const Approval& approval,
                                   const std::vector<std::uint32_t>& items) {
      ApprovalUse use = use_of(approval, request, item, asker);
      if (!parts.approval_uses.reserve(use, items, approval.times)) return false;
      use.note(record);
      decided.undo.emplace_back([&parts, use] { parts.approval_uses.undo(use); });
      return true;
    };
    const auto take_rules = [&](const std::vector<Rule>& rules) {
      BudgetUse use = use_of(rules, item);
      std::string missing = parts.budgets.reserve(use, rules);
      if (!missing.empty()) return missing;
      use.note(record);
      decided.undo.emplace_back([&parts, use] { parts.budgets.undo(use); });
      return missing;
    };
    decision = decide(policy, parts.party, question, std::chrono::system_clock::now(),
                      {take_grant, take_approval, take_rules});
  }
  decided.reply.allowed.push_back(1);
  decided.reply.reasons.emplace_back();
  if (decision.grant != nullptr) {
    record.fields.push_back({"grant", decision.grant->id().hex()});
  }
  const bool gives = decision.refused.empty();
  if (gives) record.fields[0].value = "given";
  decided.gives = decided.gives || gives;
  decided.records.push_back(std::move(record));
  if (!gives) decided.refuse(decided.records.size() - 1, decision.refused);
}

}  // namespace

std::string one_line(std::string text) {
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7F; };
  std::replace_if(text.begin(), text.end(), is_control, '?');
  return text;
}

void answer_consent(Parts& parts, const std::string& asker, const ConsentRequest& request,
                    std::function<void(const ConsentReply&)> done) {
  const std::shared_ptr<const Policy> policy = parts.policy.get();
  auto decided = std::make_shared<Decided>();
  for (const ConsentItem& item : request.items) {
    decide_item(parts, *policy, asker, request, item, *decided);
  }
  // Whoever asks needs all that it asks for, so nothing is used up where one thing is refused.
  const auto& allowed = decided->reply.allowed;
  if (const auto refused = std::ranges::find(allowed, 0); refused != allowed.end()) {
    const std::string reason =
        decided->reply.reasons[static_cast<std::size_t>(refused - allowed.begin())];
    if (!decided->undo.empty()) decided->refuse_all(reason);
  }
  if (parts.audit == nullptr) return done(decided->reply);
  if (!decided->gives) {
    for (AuditRecord& record : joined(std::move(decided->records))) {
      parts.audit->note(std::move(record));
    }
    return done(decided->reply);
  }
  const auto written = [&parts, decided, done = std::move(done)](const Error* failed) {
    if (failed != nullptr) {
      decided->refuse_all(parts.party + " gives no consent, because its audit log cannot " +
                          "be written: " + failed->message());
      for (AuditRecord& record : joined(decided->records)) parts.audit->note(std::move(record));
    }
    done(decided->reply);
  };
  parts.audit->decide(joined(decided->records), written);
}

ConsentReply foresee_consent(const Parts& parts, const ConsentRequest& request) {
  const std::shared_ptr<const Policy> policy = parts.policy.get();
  ConsentReply reply;
  PrivacyBudgets::Pending pending;  // what earlier items would cost
  for (const ConsentItem& item : request.items) {
    std::string reason = bad_name(item);
    if (reason.empty()) {
      const auto has_grant = [&](const Grant& grant) {
        return parts.uses.used(grant.id()) < grant.times;
      };
      const auto has_approval = [&](const Approval& approval,
                                    const std::vector<std::uint32_t>& items) {
        return parts.approval_uses.left(use_of(approval, request, item, parts.party), items,
                                        approval.times);
      };
      const auto has_budget = [&](const std::vector<Rule>& rules) {
        return parts.budgets.foresee(use_of(rules, item), rules, pending);
      };
      reason = decide(*policy, parts.party, question_of(request, item),
                      std::chrono::system_clock::now(), {has_grant, has_approval, has_budget})
                   .refused;
    }
    reply.allowed.push_back(reason.empty() ? 1 : 0);
    reply.reasons.push_back(std::move(reason));
  }
  return reply;
}

void replay_consent(const AuditRecord& record, Parts& parts) {
  if (record.kind != AuditKind::kConsent) return;
  if (const auto use = ApprovalUse::read(record)) return parts.approval_uses.replay(*use);
  if (const auto use = BudgetUse::read(record)) return parts.budgets.replay(*use);
  if (record.field("use").empty()) return;
  parts.uses.replay({Digest::parse(record.field("grant")), Digest::parse(record.field("use")),
                     std::string(record.field("asked_by"))});
}

}  // namespace curia
