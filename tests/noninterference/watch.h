// The rules of a worker, watched: what alice was asked and agreed to. Thread: any.
#pragma once

#include <functional>
#include <mutex>
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
      for (const auto& [source, programs] : wish.label->sources) {
        if (source.owner == "alice" && wish.recipient != "alice") {
          asked.push_back({parts.party, wish.op, wish.recipient});
          break;
        }
      }
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
  // Since the last time.
  Answers take() const {
    const std::lock_guard lock(mutex_);
    return std::exchange(answers_, {});
  }

 private:
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
};

}  // namespace curia::test
