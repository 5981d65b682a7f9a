#include "worker/wait_board.h"

#include <algorithm>
#include <utility>

namespace curia {

WaitBoard::Pin::Pin(WaitBoard& board, WaitInfo info)
    : board_(board), info_(std::move(info)), since_(std::chrono::steady_clock::now()) {
  const std::lock_guard lock(board_.mutex_);
  at_ = board_.pins_.insert(board_.pins_.end(), this);
}

WaitBoard::Pin::~Pin() {
  const std::lock_guard lock(board_.mutex_);
  board_.pins_.erase(at_);
}

std::vector<WaitInfo> WaitBoard::waits(std::chrono::milliseconds least) const {
  const auto now = std::chrono::steady_clock::now();
  std::vector<WaitInfo> found;
  const std::lock_guard lock(mutex_);
  for (const Pin* pin : pins_) {
    const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(now - pin->since_);
    if (waited < least) continue;
    found.push_back(pin->info_);
    found.back().waited_ms = static_cast<std::uint64_t>(waited.count());
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const WaitInfo& a, const WaitInfo& b) { return a.waited_ms > b.waited_ms; });
  return found;
}

std::string wait_text(const WaitInfo& wait) {
  std::string text = wait.party + " waits for " + wait.waits_for + ": " + wait.what;
  if (!wait.op.empty()) text += ", op " + wait.op;
  if (const std::string line = wait.site.str(); !line.empty()) text += " (" + line + ")";
  if (wait.task != 0) text += ", task " + std::to_string(wait.task);
  if (!wait.session.empty()) text += " of session " + wait.session.substr(0, 8);
  return text + ", " + std::to_string(wait.waited_ms) + " ms";
}

}  // namespace curia
