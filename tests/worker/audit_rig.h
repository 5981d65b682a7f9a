// What tests of the audit log share: a disk with faults, and an owner who is asked for consents.
#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include "protocol/audit_verify.h"
#include "tests/support/errors.h"
#include "worker/consent.h"

namespace curia {

inline const SigningKey kKey = SigningKey::generate();

// A disk whose faults and syncs a test decides on.
class TestDisk : public AuditDisk {
 public:
  explicit TestDisk(std::string content = "", AuditMark mark = {})
      : bytes_(std::move(content)), mark_(mark) {}

  std::unique_ptr<std::istream> read() override {
    return std::make_unique<std::istringstream>(bytes());
  }
  std::int64_t size() override { return std::ssize(bytes()); }
  void append(std::string_view more) override {
    const std::lock_guard lock(mutex_);
    if (full) throw Error(Code::kQuota, "cannot write audit.log: No space left on device");
    bytes_ += more;
  }
  std::int64_t room() override { return left; }
  void truncate(std::int64_t size) override {
    const std::lock_guard lock(mutex_);
    bytes_.resize(static_cast<std::size_t>(size));
  }
  void sync() override {
    std::unique_lock lock(mutex_);
    ++syncs;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !held_; });
    if (!faulty) return;
    broken_ = true;
    throw Error(Code::kFailed, "cannot sync audit.log: Input/output error");
  }
  bool broken() const override { return broken_; }
  void set_mark(const AuditMark& mark) override {
    const std::lock_guard lock(mutex_);
    mark_ = mark;
  }
  AuditMark mark() override {
    const std::lock_guard lock(mutex_);
    return mark_;
  }

  std::string bytes() {
    const std::lock_guard lock(mutex_);
    return bytes_;
  }
  // The next sync does not return before release().
  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  void wait_for_syncs(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return syncs >= count; });
  }

  std::atomic<bool> full{false};
  std::atomic<bool> faulty{false};
  std::atomic<int> syncs{0};
  std::atomic<std::int64_t> left{INT64_MAX};

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string bytes_;
  AuditMark mark_;
  bool held_ = false;
  std::atomic<bool> broken_{false};
};

using DiskPtr = std::shared_ptr<TestDisk>;

// Alice's worker, as far as consents are concerned.
struct TestOwner {
  explicit TestOwner(DiskPtr given, std::vector<Grant> grants = {{.source = "x", .to = "dora"}})
      : disk(std::move(given)) {
    parts.party = "alice";
    Policy policy;
    policy.grants = std::move(grants);
    parts.policy.set(std::move(policy));
    audit = std::make_unique<Audit>(
        AuditOptions{.party = "alice"}, disk, kKey,
        [this](const AuditRecord& record) { replay_consent(record, parts); });
    parts.audit = audit.get();
  }

  std::future<ConsentReply> begin(std::uint64_t task, const std::string& asker = "alice",
                                  std::vector<std::string> sources = {"x"}) {
    ConsentRequest request{"dora", "00ff", task, {}, {}};
    for (const std::string& source : sources)
      request.items.push_back({source, {}, "dora", {}, "out"});
    auto answer = std::make_shared<std::promise<ConsentReply>>();
    answer_consent(parts, asker, request,
                   [answer](const ConsentReply& reply) { answer->set_value(reply); });
    return answer->get_future();
  }
  // "" for yes, else the reason.
  std::string ask(std::uint64_t task, const std::string& asker = "alice",
                  std::vector<std::string> sources = {"x"}) {
    const ConsentReply reply = begin(task, asker, std::move(sources)).get();
    for (std::size_t i = 0; i < reply.allowed.size(); ++i) {
      if (reply.allowed[i] == 0) return reply.reasons[i];
    }
    return "";
  }

  Parts parts;
  DiskPtr disk;
  std::unique_ptr<Audit> audit;
};

inline std::vector<AuditRecord> records_of(TestDisk& disk) {
  std::vector<AuditRecord> records;
  const auto in = disk.read();
  AuditReader reader(*in);
  while (const auto frame = reader.next()) records.push_back(decode_audit(frame->bytes));
  return records;
}

inline std::int64_t count(TestDisk& disk, AuditKind kind, const std::string& answer = "") {
  std::int64_t found = 0;
  for (const AuditRecord& record : records_of(disk)) {
    if (record.kind == kind && (answer.empty() || record.field("answer") == answer)) ++found;
  }
  return found;
}

inline bool good(TestDisk& disk) {
  const auto in = disk.read();
  const AuditReport report = verify_audit(*in);
  for (const AuditProblem& problem : report.problems) MESSAGE(problem.text);
  return report.problems.empty() && report.cut_bytes == 0 && report.records > 0;
}

inline std::vector<Grant> counted(std::int64_t times) {
  return {{.source = "x", .to = "dora", .times = times}};
}

inline AuditRecord run_record(std::uint64_t task) {
  AuditRecord record;
  record.kind = AuditKind::kRunFailed;
  record.task = task;
  return record;
}

}  // namespace curia
