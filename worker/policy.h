// What this party agreed to: its grants, and the decision for one value to one recipient (R6a).
//
// With no grant nothing leaves, neither in plain nor as shares. A grant to share says among whom,
// and covers no plaintext: what is revealed later needs a grant of its own. A grant narrowed to
// programs covers a value only if every program that the source's data went through on the way is
// among them. Thread: immutable after start, any.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "protocol/digest.h"
#include "protocol/label.h"

namespace curia {

struct Grant {
  std::string source;              // name of a dataset of this party
  std::string to;                  // principal: a party or a driver; "" for a grant to share
  std::set<Digest> programs;       // empty: any program
  std::set<std::string> releases;  // names of outputs, labels of moves; empty: any
  std::optional<std::chrono::system_clock::time_point> until;
  // Of a grant to share: the members of the device, in any order, and what they run.
  std::set<std::string> members;
  std::string protocol;

  std::string str() const;
};

// A value on its way to `recipient`, as far as one source of this party is concerned.
struct ReleaseQuestion {
  std::string source;
  std::set<Digest> programs;      // that the source's data went through, the releasing one included
  std::string recipient;          // "" for a share
  std::string release;            // name of the output, or label of the transfer, share or reveal
  std::set<std::string> members;  // of the device it would be shared with
  std::string protocol;
};

// Empty: allowed. Else one sentence: what is missing and what would allow it.
std::string refusal(const std::vector<Grant>& grants, const std::string& party,
                    const ReleaseQuestion& question, std::chrono::system_clock::time_point now);

// "2027-01-31T00:00:00Z". Errors: kInvalid.
std::chrono::system_clock::time_point parse_time(const std::string& text);

}  // namespace curia
