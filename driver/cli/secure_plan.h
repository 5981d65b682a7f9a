// What a program's ops on secure devices will take, before it runs: rounds, bytes that each party
// sends, memory; and which owners have to agree to what. Thread: any.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "protocol/flow.h"
#include "protocol/graph.h"
#include "protocol/message.h"
#include "protocol/verify.h"

namespace curia {

struct SecureOp {
  std::uint32_t number = 0;
  std::string name;
  std::string device;
  std::string type;  // of the result
  Site site;
  std::int64_t runs = 1;                      // loops multiplied out; the most there can be
  std::int64_t rounds = 0;                    // of one run
  std::map<std::string, std::int64_t> bytes;  // of one run, by the party that sends them
  std::int64_t memory = 0;                    // of one run, at a member
};

// In order of numbers.
std::vector<SecureOp> secure_ops(const Graph& graph, const Verified& verified);

// Rounds, and bytes by party, of all runs of all ops.
struct SecureTotal {
  std::int64_t rounds = 0;
  std::map<std::string, std::int64_t> bytes;
};
SecureTotal total_of(const std::vector<SecureOp>& ops);

// What a run took, beside its plan: for each op the most rounds of any member, and the bytes of
// each. `measured`: by party, from the replies to the run.
nlohmann::ordered_json measured_json(const std::vector<SecureOp>& plan,
                                     const std::map<std::string, std::vector<MpcUse>>& measured);
std::string measured_text(const std::vector<SecureOp>& plan,
                          const std::map<std::string, std::vector<MpcUse>>& measured);

// The flow of a program whose inputs and loaded objects are named for what they are, since their
// owners are known to the workers only.
Flow flow_to_plan(const Graph& graph, const Verified& verified, const Digest& digest,
                  const std::string& driver);

// One sentence for each place where something leaves: "share of {alice/x} among alice, bob, carol
// by replicated3 as "op2" (means.cc:14): alice has to accept these members". The last are the
// outputs, in case the driver fetches them.
std::vector<std::string> release_texts(const Graph& graph, const Flow& flow);

std::string secure_text(const Graph& graph, const Verified& verified);
nlohmann::ordered_json secure_json(const Graph& graph, const Verified& verified);

}  // namespace curia
