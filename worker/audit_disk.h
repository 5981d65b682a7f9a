// Where the audit log's bytes are kept: a file, or memory in the simulation.
//
// Thread: one at a time.
#pragma once

#include <cstdint>
#include <istream>
#include <memory>
#include <string>
#include <string_view>

namespace curia {

// How many records were on the disk when something was last agreed to: no crash loses one of them.
// What stands behind them may be cut.
struct AuditMark {
  std::uint64_t records = 0;
  bool operator==(const AuditMark&) const = default;
};

class AuditDisk {
 public:
  virtual ~AuditDisk() = default;
  // All that is there.
  virtual std::unique_ptr<std::istream> read() = 0;
  virtual std::int64_t size() = 0;
  // Errors: kQuota when there is no room and kFailed otherwise, both with nothing of `bytes` left
  // behind; broken() says when that could not be made sure of.
  virtual void append(std::string_view bytes) = 0;
  // Bytes that may be left for the log.
  virtual std::int64_t room() { return INT64_MAX; }
  virtual void truncate(std::int64_t size) = 0;
  // What was appended survives a crash when this returns. Errors: kFailed; the disk is broken then.
  virtual void sync() = 0;
  // After it failed once in a way that leaves open what is on the disk. Nothing is tried again.
  virtual bool broken() const = 0;
  // The mark is not synced: a crash may leave an older one, never a newer one.
  virtual void set_mark(const AuditMark& mark) = 0;
  virtual AuditMark mark() = 0;
};

// `folder`/audit.log, and audit.mark beside it. Errors: kInvalid when it cannot be opened.
std::unique_ptr<AuditDisk> open_audit_file(const std::string& folder);
// Lives as long as the object.
std::unique_ptr<AuditDisk> memory_audit();

// The mark that lies beside a log; all zero where there is none that can be read.
AuditMark read_audit_mark(const std::string& folder);

}  // namespace curia
