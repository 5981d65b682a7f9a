// A prepared program at one worker: the verified graph and what follows from it for this party.
// Owned by the session that prepared it. Thread: the session's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/flow.h"
#include "protocol/graph.h"
#include "protocol/verify.h"

namespace curia {

class ReleaseRules;

struct Plan {
  std::string party;   // this worker
  std::string driver;  // the principal whose program it is
  Graph graph;
  Verified verified;
  Digest digest;
  std::vector<External> outside;
  // An output that this party stores.
  struct Output {
    std::uint32_t number = 0;            // in the graph
    std::size_t part = 0;                // that gives it (calls.h)
    std::optional<std::uint32_t> input;  // whose object it is another name of
  };
  std::vector<Output> outputs;
  std::size_t parts = 1;            // this and its calls
  std::vector<std::string> others;  // the other parties that take part, sorted
  std::int64_t result_bytes = 0;    // the most that this party's results take, where it is known
  std::vector<std::uint32_t> unknown_sizes;  // ops here that take memory which no type tells
  bool takes_part = false;
  // Needs nobody else, no loops, and little memory: may run where it would hold up others.
  bool quick = false;
  // Has branches or loops that values steer: what is sent tells which way they went.
  bool steered = false;

  // Whether a value of the program is on the device.
  bool uses(const SecureDevice& device) const;
  // The number of the last op of a region that uses a value (values with no use: its own op).
  const std::vector<std::uint32_t>& last_use(const TypedRegion& region) const;

  // Labels and releases for these labels of `outside`; the latest result is kept, since runs of one
  // program mostly see the same labels.
  const Flow& flow(const std::vector<LabelPtr>& labels, const ReleaseRules& rules,
                   const Digest& run);

  std::map<const TypedRegion*, std::vector<std::uint32_t>> last_uses;
  std::vector<LabelPtr> flow_labels;
  std::unique_ptr<Flow> known_flow;
};

// Decodes, checks the digest, verifies. Errors: kInvalid, with op and source line where one is at
// fault; kDenied when a driver's name is used as a party's.
std::unique_ptr<Plan> make_plan(const std::string& party, const std::string& driver,
                                const Digest& digest, std::string_view graph_bytes,
                                std::string_view site_bytes);

}  // namespace curia
