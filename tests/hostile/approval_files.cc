// Approvals as files: edited, signed by others, copied. The owner's worker does not take them, and
// its old policy holds.
#include "tests/hostile/script.h"

namespace curia {
namespace {

Approval fresh(Trial& trial) {
  return agreed(planned(trial.world(), [](Session& session) { Script{}.fetch(session); }));
}

// alice finds this file in her folder.
Learnt offered(Trial& trial, const std::string& text, const std::string& why) {
  trial.expect({"alice", AuditKind::kPolicyRefused, "", "", "why", why});
  set_files(trial.world(), {text});
  const bool taken = trial.world().reload();
  const Error error = trial.refused([&] { Script{}.fetch(trial.session()); });
  set_files(trial.world(), {});
  if (taken) return {{1}, {1}};
  throw error;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  Trial::must(at != std::string::npos, "the approval has " + from);
  return text.replace(at, from.size(), to);
}

Learnt edited_times(Trial& trial) {
  Approval approval = fresh(trial);
  sign(approval, trial.world().approver());
  approval.times = 1000;
  return offered(trial, approval_json(approval), "changed after it was signed");
}

Learnt edited_recipient(Trial& trial) {
  Approval approval = fresh(trial);
  sign(approval, trial.world().approver());
  approval.releases.at(0).to = "mallory";
  return offered(trial, approval_json(approval), "changed after it was signed");
}

Learnt edited_words(Trial& trial) {
  Approval approval = fresh(trial);
  sign(approval, trial.world().approver());
  approval.releases.at(0).what = "nothing of any weight";
  return offered(trial, approval_json(approval), "changed after it was signed");
}

Learnt own_key(Trial& trial) {
  Approval approval = fresh(trial);
  sign(approval, SigningKey::generate());
  return offered(trial, approval_json(approval), "none of the approvers");
}

Learnt pasted_signature(Trial& trial) {
  Approval small = fresh(trial);
  sign(small, trial.world().approver());
  Approval approval = fresh(trial);
  approval.times = 1000;
  approval.key = small.key;
  approval.signature = small.signature;
  return offered(trial, approval_json(approval), "changed after it was signed");
}

// Signed by the key that alice trusts, but as bob's agreement.
Learnt other_owner(Trial& trial) {
  Approval approval = fresh(trial);
  approval.owner = "bob";
  sign(approval, trial.world().approver());
  return offered(trial, approval_json(approval), "is of bob, not of alice");
}

Learnt more_fields(Trial& trial) {
  Approval approval = fresh(trial);
  sign(approval, trial.world().approver());
  return offered(trial, replaced(approval_json(approval), "{", "{\"also\": \"everything\", "),
                 "also");
}

// The same file twice allows no more.
Learnt copied(Trial& trial) {
  Approval approval = fresh(trial);
  sign(approval, trial.world().approver());
  const std::string text = approval_json(approval);
  set_files(trial.world(), {text, text, text});
  Trial::must(trial.world().reload(), "copies are one approval");
  Trial::must(Script{}.fetch(trial.session()) == Script{}.truth(), "the first use");
  return Script{}.take(trial.session());
}

// Asks in dora's name whether she has an approval, and whether it is used up.
Learnt foreseen_for_another(Trial& trial) {
  approve(trial.world(), Script{});
  RawDriver& mallory = trial.raw("alice");
  ConsentRequest request;
  request.principal = "dora";
  request.items = {{"bound", {}, "bob", random_digest(), "total"}};
  trial.call(mallory, Kind::kCheck, encode(request));
  return {{1}, {1}};
}

}  // namespace

Attempts approval_files() {
  return {
      {"edits how often an approval holds", false, edited_times},
      {"edits whom an approval names", false, edited_recipient},
      {"edits the words that an owner was shown", false, edited_words},
      {"signs an approval with a key of its own", false, own_key},
      {"puts a good signature under another approval", false, pasted_signature},
      {"offers alice an approval of bob's", false, other_owner},
      {"adds a field to an approval", false, more_fields},
      {"copies the file of an approval", false, copied},
      {"asks in another driver's name what is approved", false, foreseen_for_another},
  };
}

}  // namespace curia
