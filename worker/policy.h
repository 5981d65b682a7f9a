// What this party agreed to: who may compute, its grants and approvals, and the decision for one
// value to one recipient (R6a, R6b, R6c).
//
// With no grant nothing leaves, neither in plain nor as shares. A grant to share says among whom,
// and covers no plaintext: what is revealed later needs a grant of its own. A grant narrowed to
// programs covers a value only if every program that the source's data went through on the way is
// among them. An approval covers exactly the values whose lineages it names. A rule covers what
// depends on the source through releases with differential privacy alone, within a budget.
// Thread: a policy is immutable, any; PolicyBoard: any.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "protocol/approval.h"
#include "protocol/device.h"
#include "protocol/digest.h"
#include "protocol/label.h"
#include "protocol/lineage.h"
#include "protocol/utc.h"

namespace curia {

struct Grant {
  std::string source;              // name of a dataset of this party
  std::string to;                  // principal: a party or a driver; "" for a grant to share
  std::set<Digest> programs;       // empty: any program
  std::set<std::string> releases;  // names of outputs, labels of moves; empty: any
  std::optional<UtcTime> until;
  // Of a grant to share: the members of the device, in any order, and what they run.
  std::set<std::string> members;
  std::string protocol;
  std::int64_t times = 0;  // how many releases it covers; 0: any number
  std::string name;        // tells grants apart that are otherwise the same

  std::string str() const;
  // What uses are counted for. Without `until` and `times`: an owner may extend a grant, and what
  // was used stays used.
  Digest id() const;
};

// What `to` may learn of the source by releases with differential privacy (dp_ ops), all together
// and for ever.
struct Rule {
  std::string source;  // name of a dataset of this party
  std::string to;      // principal
  double epsilon = 0;
  double delta = 0;

  std::string str() const;
};

// A secure device that this party takes part in, or lets its data be shared on.
struct AcceptedDevice {
  std::set<std::string> members;
  std::string protocol;
  bool operator==(const AcceptedDevice&) const = default;
};

struct Policy {
  std::map<std::string, std::string> drivers;  // who may open sessions -> public key
  std::vector<Grant> grants;
  std::vector<Rule> rules;                             // at most one of a source and principal
  std::optional<std::vector<AcceptedDevice>> devices;  // none: any that a grant to share names
  std::map<std::string, Digest> approvers;             // who may sign for this party -> public key
  std::vector<Approval> approvals;                     // with good signatures of approvers

  // Which approved releases name a value: number of the approval -> numbers of its releases.
  using Approved = std::map<std::size_t, std::vector<std::uint32_t>>;
  const Approved& approved(const Digest& pattern) const;
  // After `approvals` have changed.
  void index();

  // nullptr where there is none.
  const Rule* rule(const std::string& source, const std::string& to) const;

  bool accepts(const std::set<std::string>& members, const std::string& protocol) const;

 private:
  std::map<Digest, Approved> by_pattern_;
};

// The policy that holds now.
class PolicyBoard {
 public:
  std::shared_ptr<const Policy> get() const {
    const std::lock_guard lock(mutex_);
    return policy_;
  }
  void set(Policy policy) {
    auto fresh = std::make_shared<const Policy>(std::move(policy));
    const std::lock_guard lock(mutex_);
    policy_.swap(fresh);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Policy> policy_ = std::make_shared<const Policy>();
};

// A value on its way to `recipient`, as far as one source of this party is concerned.
struct ReleaseQuestion {
  std::string source;
  std::set<Digest> programs;      // that the source's data went through, the releasing one included
  std::string recipient;          // "" for a share
  std::string release;            // name of the output, or label of the transfer, share or reveal
  std::set<std::string> members;  // of the device it would be shared with
  std::string protocol;
  Lineage lineage{};   // of what would be released
  std::string driver;  // whose session it is
  Charges charges{};   // see ConsentItem
};

struct Decision {
  const Grant* grant = nullptr;        // that allows it
  const Approval* approval = nullptr;  // or this
  std::vector<Rule> rules{};           // or these, one for each who learns it
  std::string refused;                 // else one sentence: what is missing and what would allow it
};

// Asked for a use of what has a count: false when none is left.
struct TakeUse {
  std::function<bool(const Grant&)> grant;
  // items: the approved releases that name the value, by number.
  std::function<bool(const Approval&, const std::vector<std::uint32_t>& items)> approval;
  // Of all these rules together; what is missing, "" where nothing is.
  std::function<std::string(const std::vector<Rule>&)> rules;
};

// Grants without a count come first, then approvals, rules, grants with a count.
Decision decide(const Policy& policy, const std::string& party, const ReleaseQuestion& question,
                UtcTime now, const TakeUse& take);

// "bob", or "be shared among alice, bob, carol by replicated3".
std::string whereto(const std::string& recipient, const std::set<std::string>& members,
                    const std::string& protocol);

}  // namespace curia
