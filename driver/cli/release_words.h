// Release plans on the command line: how they are read, made of a program, and shown. Thread: the
// main thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "driver/cli/command.h"
#include "protocol/release_plan.h"

namespace curia {

struct PlanFlags {
  std::string program;                 // in JSON form, a release plan, or a driver program to run
  std::vector<std::string> arguments;  // of a driver program
  std::vector<std::string> fetches;    // of a program in JSON form; none: all its outputs
};

// Of a driver program: runs it, with its sessions planning only. Of a program in JSON form: asks
// the parties for the lineages of its datasets. Errors: kInvalid.
ReleasePlan read_release_plan(const PlanFlags& flags, const Global& global);

// What would be released, to whom, from which sources, by which ops, at which cost; `owner`: only
// what needs its consent; "": all.
std::string release_words(const ReleasePlan& plan, const CheckedPlan& checked,
                          const std::string& owner);
nlohmann::ordered_json release_json(const ReleasePlan& plan, const CheckedPlan& checked,
                                    const std::string& owner);

}  // namespace curia
