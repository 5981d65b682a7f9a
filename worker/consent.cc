#include "worker/consent.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>

#include "protocol/digest.h"

namespace curia {
namespace {

// Collects the answers of several owners.
struct Round {
  std::mutex mutex;
  std::size_t waiting = 0;
  std::string refused;
  std::function<void(const std::string&)> done;
};

// A request and its answer, which may give a reason for each item, fit into a message each.
constexpr std::int64_t kRequestBytes = 48 << 10;
constexpr std::int64_t kReasonBytes = 768;

// The questions to one owner, in as many requests as they need.
struct Questions {
  std::vector<ConsentRequest> requests;
  std::int64_t bytes = 0;  // of the last

  void add(ConsentItem item) {
    const std::int64_t size =
        std::max(kReasonBytes, std::ssize(item.source) + std::ssize(item.recipient) +
                                   std::ssize(item.release) + 32 * std::ssize(item.programs) + 64 +
                                   3 * (kMaxNameBytes + 4));
    if (requests.empty() || bytes + size > kRequestBytes) {
      requests.emplace_back();
      bytes = 0;
    }
    bytes += size;
    requests.back().items.push_back(std::move(item));
  }
};

// Reasons come from other workers and end in logs, in lines of their own.
std::string one_line(std::string text) {
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7F; };
  std::replace_if(text.begin(), text.end(), is_control, '?');
  return text;
}

void add_reason(std::string& refused, const std::string& given) {
  const std::string reason = one_line(given);
  if (refused.find(reason) != std::string::npos) return;
  refused += (refused.empty() ? "" : "; ") + reason;
}

void settle(const std::shared_ptr<Round>& round, const std::string& reason) {
  std::string refused;
  {
    const std::lock_guard lock(round->mutex);
    if (!reason.empty()) add_reason(round->refused, reason);
    if (--round->waiting > 0) return;
    refused = round->refused;
  }
  round->done(refused);
}

std::string reason_of(const std::string& owner, const ConsentReply* reply, const Error* error,
                      std::size_t items) {
  if (error != nullptr) return owner + " could not be asked: " + error->message();
  if (reply->allowed.size() != items || reply->reasons.size() != items) {
    return owner + " gave no proper answer";
  }
  std::string refused;
  for (std::size_t i = 0; i < items; ++i) {
    if (reply->allowed[i] != 1) add_reason(refused, reply->reasons[i]);
  }
  return refused;
}

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

}  // namespace

void check_release(Parts& parts, const ReleaseContext& context,
                   const std::vector<ReleaseWish>& wishes,
                   std::function<void(const std::string&)> done) {
  std::map<std::string, Questions> by_owner;
  for (const ReleaseWish& wish : wishes) {
    for (const auto& [source, programs] : wish.label->sources) {
      if (wish.device.members.empty() && source.owner == wish.recipient) continue;
      if (source.owner == context.driver && source.name.empty()) continue;
      by_owner[source.owner].add({source.name,
                                  {programs.begin(), programs.end()},
                                  wish.recipient,
                                  wish.program,
                                  wish.release,
                                  wish.device.protocol,
                                  wish.device.members});
    }
  }
  std::string refused;
  if (const auto own = by_owner.find(parts.party); own != by_owner.end()) {
    for (const ConsentRequest& request : own->second.requests) {
      const ConsentReply reply = answer_consent(parts, request);
      const std::string reason = reason_of(parts.party, &reply, nullptr, request.items.size());
      if (!reason.empty()) add_reason(refused, reason);
    }
    by_owner.erase(own);
  }
  if (by_owner.empty()) {
    done(refused);
    return;
  }
  auto round = std::make_shared<Round>();
  for (const auto& [owner, questions] : by_owner) round->waiting += questions.requests.size();
  round->refused = std::move(refused);
  round->done = std::move(done);
  for (auto& [owner, questions] : by_owner) {
    for (ConsentRequest& request : questions.requests) {
      request.principal = context.driver;
      request.session = context.session;
      request.task = context.task;
      request.instance = context.instance;
      parts.consents->ask(owner, request,
                          [round, owner = owner, items = request.items.size()](
                              const ConsentReply* reply, const Error* error) {
                            settle(round, reason_of(owner, reply, error, items));
                          });
    }
  }
}

ConsentReply answer_consent(const Parts& parts, const ConsentRequest& request) {
  ConsentReply reply;
  const auto now = std::chrono::system_clock::now();
  for (const ConsentItem& item : request.items) {
    ReleaseQuestion question{
        item.source,  {item.programs.begin(), item.programs.end()}, item.recipient,
        item.release, {item.members.begin(), item.members.end()},   item.protocol};
    question.programs.insert(item.program);
    std::string reason = bad_name(item);
    if (reason.empty()) reason = refusal(parts.grants, parts.party, question, now);
    reply.allowed.push_back(reason.empty() ? 1 : 0);
    reply.reasons.push_back(std::move(reason));
  }
  return reply;
}

}  // namespace curia
