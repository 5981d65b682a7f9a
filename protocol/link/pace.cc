#include "protocol/link/pace.h"

#include <algorithm>
#include <optional>

namespace curia {
namespace {

constexpr double kSecondsInFlight = 0.44;  // with the record that passes the window: half a second
constexpr std::uint64_t kMarkEvery = 16 << 10;

}  // namespace

void Pace::sent(std::int64_t bytes) {
  sent_ += static_cast<std::uint64_t>(bytes);
  if (!open()) full_ = sent_;
  if (marks_.empty() || sent_ - marks_.back().sent >= kMarkEvery) {
    marks_.push_back({sent_, arrived_, clock_()});
  }
}

void Pace::arrived(std::uint64_t total) {
  if (total > sent_ || total < arrived_) {
    throw Error(Code::kCorrupt, "expected a count of bytes that were sent, found another");
  }
  arrived_ = total;
  std::optional<Mark> last;
  while (!marks_.empty() && marks_.front().sent <= total) {
    last = marks_.front();
    marks_.pop_front();
  }
  if (!last) return;
  const auto passed = clock_() - last->at;
  const double seconds = std::max(1e-6, std::chrono::duration<double>(passed).count());
  const double rate = static_cast<double>(total - last->arrived) / seconds;
  if (rate > rate_) {
    rate_ = rate;
  } else if (last->sent <= full_) {
    rate_ += (rate - rate_) / 8;  // slower although there was enough to send
  }
  window_ = static_cast<std::int64_t>(std::clamp(rate_ * kSecondsInFlight,
                                                 static_cast<double>(kSmallestWindow),
                                                 static_cast<double>(kLargestWindow)));
}

std::int64_t Pace::record_size(std::int64_t most) const {
  return std::clamp(window_ / 8, std::min(kSmallestRecord, most), most);
}

}  // namespace curia
