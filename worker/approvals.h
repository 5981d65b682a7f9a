// The approvals of a party: files with signed agreements, in one folder. Thread: any.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "protocol/approval.h"

namespace curia {

inline constexpr std::int64_t kMaxApprovals = 10'000;

// All files *.json of the folder, in order of their names. `approvers`: who may sign for `party`,
// with their public keys. Expired ones are taken, too. Errors: kInvalid, naming the file, for what
// is no approval of this party with a good signature of an approver; kQuota.
std::vector<Approval> read_approvals(const std::string& folder, const std::string& party,
                                     const std::map<std::string, Digest>& approvers);

}  // namespace curia
