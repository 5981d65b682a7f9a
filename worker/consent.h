// Whether a value may move to a recipient: every owner in its label must agree (DESIGN section 8).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "protocol/device.h"
#include "protocol/label.h"
#include "protocol/lineage.h"
#include "worker/parts.h"

namespace curia {

// One value that would move to one recipient, or be shared with the members of a secure device.
struct ReleaseWish {
  LabelPtr label;
  std::string recipient;  // "" for a share
  Digest program;         // that releases it
  std::string release;    // name of the output, or label of the transfer, share or reveal
  std::uint32_t op = kNoOp;
  SecureDevice device{};  // of a share: every owner accepts who is in it, also a member itself
  Lineage lineage{};
};

// Bytes of a refusal. All of a request have room in one message, with names as long as they may be.
inline constexpr std::int64_t kMaxConsentReason = 1280;

struct ReleaseContext {
  std::string driver;   // principal of the session: its own puts need no further consent
  std::string session;  // hex
  std::uint64_t task = 0;
  Digest instance;
};

// Calls `done` exactly once, on this or another thread: with an empty text when every owner agreed
// to every wish, else with one sentence for each refusal, "; " between them.
void check_release(Parts& parts, const ReleaseContext& context,
                   const std::vector<ReleaseWish>& wishes,
                   std::function<void(const std::string& refused)> done);

// The owner's side: decides by this party's policy alone. Calls `done` exactly once, on this or the
// audit's thread; where it says yes, the decision is in the audit log on the disk, and the uses of
// grants with a count are counted. `asker`: the party that will send the value.
void answer_consent(Parts& parts, const std::string& asker, const ConsentRequest& request,
                    std::function<void(const ConsentReply&)> done);
// What the answer would be now. Nothing is counted or journalled.
ConsentReply foresee_consent(const Parts& parts, const ConsentRequest& request);

// Reasons come from other workers and end in logs, in lines of their own.
std::string one_line(std::string text);

// Counts again what a record of the log says was used. Errors: kInvalid for a malformed record.
void replay_consent(const AuditRecord& record, Parts& parts);

}  // namespace curia
