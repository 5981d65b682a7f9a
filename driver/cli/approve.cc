// curia approve: an owner signs what a release plan would release. No worker is asked.
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "driver/cli/command.h"
#include "driver/cli/release_words.h"
#include "driver/files.h"
#include "protocol/fields.h"

namespace curia {
namespace {

struct ApproveFlags {
  std::string plan;
  std::string owner;
  std::string key;
  std::string until;
  std::string out;
  std::int64_t times = 1;
};

SigningKey signing_key_of(const std::string& path) {
  std::string text = read_file(path);
  if (text.ends_with('\n')) text.pop_back();
  try {
    return SigningKey(Digest::parse(text));
  } catch (const Error&) {
    throw Error(Code::kInvalid,
                path + " does not hold a signing key; `curia keygen --signing` makes one");
  }
}

void approve(const ApproveFlags& flags, const Global& global) {
  const ReleasePlan plan = plan_from_json(read_file(flags.plan), flags.plan);
  const CheckedPlan checked = check_plan(plan);
  Approval approval = approval_of(plan, checked, flags.owner);
  approval.times = flags.times;
  try {
    approval.until = parse_time(flags.until);
  } catch (const Error& error) {
    throw Error(Code::kInvalid, "--until: " + error.message());
  }
  if (approval.until <= std::chrono::system_clock::now()) {
    throw Error(Code::kInvalid, "--until: " + flags.until + " has passed");
  }
  approval.nonce = random_digest();
  sign(approval, signing_key_of(flags.key));
  const std::string file = flags.out.empty()
                               ? flags.owner + "-" + approval.id().hex().substr(0, 16) + ".json"
                               : flags.out;
  write_new_file(file, approval_json(approval));
  if (global.json) {
    auto document = release_json(plan, checked, flags.owner);
    document["file"] = file;
    document["approval"] = approval.id().hex();
    document["times"] = approval.times;
    document["until"] = time_text(approval.until);
    return Global::print(document);
  }
  std::fputs(release_words(plan, checked, flags.owner).c_str(), stdout);
  std::printf("\napproved for %s, %lld time(s), until %s: %s\n", plan.driver.c_str(),
              static_cast<long long>(approval.times), time_text(approval.until).c_str(),
              file.c_str());
}

}  // namespace

void add_approve(CLI::App& app, Global& global) {
  auto flags = std::make_shared<ApproveFlags>();
  CLI::App* command =
      app.add_subcommand("approve", "sign what a release plan would release of an owner's data");
  command->add_option("plan", flags->plan, "of `curia plan --release --out`")->required();
  command->add_option("--owner", flags->owner, "the party whose data it is")->required();
  command->add_option("--key", flags->key, "of `curia keygen --signing`")->required();
  command->add_option("--until", flags->until, "such as 2027-01-31T00:00:00Z")->required();
  command->add_option("--times", flags->times, "how often all of it may be done (1)")
      ->check(CLI::Range(std::int64_t{1}, kMaxApprovalTimes));
  command->add_option("--out", flags->out, "the new file (OWNER-ID.json)");
  command->footer(
      "The file belongs into the folder that the worker's policy names as \"approvals\", with the "
      "key among its \"approvers\"; then `curia reload`, or SIGHUP to the worker.");
  command->callback([flags, &global] { approve(*flags, global); });
}

}  // namespace curia
