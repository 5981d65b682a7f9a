// What a driver program will run and fetch, so that owners can see beforehand what would be
// released, and agree to exactly that.
//
// A plan is a driver's claim, and is not trusted: lineages are computed from the programs in it. If
// a plan shows something else than what is run, the patterns differ, and an approval of the one
// does not cover the other. Thread: values, so any.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/approval.h"
#include "protocol/flow.h"
#include "protocol/graph.h"
#include "protocol/lineage.h"
#include "protocol/verify.h"

namespace curia {

inline constexpr std::int64_t kMaxPlanSteps = 4096;
inline constexpr std::int64_t kMaxPlanBytes = 64 << 20;

// Where an external of a step comes from.
struct Origin {
  enum class Kind : std::uint8_t {
    kDataset,  // `id`: its snapshot
    kPut,      // by the driver; `id`: of the put
    kOutput,   // of an earlier step: `step`, `number`
    kSaved,    // by an earlier step: `step`, `number` of the op, `time`
  };
  Kind kind = Kind::kDataset;
  Digest id;
  std::uint32_t step = 0;
  std::uint32_t number = 0;
  std::uint64_t time = 0;
  Site site{};             // of a put: the line of the driver program
  bool committed = false;  // of a put: `id` is the same whenever the same is put
};

struct PlannedStep {
  Graph graph;
  std::vector<Origin> origins;  // one for each external, in order (flow.h)
};

struct PlannedFetch {
  std::uint32_t step = 0;
  std::uint32_t output = 0;
};

struct ReleasePlan {
  std::string driver;
  std::vector<PlannedStep> steps;
  std::vector<PlannedFetch> fetches;
};

std::string plan_json(const ReleasePlan& plan);
// `name`: of the file, for messages. Errors: kInvalid, naming field or op.
ReleasePlan plan_from_json(std::string_view json, const std::string& name);

// One value that would move to one recipient, or be shared.
struct PlannedRelease {
  Lineage lineage;
  std::uint32_t step = 0;
  std::string action;  // "fetch", "transfer", "reveal", "share", or the op a predicate steers
  std::string name;    // of the output, or label of the move
  Site site{};
  std::string type;               // of what moves: "f64[4]"
  std::vector<std::string> from;  // who holds it
  std::string to;                 // "" for a share
  std::vector<std::string> members;
  std::string protocol;
  LabelPtr label;
  std::vector<std::string> ops;  // on the way, by step: "sum (means.cc:14)", without doubles
  // Puts on the way: what they are is a principal's claim. As text.
  std::vector<std::string> claims;
  std::vector<std::string> unsettled;  // why no approval can name it; else empty

  // Of an owner's datasets, those that it derives from.
  std::set<std::string> sources_of(const std::string& owner) const;
  // Who has to agree.
  std::set<std::string> owners() const;
  // What it costs by rules of owners, for each source that only dp_ ops release: "epsilon 0.5 of
  // alice/x".
  std::vector<std::string> privacy() const;
  // In words, without a line's end: what, from which sources, to whom.
  std::string str() const;
};

// A step with what follows from it.
struct CheckedStep {
  Verified verified;
  Digest program;
  std::vector<External> outside;
  Flow flow;
};

struct CheckedPlan {
  std::vector<CheckedStep> steps;
  std::vector<PlannedRelease> releases;
};
// Verifies every step, and computes what is released. Errors: kInvalid, with step, op and line;
// kQuota above kMaxApprovalReleases.
CheckedPlan check_plan(const ReleasePlan& plan);

// What an owner would sign, without times, until, nonce and signature: all releases that need this
// owner's consent. Errors: kInvalid where one of them cannot be approved, saying why.
Approval approval_of(const ReleasePlan& plan, const CheckedPlan& checked, const std::string& owner);

}  // namespace curia
