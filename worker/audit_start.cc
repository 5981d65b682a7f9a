// The audit log as a start finds it: what is good is taken, what a crash left behind it is cut, and
// anything else keeps the worker down.
#include <utility>

#include "protocol/audit_verify.h"
#include "worker/audit.h"

namespace curia {
namespace {

Error changed(const std::string& what) {
  return {Code::kCorrupt,
          "the audit log is not as this worker wrote it: " + what +
              "; look at it with `curia audit verify`, and restore it, or begin with a new "
              "state_dir, which makes a new log and a new key"};
}

}  // namespace

void Audit::open(const std::function<void(const AuditRecord&)>& replay) {
  const AuditMark mark = disk_->mark();
  std::string cut;
  std::uint64_t signed_end = UINT64_MAX;  // the last head, where something stands behind it
  {
    const auto in = disk_->read();
    // The last signature covers all before it; the others would only take time.
    const AuditReport report = verify_audit(
        *in, {}, key_.public_key(), {.signatures = false, .tail = false, .last_head = true});
    if (report.last < mark.records) {
      throw changed("it ends with record " + std::to_string(report.last) + ", but record " +
                    std::to_string(mark.records) + " was on the disk");
    }
    // No crash makes a whole record with a signature of something else.
    if (report.last_head_bad) {
      check_first_key();
      throw changed(report.problems.empty() ? "its last signature is not good"
                                            : report.problems[0].text);
    }
    if (!report.problems.empty()) {
      // A crash can cut or spoil the end behind the mark, and nothing else.
      const AuditProblem& first = report.problems[0];
      if (first.record <= mark.records || first.record < report.last ||
          report.problems.size() > 1) {
        throw changed(first.text);
      }
      cut = first.text;
    }
    if (report.unsigned_records != 0) {
      // Nothing is answered before its signature is on the disk, so nobody relies on these.
      signed_end = report.signed_to == 0 ? 0 : report.signed_to + 1;
      if (signed_end < mark.records) {
        throw changed("record " + std::to_string(mark.records) +
                      " was on the disk, but the last signature is before it");
      }
      cut = std::to_string(report.unsigned_records) + " records behind the last signature, " +
            std::to_string(report.unsigned_consents) + " of them consents, are not taken";
    }
  }
  const auto in = disk_->read();
  const std::int64_t good = take_all(*in, replay, signed_end);
  stats_.records = static_cast<std::int64_t>(last_);
  if (disk_->size() > good) mend(good, cut);
  if (disk_->size() == 0) disk_->append(kAuditMagic);
  // What was read may still be in the system's memory only, and is relied on from here.
  disk_->sync();
  synced_ = last_;
  if (last_ != 0) head_ = sign_head(key_, options_.party, last_, hash_);
}

std::int64_t Audit::take_all(std::istream& log,
                             const std::function<void(const AuditRecord&)>& replay,
                             std::uint64_t signed_end) {
  AuditReader reader(log);
  for (;;) {
    const std::int64_t good = reader.end();
    if (last_ == signed_end) return good;
    const std::optional<AuditReader::Frame> frame = reader.next();
    if (!frame || !take(*frame, replay)) return good;
  }
}

// A log of another worker deserves a better reason than a signature that is not good.
void Audit::check_first_key() const {
  const auto in = disk_->read();
  AuditReader reader(*in);
  const auto frame = reader.next();
  if (!frame) return;
  const AuditRecord record = decode_audit(frame->bytes);
  const std::string key = key_.public_key().hex();
  if (record.kind != AuditKind::kStart || record.field("key") == key) return;
  throw changed("record 1 is of a worker with key " + std::string(record.field("key")) +
                ", this one has " + key);
}

bool Audit::take(const AuditReader::Frame& frame,
                 const std::function<void(const AuditRecord&)>& replay) {
  AuditRecord record;
  try {
    record = decode_audit(frame.bytes);
  } catch (const Error&) {
    return false;
  }
  if (record.sequence != last_ + 1 || audit_hash(hash_, frame.bytes) != frame.hash) return false;
  const std::string key = key_.public_key().hex();
  if (record.kind == AuditKind::kStart && record.field("key") != key) {
    throw changed("record " + std::to_string(record.sequence) + " is of a worker with key " +
                  std::string(record.field("key")) + ", this one's is " + key);
  }
  if (record.kind == AuditKind::kPeerHead) {
    const AuditHead head = peer_head_of(record);
    heads_.replay(record.principal, head);
    told_[record.principal][head.sequence] = head;
  }
  if (is_given_consent(record)) ++stats_.consents;
  if (replay) replay(record);
  last_ = record.sequence;
  hash_ = frame.hash;
  return true;
}

void Audit::mend(std::int64_t from, const std::string& what) {
  const std::int64_t bytes = disk_->size() - from;
  disk_->truncate(from);
  AuditRecord record;
  record.kind = AuditKind::kMended;
  record.fields = {{"bytes", std::to_string(bytes)}};
  if (!what.empty()) record.fields.push_back({"why", what});
  options_.log("audit log: " + std::to_string(bytes) + " bytes behind record " +
               std::to_string(last_) + " were cut by a crash, and nothing was agreed to in them" +
               (what.empty() ? "" : " (" + what + ")"));
  // A log begins with the start itself.
  if (last_ != 0) note(std::move(record));
}

}  // namespace curia
