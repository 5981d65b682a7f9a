// An owner's signed agreement to certain values going to certain recipients (DESIGN section 8,
// R6b). A value is named by the pattern of its lineage, so nothing else can be put in its place.
//
// An approval covers `times` executions. Each belongs to one session, binds every variable of the
// patterns to one instance, and has each release at most once. Thread: values, so any.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/digest.h"
#include "protocol/signature.h"
#include "protocol/utc.h"

namespace curia {

inline constexpr std::int64_t kMaxApprovalReleases = 4096;
inline constexpr std::int64_t kMaxApprovalTimes = 1'000'000;
inline constexpr std::int64_t kMaxApprovalBytes = 16 << 20;

struct ApprovedRelease {
  Digest pattern;
  std::string to;                 // principal; "" for a share
  std::set<std::string> members;  // of a share: of the device, in any order
  std::string protocol;
  std::set<std::string> sources;  // names of the owner's datasets that it derives from
  std::string what;               // what the owner was shown, in words

  bool operator==(const ApprovedRelease&) const = default;
};

struct Approval {
  std::string owner;
  std::string driver;  // whose sessions it covers
  std::int64_t times = 1;
  UtcTime until;
  std::vector<ApprovedRelease> releases;
  Digest nonce;  // tells two approvals of the same apart
  Digest key;    // public, of who signed
  Signature signature{};

  // Of all but the signature: what is signed, and what uses are counted for.
  Digest id() const;
  bool good() const { return verify_signature(key, id(), signature); }

  bool operator==(const Approval&) const = default;
};

// Sets key and signature.
void sign(Approval& approval, const SigningKey& key);

std::string approval_json(const Approval& approval);
// `name`: of the file, for messages. The signature is not checked. Errors: kInvalid, naming the
// field.
Approval approval_from_json(std::string_view json, const std::string& name);

}  // namespace curia
