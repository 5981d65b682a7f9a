// What a worker is made of. main (or the simulation) builds the parts and hands them, by reference,
// to the server and its sessions, which they outlive. No part is a singleton.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "protocol/link/link.h"
#include "protocol/message.h"
#include "store/object_store.h"
#include "worker/approval_uses.h"
#include "worker/audit.h"
#include "worker/grant_uses.h"
#include "worker/policy.h"
#include "worker/privacy_budgets.h"
#include "worker/sent_copies.h"
#include "worker/traffic_board.h"
#include "worker/wait_board.h"

namespace curia {

class ReleaseRules;
class ThreadPool;

// The rules of every worker but those of tests: release_rules.h.
const ReleaseRules& standard_rules();

// A named dataset of this party. Invariant: immutable snapshot; its lineage is random, so that it
// says nothing about the content.
struct Dataset {
  ValuePtr value;
  Type type;
  Digest lineage;
  Ranges ranges = {};  // every cell is within; drivers may know them
};

// Asks other owners' workers for consent. Thread: any.
class Consents {
 public:
  virtual ~Consents() = default;
  // The answer, or the error that stands for it, comes on another thread, exactly once.
  using Answer = std::function<void(const ConsentReply*, const Error*)>;
  virtual void ask(const std::string& owner, const ConsentRequest& request, Answer answer) = 0;
};

// Counters shown by `stats`; only ever added to.
struct Counters {
  std::atomic<std::int64_t> runs{0};
  std::atomic<std::int64_t> failed_runs{0};
  std::atomic<std::int64_t> puts{0};
  std::atomic<std::int64_t> fetches{0};
  std::atomic<std::int64_t> denied{0};
  std::atomic<std::int64_t> refused_messages{0};
  std::atomic<std::int64_t> bytes_to_driver{0};    // bodies of fetched values
  std::atomic<std::int64_t> bytes_from_driver{0};  // bodies of values put
  std::atomic<std::int64_t> mpc_rounds{0};         // on secure devices
  std::atomic<std::int64_t> mpc_bytes{0};          // sent to other members
};

struct Parts {
  std::string party;
  std::uint64_t epoch = 1;
  ObjectStore* store = nullptr;
  Link* link = nullptr;
  Consents* consents = nullptr;
  ThreadPool* pool = nullptr;
  std::map<std::string, Dataset> datasets;
  PolicyBoard policy;
  const ReleaseRules* rules = &standard_rules();
  GrantUses uses;
  ApprovalUses approval_uses;
  PrivacyBudgets budgets;
  Audit* audit = nullptr;  // none in tests of single parts: then consents are not journalled
  std::int64_t lease_ms = 30'000;
  WaitBoard waits;
  Counters counters;
  TrafficBoard traffic;
  SentCopies copies;
  // For the party's own people: may say what no driver may learn, and never a cell. Thread: any.
  std::function<void(const std::string&)> log = [](const std::string&) {};
};

}  // namespace curia
