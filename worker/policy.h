// What this party agreed to: who may compute, its grants, and the decision for one value to one
// recipient (R6a).
//
// With no grant nothing leaves, neither in plain nor as shares. A grant to share says among whom,
// and covers no plaintext: what is revealed later needs a grant of its own. A grant narrowed to
// programs covers a value only if every program that the source's data went through on the way is
// among them. Thread: a policy is immutable, any; PolicyBoard: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "protocol/device.h"
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
  std::int64_t times = 0;  // how many releases it covers; 0: any number
  std::string name;        // tells grants apart that are otherwise the same

  std::string str() const;
  // What uses are counted for. Without `until` and `times`: an owner may extend a grant, and what
  // was used stays used.
  Digest id() const;
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
  std::optional<std::vector<AcceptedDevice>> devices;  // none: any that a grant to share names

  bool accepts(const std::set<std::string>& members, const std::string& protocol) const;
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
};

struct Decision {
  const Grant* grant = nullptr;  // that allows it
  std::string refused;           // else one sentence: what is missing and what would allow it
};

// `take` is asked for a use of a grant with a count: false when none is left. Grants without a
// count come first.
Decision decide(const Policy& policy, const std::string& party, const ReleaseQuestion& question,
                std::chrono::system_clock::time_point now,
                const std::function<bool(const Grant&)>& take);

// "bob", or "be shared among alice, bob, carol by replicated3".
std::string whereto(const std::string& recipient, const std::set<std::string>& members,
                    const std::string& protocol);

// "2027-01-31T00:00:00Z". Errors: kInvalid.
std::chrono::system_clock::time_point parse_time(const std::string& text);
std::string time_text(std::chrono::system_clock::time_point time);

}  // namespace curia
