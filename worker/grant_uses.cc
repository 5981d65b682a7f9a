#include "worker/grant_uses.h"

#include <algorithm>

namespace curia {

bool GrantUses::reserve(const GrantUse& use, std::int64_t most) {
  const std::lock_guard lock(mutex_);
  return add(use, most);
}

void GrantUses::replay(const GrantUse& use) {
  const std::lock_guard lock(mutex_);
  add(use, INT64_MAX);
}

bool GrantUses::add(const GrantUse& use, std::int64_t most) {
  Counted& grant = grants_[use.grant];
  const auto known = grant.releases.find(use.release);
  std::int64_t asked = 0;
  if (known != grant.releases.end()) {
    const auto before = known->second.asked.find(use.asker);
    if (before != known->second.asked.end()) asked = before->second;
  }
  const bool covered = known != grant.releases.end() && asked < known->second.uses;
  if (!covered && grant.uses >= most) return false;
  Release& release = grant.releases[use.release];
  release.asked[use.asker] = asked + 1;
  if (!covered) {
    ++release.uses;
    ++grant.uses;
  }
  return true;
}

void GrantUses::undo(const GrantUse& use) {
  const std::lock_guard lock(mutex_);
  Counted& grant = grants_[use.grant];
  const auto release = grant.releases.find(use.release);
  if (release == grant.releases.end()) return;
  const auto asked = release->second.asked.find(use.asker);
  if (asked == release->second.asked.end()) return;
  if (--asked->second == 0) release->second.asked.erase(asked);
  std::int64_t most = 0;
  for (const auto& [asker, times] : release->second.asked) most = std::max(most, times);
  grant.uses -= release->second.uses - most;
  release->second.uses = most;
  if (most == 0) grant.releases.erase(release);
}

std::int64_t GrantUses::used(const Digest& grant) const {
  const std::lock_guard lock(mutex_);
  const auto found = grants_.find(grant);
  return found == grants_.end() ? 0 : found->second.uses;
}

}  // namespace curia
