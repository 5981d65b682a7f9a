#include "protocol/utc.h"

#include <array>
#include <ctime>

#include "protocol/error.h"

namespace curia {

UtcTime parse_time(const std::string& text) {
  std::tm parts{};
  const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (end == nullptr || *end != '\0') {
    throw Error(Code::kInvalid, "expected a time such as 2027-01-31T00:00:00Z");
  }
  // The clock counts nanoseconds, and ends in 2262.
  using Clock = std::chrono::system_clock;
  const std::time_t time = timegm(&parts);
  if (time >= Clock::to_time_t(Clock::time_point::max())) return Clock::time_point::max();
  if (time <= Clock::to_time_t(Clock::time_point::min())) return Clock::time_point::min();
  return Clock::from_time_t(time);
}

std::string time_text(UtcTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &parts));
  return text.data();
}

}  // namespace curia
