#include "worker/approvals.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "protocol/error.h"
#include "protocol/fields.h"

namespace curia {
namespace {

void check(const Approval& approval, const std::string& path, const std::string& party,
           const std::map<std::string, Digest>& approvers) {
  if (approval.owner != party) {
    throw Error(Code::kInvalid, path + ": this approval is of " + approval.owner + ", not of " +
                                    party + "; take it out of the folder");
  }
  const bool known = std::ranges::any_of(
      approvers, [&](const auto& approver) { return approver.second == approval.key; });
  if (!known) {
    throw Error(Code::kInvalid, path + ": key " + approval.key.hex() +
                                    " is none of the approvers; add it to \"approvers\", or take "
                                    "the file out of the folder");
  }
  if (!approval.good()) {
    throw Error(Code::kInvalid, path +
                                    ": the signature does not belong to what the file says, so it "
                                    "was changed after it was signed");
  }
}

}  // namespace

std::vector<Approval> read_approvals(const std::string& folder, const std::string& party,
                                     const std::map<std::string, Digest>& approvers) {
  std::error_code error;
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".json") paths.push_back(entry.path().string());
  }
  if (error) throw Error(Code::kInvalid, "cannot read " + folder + ": " + error.message());
  if (std::ssize(paths) > kMaxApprovals) {
    throw Error(Code::kQuota, folder + " has " + std::to_string(paths.size()) +
                                  " approvals, a worker takes at most " +
                                  std::to_string(kMaxApprovals) + "; remove those that expired");
  }
  std::ranges::sort(paths);
  std::vector<Approval> approvals;
  std::set<Digest> ids;
  for (const std::string& path : paths) {
    Approval approval = approval_from_json(read_file(path), path);
    check(approval, path, party, approvers);
    // A copy of a file allows nothing more.
    if (ids.insert(approval.id()).second) approvals.push_back(std::move(approval));
  }
  return approvals;
}

}  // namespace curia
