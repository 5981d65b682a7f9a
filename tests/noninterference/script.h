// A script: everything that a driver does in one session, and what alice allows, drawn from a seed.
// It is the same for every dataset of alice, so whatever differs in what is seen comes from her
// data.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "protocol/graph.h"
#include "protocol/value.h"
#include "protocol/verify.h"
#include "worker/policy.h"

namespace curia::test {

inline const std::vector<std::string> kAllParties = {"alice", "bob", "carol", "dan"};
inline const std::string kDriver = "dora";

struct Step {
  enum class Kind : std::uint8_t {
    kPut,
    kRun,
    kFetch,     // from every party named
    kDescribe,  // `uri` at every party named
    kDataset,   // describe the dataset named in `uri`
    kList,
    kRelease,
    kStats,
    kGrants,
    kCheck,  // would source `uri` of alice's go to the driver as "out" of the program?
  };
  Kind kind = Kind::kRun;
  std::vector<std::string> parties;
  std::string uri;
  Type type;        // of a put
  ValuePtr value;   // of a put
  int program = 0;  // of a run
  // Of a run: who is given another program by the same task; "" nobody.
  std::string deceived;
  int other_program = 0;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
};

// What steps need to know of a program.
struct KnownProgram {
  std::string bytes;
  Digest digest;
  Verified verified;
  // By number of the op:
  std::map<std::uint32_t, std::string> names;
  std::map<std::uint32_t, std::vector<std::string>> parties;
  std::map<ValueId, std::uint32_t> maker;  // op of a value that no region makes
};
KnownProgram known_program(const Graph& graph);

struct Script {
  std::uint64_t seed = 0;
  std::vector<Graph> programs;
  std::vector<KnownProgram> known;  // one for each of them
  std::vector<Step> steps;
  std::vector<Grant> grants;  // alice's
  // Of what alice is asked for, how much she approves by its lineage, in percent; and these
  // approvals. What she is asked for, a rehearsal tells.
  int approves = 0;
  std::vector<ApprovedRelease> approved;
  std::set<std::string>
      coalition;                  // who pools what it sees: mostly the driver, parties; never alice
  std::set<std::string> objects;  // every URI that may exist at the end

  std::string str() const;  // for people: programs, steps, grants
};

// What happened in one play of a script on one dataset.
struct Sight {
  std::vector<std::string> view;  // one entry a step: all that the coalition saw in it
  std::string released;           // the values that alice let the coalition have, in order
  bool opaque = false;            // a release whose value only the coalition's view tells
  int given = 0;                  // releases that alice agreed to, of whatever recipient
  int denied = 0;
  std::set<int> ran;  // programs that ran to their end
};

}  // namespace curia::test
