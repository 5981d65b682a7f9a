#include "protocol/audit_verify.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>
#include <utility>

#include "protocol/error.h"

namespace curia {
namespace {

using Json = nlohmann::ordered_json;

std::string number(std::uint64_t record) { return "record " + std::to_string(record); }

std::string span(std::uint64_t first, std::uint64_t last) {
  return first == last ? number(first)
                       : "records " + std::to_string(first) + " to " + std::to_string(last);
}

std::uint64_t parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw Error(Code::kInvalid, "expected the number of a record");
  }
  return value;
}

class Verifier {
 public:
  Verifier(const std::vector<SeenHead>& seen, const Digest& key, const AuditChecks& checks)
      : seen_(seen), checks_(checks) {
    report_.key = key;
    for (const SeenHead& head : seen) hashes_[head.head.sequence] = {};
  }

  AuditReport run(std::istream& log) {
    AuditReader reader(log);
    while (const auto frame = reader.next()) {
      if (!check(*frame)) break;
    }
    report_.cut_bytes = reader.left();
    if (checks_.last_head) check_last_head();
    if (checks_.order) check_order();
    if (checks_.heads) check_heads();
    if (checks_.tail) check_tail();
    std::ranges::stable_sort(report_.problems, {}, &AuditProblem::record);
    return std::move(report_);
  }

 private:
  // A signature, and what it is of.
  struct LastHead {
    std::uint64_t record = 0;
    std::uint64_t signs = 0;
    Digest hash;
    std::string signature;
  };

  void problem(std::uint64_t record, std::string text) {
    if (std::ssize(report_.problems) < kMaxAuditProblems) {
      report_.problems.push_back({record, std::move(text)});
    }
  }

  bool check(const AuditReader::Frame& frame) {
    AuditRecord record;
    try {
      record = decode_audit(frame.bytes);
    } catch (const Error&) {
      problem(report_.last + 1, "what follows " + number(report_.last) +
                                    " is no record: it was edited, or the disk has lost it");
      return false;
    }
    const bool in_order = record.sequence == report_.last + 1;
    const bool whole = in_order && audit_hash(previous_, frame.bytes) == frame.hash;
    if (checks_.hashes && in_order && !whole) {
      problem(record.sequence,
              number(record.sequence) + " (" + std::string(audit_kind_name(record.kind)) + ", " +
                  audit_time(record.time_ms) + ") was edited: its bytes do not give its hash");
    }
    if (report_.records == 0) begin(record);
    if (record.kind == AuditKind::kStart) check_start(record);
    ++report_.unsigned_records;
    if (record.kind == AuditKind::kConsent) ++report_.unsigned_consents;
    // Where signatures are not checked one by one, one that a crash has spoilt is none.
    const bool signs = checks_.signatures || !checks_.last_head || whole;
    if (record.kind == AuditKind::kHead && signs) check_signature(record);
    order_.push_back(record.sequence);
    if (const auto wanted = hashes_.find(record.sequence); wanted != hashes_.end()) {
      wanted->second = frame.hash;
    }
    previous_ = frame.hash;
    report_.last = record.sequence;
    ++report_.records;
    return true;
  }

  void begin(const AuditRecord& record) {
    report_.party = record.field("party");
    if (!report_.key.empty()) return;
    try {
      report_.key = Digest::parse(record.field("key"));
    } catch (const Error&) {
      problem(record.sequence,
              number(record.sequence) + " stands first, and does not say whose log this is");
    }
  }

  void check_start(const AuditRecord& record) {
    if (!checks_.signatures) return;
    if (record.field("party") == report_.party && record.field("key") == report_.key.hex()) return;
    problem(record.sequence, number(record.sequence) + " begins the log of " +
                                 std::string(record.field("party")) + " with key " +
                                 std::string(record.field("key")) + ", expected " + report_.party +
                                 " with key " + report_.key.hex());
  }

  void check_signature(const AuditRecord& record) {
    const LastHead head{record.sequence, report_.last, previous_,
                        std::string(record.field("signature"))};
    if (!checks_.signatures) last_head_ = head;
    if (!checks_.signatures || good(head)) {
      report_.signed_to = report_.last;
      report_.unsigned_records = report_.unsigned_consents = 0;
      return;
    }
    problem(record.sequence, "the signature in " + number(record.sequence) +
                                 " does not belong to what stands before it: " +
                                 span(std::min(report_.signed_to + 1, report_.last), report_.last) +
                                 " are not as the worker wrote them");
  }

  bool good(const LastHead& head) const {
    try {
      return AuditHead{head.signs, head.hash, report_.key, parse_signature(head.signature)}.good(
          report_.party);
    } catch (const Error&) {
      return false;  // it is no signature
    }
  }

  void check_last_head() {
    if (!last_head_ || good(*last_head_)) return;
    report_.last_head_bad = true;
    problem(last_head_->record, "the signature in " + number(last_head_->record) +
                                    " does not belong to what stands before it");
  }

  void check_tail() {
    const std::uint64_t tail = report_.unsigned_records;
    if (tail == 0) return;
    const bool none = report_.signed_to == 0;
    if (!none && report_.unsigned_consents == 0 && tail <= kMaxAuditTail) return;
    std::string text = none ? "nothing in this log is signed: none of its " : "";
    text += std::to_string(tail) + " records" +
            (none ? " is vouched for" : " after the last signature are not vouched for");
    if (report_.unsigned_consents != 0) {
      text += "; " + std::to_string(report_.unsigned_consents) +
              " of them are consents, which a worker never leaves unsigned";
    }
    // At the end of the list: what else is wrong says more.
    problem(report_.last, std::move(text));
  }

  void check_order() {
    std::vector<std::uint64_t> sorted = order_;
    std::ranges::sort(sorted);
    std::uint64_t last = 0;
    for (const std::uint64_t record : order_) {
      const std::uint64_t before = std::exchange(last, record);
      if (record == before + 1) continue;
      const auto next = std::ranges::upper_bound(sorted, before);
      const bool missing = record > before && next != sorted.end() && *next == record;
      if (missing) {
        problem(record, span(before + 1, record - 1) + (record - before > 2 ? " were" : " was") +
                            " removed: " + number(record) + " follows " +
                            (before == 0 ? "the beginning" : number(before)));
      } else {
        problem(record, number(record) + " stands behind " + number(before) +
                            ": records were put in another order, or in twice");
      }
    }
  }

  void check_heads() {
    for (const SeenHead& seen : seen_) {
      if (seen.party != report_.party) continue;
      const AuditHead& head = seen.head;
      const std::string who = seen.seen_by + " saw " + number(head.sequence) + " of " +
                              report_.party + " on " + audit_time(seen.time_ms);
      if (!head.good(seen.party)) {
        problem(head.sequence, who + ", but the signature of that head is not good");
      } else if (head.key != report_.key) {
        problem(head.sequence, who + ", signed with key " + head.key.hex() +
                                   " and not with this log's: one of the two is not of " +
                                   report_.party + "'s worker");
      } else if (head.sequence > report_.last) {
        problem(report_.last, who + ", but this log ends with " + number(report_.last) + ": " +
                                  span(report_.last + 1, head.sequence) +
                                  (head.sequence > report_.last + 1 ? " were" : " was") +
                                  " cut off");
      } else if (hashes_.at(head.sequence) != head.hash) {
        problem(head.sequence, who + ", and it was another than the one here: there are two " +
                                   "histories (a fork) that part at or before " +
                                   number(head.sequence));
      } else {
        report_.seen_to = std::max(report_.seen_to, head.sequence);
      }
    }
  }

  const std::vector<SeenHead>& seen_;
  const AuditChecks checks_;
  AuditReport report_;
  Digest previous_;
  std::optional<LastHead> last_head_;
  std::vector<std::uint64_t> order_;
  std::unordered_map<std::uint64_t, Digest> hashes_;  // of the records that others saw
};

}  // namespace

AuditRecord peer_head_record(const std::string& party, const AuditHead& head) {
  AuditRecord record;
  record.kind = AuditKind::kPeerHead;
  record.principal = party;
  record.fields = {{"record", std::to_string(head.sequence)},
                   {"hash", head.hash.hex()},
                   {"key", head.key.hex()},
                   {"signature", signature_hex(head.signature)}};
  return record;
}

AuditHead peer_head_of(const AuditRecord& record) {
  return {parse_number(record.field("record")), Digest::parse(record.field("hash")),
          Digest::parse(record.field("key")), parse_signature(record.field("signature"))};
}

std::vector<SeenHead> seen_heads(std::istream& log) {
  std::vector<SeenHead> heads;
  std::string party;
  AuditReader reader(log);
  while (const auto frame = reader.next()) {
    try {
      const AuditRecord record = decode_audit(frame->bytes);
      if (record.kind == AuditKind::kStart) party = record.field("party");
      if (record.kind != AuditKind::kPeerHead) continue;
      heads.push_back({party, record.principal, record.time_ms, peer_head_of(record)});
    } catch (const Error&) {
      // Whether this log is whole is another question; a head speaks for itself.
    }
  }
  return heads;
}

std::string heads_json(const std::vector<SeenHead>& heads) {
  Json list = Json::array();
  for (const SeenHead& seen : heads) {
    list.push_back({{"seen_by", seen.seen_by},
                    {"party", seen.party},
                    {"time_ms", seen.time_ms},
                    {"record", seen.head.sequence},
                    {"hash", seen.head.hash.hex()},
                    {"key", seen.head.key.hex()},
                    {"signature", signature_hex(seen.head.signature)}});
  }
  return Json{{"heads", std::move(list)}}.dump(2, ' ', true, Json::error_handler_t::replace);
}

std::vector<SeenHead> parse_heads(const std::string& json) {
  const auto document = nlohmann::json::parse(json, nullptr, false);
  if (!document.is_object() || !document.contains("heads") || !document["heads"].is_array()) {
    throw Error(Code::kInvalid, "expected a list of heads as `curia audit heads` prints it");
  }
  std::vector<SeenHead> heads;
  for (const auto& entry : document["heads"]) {
    try {
      heads.push_back({entry.at("seen_by"),
                       entry.at("party"),
                       entry.at("time_ms"),
                       {entry.at("record"), Digest::parse(entry.at("hash").get<std::string>()),
                        Digest::parse(entry.at("key").get<std::string>()),
                        parse_signature(entry.at("signature").get<std::string>())}});
    } catch (const nlohmann::json::exception&) {
      throw Error(Code::kInvalid, "head " + std::to_string(heads.size() + 1) +
                                      " of the list: expected seen_by, party, time_ms, record, " +
                                      "hash, key and signature");
    }
  }
  return heads;
}

AuditReport verify_audit(std::istream& log, const std::vector<SeenHead>& seen, const Digest& key,
                         const AuditChecks& checks) {
  return Verifier(seen, key, checks).run(log);
}

}  // namespace curia
