// What is seen, as text that is the same for two clusters unless something is different that has a
// meaning. Names drawn at random (lineages, instances, sessions, digests of programs) are numbered
// by first appearance, so that equal ones stay equal.
#pragma once

#include <map>
#include <string>

#include "protocol/message.h"
#include "protocol/value.h"

namespace curia::test {

// Type and bytes; of a share its type alone; of a failure all that it says.
std::string text_of(const Value& value);
std::string text_of(const Error& error);
std::string bytes_text(const Slice& bytes);
// A reply, decoded: every field but those that a clock decides.
std::string text_of(Kind kind, bool failed, const std::string& metadata);
// What was counted since `before`. How many sessions have ended by now, and how many signatures of
// peers came in time for the audit log, is a matter of threads.
std::string stats_text(const StatsReply& before, const StatsReply& now);

class Names {
 public:
  // Words of 32 or 64 hexadecimal digits become #1, #2, ...
  std::string without_random(const std::string& text);

 private:
  std::map<std::string, int> known_;
};

}  // namespace curia::test
