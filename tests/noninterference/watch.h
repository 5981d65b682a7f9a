// The rules of a worker, watched: what alice was asked and agreed to. Thread: any.
#pragma once

#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "worker/release_rules.h"

namespace curia::test {

// Alice agreed that `party` sends a value derived from her data to `recipient`.
struct Given {
  std::string party;
  std::uint32_t op = kNoOp;
  std::string recipient;  // "" for a share
  auto operator<=>(const Given&) const = default;
};

class WatchedRules : public ReleaseRules {
 public:
  void ask(Parts& parts, const ReleaseContext& context, const std::vector<ReleaseWish>& wishes,
           std::function<void(const std::string& refused)> done) const override {
    std::vector<Given> asked;
    for (const ReleaseWish& wish : wishes) {
      std::set<std::string> sources;
      for (const auto& [source, programs] : wish.label->sources) {
        if (source.owner == "alice" && wish.recipient != "alice") sources.insert(source.name);
      }
      if (sources.empty()) continue;
      asked.push_back({parts.party, wish.op, wish.recipient});
      note_wish(wish, std::move(sources));
    }
    check_release(
        parts, context, wishes,
        [this, asked = std::move(asked), done = std::move(done)](const std::string& refused) {
          note(asked, refused.empty());
          done(refused);
        });
  }

  struct Answers {
    std::vector<Given> given;
    int denied = 0;
  };
  // As alice could approve it: what she was asked for since the last time.
  std::vector<ApprovedRelease> take_wishes() const {
    const std::lock_guard lock(mutex_);
    return std::exchange(wishes_, {});
  }
  // Since the last time.
  Answers take() const {
    const std::lock_guard lock(mutex_);
    return std::exchange(answers_, {});
  }

 private:
  void note_wish(const ReleaseWish& wish, std::set<std::string> sources) const {
    const std::lock_guard lock(mutex_);
    wishes_.push_back({wish.lineage.pattern,
                       wish.recipient,
                       {wish.device.members.begin(), wish.device.members.end()},
                       wish.device.protocol,
                       std::move(sources),
                       ""});
  }
  void note(const std::vector<Given>& asked, bool given) const {
    const std::lock_guard lock(mutex_);
    if (given) {
      answers_.given.insert(answers_.given.end(), asked.begin(), asked.end());
    } else if (!asked.empty()) {
      ++answers_.denied;
    }
  }

  mutable std::mutex mutex_;
  mutable Answers answers_;
  mutable std::vector<ApprovedRelease> wishes_;
};

}  // namespace curia::test
