#include "protocol/approval.h"

#include <nlohmann/json.hpp>

#include "protocol/error.h"
#include "protocol/fields.h"

namespace curia {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kFormat = 1;
constexpr std::size_t kMaxWords = 16 << 10;

std::set<std::string> names_of(Fields& fields, const char* name) {
  std::set<std::string> names;
  for (const std::string& text : fields.texts_or_none(name)) {
    fields.checked(name, [&] { check_name(text, name); });
    if (!names.insert(text).second) fields.fail(name, "\"" + text + "\" stands here twice");
  }
  return names;
}

ApprovedRelease read_release(Fields fields) {
  ApprovedRelease release;
  release.pattern = fields.digest("pattern");
  if (fields.has("share_among")) {
    release.members = names_of(fields, "share_among");
    release.protocol = fields.text("protocol");
  } else {
    release.to = fields.text("to");
  }
  release.sources = names_of(fields, "sources");
  if (release.sources.empty()) fields.fail("sources", "expected at least one");
  release.what = fields.text("what");
  if (release.what.size() > kMaxWords) fields.fail("what", "this is too long");
  fields.finish();
  return release;
}

void add(Hasher& hasher, const std::set<std::string>& texts) {
  hasher.add(std::uint64_t{texts.size()});
  for (const std::string& text : texts) hasher.add(text);
}

}  // namespace

Digest Approval::id() const {
  Hasher hasher("curia approval 1");
  hasher.add(owner);
  hasher.add(driver);
  hasher.add(static_cast<std::uint64_t>(times));
  hasher.add(time_text(until));
  hasher.add(nonce);
  hasher.add(key);
  hasher.add(std::uint64_t{releases.size()});
  for (const ApprovedRelease& release : releases) {
    hasher.add(release.pattern);
    hasher.add(release.to);
    add(hasher, release.members);
    hasher.add(release.protocol);
    add(hasher, release.sources);
    hasher.add(release.what);
  }
  return hasher.finish();
}

void sign(Approval& approval, const SigningKey& key) {
  approval.key = key.public_key();
  approval.signature = key.sign(approval.id());
}

std::string approval_json(const Approval& approval) {
  Json releases = Json::array();
  for (const ApprovedRelease& release : approval.releases) {
    Json json = {{"what", release.what}};
    if (release.members.empty()) {
      json["to"] = release.to;
    } else {
      json["share_among"] = release.members;
      json["protocol"] = release.protocol;
    }
    json["sources"] = release.sources;
    json["pattern"] = release.pattern.hex();
    releases.push_back(std::move(json));
  }
  return Json{{"curia_approval", kFormat},
              {"owner", approval.owner},
              {"driver", approval.driver},
              {"times", approval.times},
              {"until", time_text(approval.until)},
              {"releases", releases},
              {"nonce", approval.nonce.hex()},
              {"key", approval.key.hex()},
              {"signature", signature_hex(approval.signature)}}
             .dump(2) +
         "\n";
}

Approval approval_from_json(std::string_view json, const std::string& name) {
  if (std::ssize(json) > kMaxApprovalBytes) {
    throw Error(Code::kInvalid, name + ": an approval has at most " +
                                    std::to_string(kMaxApprovalBytes >> 20) + " MiB");
  }
  Fields fields = Fields::of_text(json, name);
  fields.number("curia_approval", kFormat, kFormat);
  Approval approval;
  approval.owner = fields.text("owner");
  approval.driver = fields.text("driver");
  approval.times = fields.number("times", 1, kMaxApprovalTimes);
  const std::string until = fields.text("until");
  approval.until = fields.checked("until", [&] { return parse_time(until); });
  for (Fields& release : fields.list_or_none("releases")) {
    approval.releases.push_back(read_release(std::move(release)));
  }
  if (approval.releases.empty() || std::ssize(approval.releases) > kMaxApprovalReleases) {
    fields.fail("releases", "expected 1 to " + std::to_string(kMaxApprovalReleases));
  }
  approval.nonce = fields.digest("nonce");
  approval.key = fields.digest("key");
  const std::string signature = fields.text("signature");
  approval.signature = fields.checked("signature", [&] { return parse_signature(signature); });
  fields.finish();
  return approval;
}

}  // namespace curia
