// A driver program of two runs that alice approves, and its plan.
#pragma once

#include <string>

#include "protocol/approval.h"
#include "protocol/release_plan.h"
#include "tests/hostile/attempt.h"

namespace curia {

// The sum of alice's rows, times a number that the driver puts: to bob, and to the driver.
struct Script {
  std::string dataset = "bound";
  std::int64_t factor = 1;
  std::string salt = "a salt that nobody else knows";
  std::string to = "bob";
  bool largest = false;  // instead of the sum

  // The first run: alice's rows times the number, at alice.
  Ref scale(Session& session) const;
  Ref run(Session& session) const;
  std::int64_t fetch(Session& session) const;
  std::int64_t truth() const;
  // As the attempt to fetch it.
  Learnt take(Session& session) const { return {{fetch(session)}, {truth()}}; }
};

// What `script` would release, as a session that plans it says.
ReleasePlan planned(World& world, const std::function<void(Session&)>& script);
// Not signed: alice's agreement to all of it.
Approval agreed(const ReleasePlan& plan, std::int64_t times = 1);
// Puts these texts, and nothing else, into the folder of alice's approvals.
void set_files(World& world, const std::vector<std::string>& texts);
// Signs it, and has alice take it. Nothing in a world where everything is granted.
void approve(World& world, Approval approval);
// All that `script` does, so many times.
void approve(World& world, const std::function<void(Session&)>& script, std::int64_t times = 1);
void approve(World& world, const Script& script, std::int64_t times = 1);

}  // namespace curia
