// The sender's side of a consent: all owners in the labels are asked, each for its own sources.
#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>

#include "worker/consent.h"

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
// Of all reasons together: less than the message of an error may have (kMaxErrorText).
constexpr std::int64_t kMaxRefused = 3 << 10;
constexpr std::string_view kMoreReasons = "; and more";

// The questions to one owner, in as many requests as they need.
struct Questions {
  std::vector<ConsentRequest> requests;
  std::int64_t bytes = 0;  // of the last

  void add(ConsentItem item) {
    const std::int64_t size =
        std::max(kMaxConsentReason,
                 std::ssize(item.source) + std::ssize(item.recipient) + std::ssize(item.release) +
                     32 * std::ssize(item.programs) + 64 + 3 * (kMaxNameBytes + 4) +
                     64 * std::ssize(item.lineage.draws) + 48 * std::ssize(item.charges));
    if (requests.empty() || bytes + size > kRequestBytes) {
      requests.emplace_back();
      bytes = 0;
    }
    bytes += size;
    requests.back().items.push_back(std::move(item));
  }
};

// A driver may ask for thousands of things that are refused, each for a reason of its own.
void add_reason(std::string& refused, const std::string& given) {
  if (refused.ends_with(kMoreReasons)) return;
  const std::string reason = one_line(given);
  if (refused.find(reason) != std::string::npos) return;
  if (std::ssize(refused) + std::ssize(reason) > kMaxRefused) {
    refused += (refused.empty() ? reason.substr(0, kMaxRefused) : "") + std::string(kMoreReasons);
    return;
  }
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
                                  wish.op,
                                  wish.device.protocol,
                                  wish.device.members,
                                  wish.lineage,
                                  wish.label->cost(source)});
    }
  }
  if (by_owner.empty()) {
    done("");
    return;
  }
  auto round = std::make_shared<Round>();
  for (const auto& [owner, questions] : by_owner) round->waiting += questions.requests.size();
  round->done = std::move(done);
  for (auto& [owner, questions] : by_owner) {
    for (ConsentRequest& request : questions.requests) {
      request.principal = context.driver;
      request.session = context.session;
      request.task = context.task;
      request.instance = context.instance;
      const auto answered = [round, owner = owner, items = request.items.size()](
                                const ConsentReply* reply, const Error* error) {
        settle(round, reason_of(owner, reply, error, items));
      };
      if (owner == parts.party) {
        answer_consent(parts, parts.party, request,
                       [answered](const ConsentReply& reply) { answered(&reply, nullptr); });
      } else {
        parts.consents->ask(owner, request, answered);
      }
    }
  }
}

}  // namespace curia
