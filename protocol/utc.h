// Times of day as text, in UTC. Thread: any.
#pragma once

#include <chrono>
#include <string>

namespace curia {

using UtcTime = std::chrono::system_clock::time_point;

// "2027-01-31T00:00:00Z". Errors: kInvalid.
UtcTime parse_time(const std::string& text);
std::string time_text(UtcTime time);

}  // namespace curia
