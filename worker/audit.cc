#include "worker/audit.h"

#include <algorithm>
#include <utility>

#include "protocol/audit_verify.h"

namespace curia {
namespace {

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Could `record` be told by counting `last` once more?
bool repeats(const AuditRecord& last, const AuditRecord& record) {
  const bool next = record.task == 0 ? last.task == 0 : record.task == last.task + last.times;
  return next && last.kind == record.kind && last.principal == record.principal &&
         last.session == record.session && last.fields == record.fields;
}

}  // namespace

void add_failure(AuditRecord& record, const Error& error) {
  record.fields.push_back({"code", code_name(error.code())});
  if (!error.op().empty()) record.fields.push_back({"op", error.op()});
  if (error.code() == Code::kDenied) record.fields.push_back({"why", error.message()});
}

Audit::Audit(AuditOptions options, std::shared_ptr<AuditDisk> disk, SigningKey key,
             const std::function<void(const AuditRecord&)>& replay)
    : options_(std::move(options)), disk_(std::move(disk)), key_(std::move(key)) {
  open(replay);
  AuditRecord start;
  start.kind = AuditKind::kStart;
  start.fields = {{"party", options_.party},
                  {"key", key_.public_key().hex()},
                  {"epoch", std::to_string(options_.epoch)}};
  note(std::move(start));
  thread_ = std::thread([this] { work(); });
}

Audit::~Audit() {
  AuditRecord last;
  last.kind = AuditKind::kStop;
  note(std::move(last));
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

bool Audit::fits(const Waiting& waiting) const {
  return std::ssize(queue_) < kMaxAuditNotes &&
         waiting_bytes_ + waiting.bytes <= kMaxAuditNoteBytes;
}

void Audit::lose(const Waiting& waiting) {
  const AuditRecord& record = waiting.records[0];
  lost_[AuditBudget::payer(record, options_.party)] += record.times;
}

bool Audit::push(Waiting& waiting) {
  constexpr std::int64_t kProgramField = 80;
  waiting.bytes = waiting.program.empty() ? 0 : kProgramField;
  for (AuditRecord& record : waiting.records) {
    record.time_ms = now_ms();
    fit_audit(record);
    waiting.bytes += audit_size(record);
  }
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (waiting.done != nullptr && !deciding_) return false;
    if (waiting.done == nullptr) {
      const std::string payer = AuditBudget::payer(waiting.records[0], options_.party);
      if (!fits(waiting) || !budget_.take(payer, waiting.bytes, Clock::now())) {
        lose(waiting);
        return true;
      }
      waiting_bytes_ += waiting.bytes;
    }
    wake = queue_.empty() || waiting.done != nullptr;
    if (queue_.empty()) write_at_ = std::max(write_at_, Clock::now() + kAuditDelay);
    if (waiting.done != nullptr) ++decisions_;
    queue_.push_back(std::move(waiting));
    if (std::ssize(queue_) == kMaxAuditNotes / 2) {
      write_at_ = Clock::now();
      wake = true;
    }
  }
  if (wake) wake_.notify_one();
  return true;
}

void Audit::note(AuditRecord record) {
  {
    const std::lock_guard lock(mutex_);
    if (!queue_.empty() && queue_.back().done == nullptr && !queue_.back().records.empty() &&
        queue_.back().program.empty() && repeats(queue_.back().records[0], record)) {
      ++queue_.back().records[0].times;
      return;
    }
  }
  Waiting waiting;
  waiting.records.push_back(std::move(record));
  push(waiting);
}

void Audit::note_run(const std::string& driver, const std::string& session, const Digest& program,
                     std::uint64_t task) {
  {
    const std::lock_guard lock(mutex_);
    if (!queue_.empty() && queue_.back().program == program) {
      AuditRecord& last = queue_.back().records[0];
      if (last.session == session && last.principal == driver && last.task + last.times == task) {
        ++last.times;
        return;
      }
    }
  }
  Waiting waiting;
  waiting.program = program;
  AuditRecord record;
  record.kind = AuditKind::kRun;
  record.principal = driver;
  record.session = session;
  record.task = task;
  waiting.records.push_back(std::move(record));
  push(waiting);
}

void Audit::decide(std::vector<AuditRecord> records, Done done) {
  Waiting waiting;
  waiting.records = std::move(records);
  waiting.done = std::move(done);
  if (push(waiting)) return;  // else nothing of it was taken
  const Error error(Code::kOverloaded, "the worker is stopping");
  waiting.done(&error);
}

void Audit::stop_deciding() {
  std::unique_lock lock(mutex_);
  deciding_ = false;
  wake_.notify_one();
  idle_.wait(lock, [this] { return decisions_ == 0 && !busy_; });
}

AuditHead Audit::head() const {
  const std::lock_guard lock(mutex_);
  return head_;
}

AuditStats Audit::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void Audit::saw(const std::string& peer, const AuditHead& head) {
  if (head.sequence == 0) return;
  {
    const std::lock_guard lock(mutex_);
    auto& told = told_[peer];
    AuditHead& same = told[head.sequence];
    if (same == head) return;
    same = head;
    if (told.size() > kMaxPeerHeads) told.erase(told.begin());
  }
  Waiting waiting;
  waiting.records.push_back(peer_head_record(peer, head));
  waiting.seen = head;
  push(waiting);
}

// On the audit's thread: verifying a signature takes longer than a task may be held up.
void Audit::judge(AuditRecord& record, const AuditHead& head) {
  const std::string wrong = heads_.judge(record.principal, head);
  if (wrong.empty()) return;
  record.kind = AuditKind::kPeerHeadWrong;
  record.fields.push_back({"why", wrong});
  options_.log("audit log of " + record.principal + ": its head of record " +
               std::to_string(head.sequence) + " is wrong: " + wrong);
}

void Audit::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    while (!stop_ && decisions_ == 0 && (queue_.empty() || Clock::now() < write_at_)) {
      if (queue_.empty()) {
        wake_.wait(lock);
      } else {
        wake_.wait_until(lock, write_at_);
      }
    }
    if (queue_.empty() && stop_) return;
    std::vector<Waiting> batch = std::exchange(queue_, {});
    decisions_ = 0;
    waiting_bytes_ = 0;
    for (const auto& [principal, times] : std::exchange(lost_, {})) {
      Waiting note;
      note.records.push_back(
          {.time_ms = now_ms(), .kind = AuditKind::kLost, .principal = principal, .times = times});
      batch.push_back(std::move(note));
    }
    busy_ = true;
    const bool last = stop_;
    lock.unlock();
    leave_room(batch);
    if (!batch.empty()) write(batch, last);
    lock.lock();
    busy_ = false;
    idle_.notify_all();
    // What could not be written at the end is lost; nothing was agreed to in it. A try that began
    // before the end was not the last.
    if (last && full_) return;
  }
}

void Audit::add(std::string& bytes, AuditRecord record) {
  // A record that the reader refuses would make all that follow it unreadable.
  fit_audit(record);
  record.sequence = ++last_;
  const std::string body = encode_audit(record);
  hash_ = audit_hash(hash_, body);
  append_audit_frame(bytes, body, hash_);
}

// What a driver can have written without a consent must not be what fills the disk.
void Audit::leave_room(std::vector<Waiting>& batch) {
  if (disk_->room() >= kAuditHeadRoom) return;
  const std::lock_guard lock(mutex_);
  std::erase_if(batch, [this](const Waiting& waiting) {
    if (waiting.done || AuditBudget::payer(waiting.records[0], options_.party).empty()) {
      return false;
    }
    lose(waiting);
    return true;
  });
}

void Audit::write(std::vector<Waiting>& batch, bool last_one) {
  const std::uint64_t last = last_;
  const Digest hash = hash_;
  bool decides = false;
  std::string bytes;
  for (Waiting& waiting : batch) {
    if (waiting.seen) judge(waiting.records[0], *waiting.seen);
    waiting.seen.reset();
    if (!waiting.program.empty()) {
      waiting.records[0].fields = {{"program", waiting.program.hex()}};
      waiting.program = {};
    }
    for (const AuditRecord& record : waiting.records) add(bytes, record);
    decides = decides || waiting.done != nullptr;
  }
  std::optional<Error> failed;
  const bool syncs = decides || last_one || last_ - synced_ >= kAuditSyncRecords;
  AuditHead head;
  try {
    if (disk_->broken()) {
      throw Error(Code::kFailed, "the disk of the audit log failed; restart the worker");
    }
    head = sign_head(key_, options_.party, last_, hash_);
    add(bytes, {.time_ms = now_ms(),
                .kind = AuditKind::kHead,
                .fields = {{"signature", signature_hex(head.signature)}}});
    disk_->append(bytes);
    if (syncs) disk_->sync();
  } catch (const Error& error) {
    failed = error;
    last_ = last;
    hash_ = hash;
  }
  if (!failed && syncs) {
    disk_->set_mark({last_});
    synced_ = last_;
  }
  if (failed.has_value() != full_) {
    full_ = failed.has_value();
    options_.log(full_ ? "audit log: " + failed->message() + "; no consent is given until it can"
                       : "audit log: written again");
  }
  {
    const std::lock_guard lock(mutex_);
    if (failed) {
      write_at_ = Clock::now() + kAuditRetry;
    } else {
      stats_.records = static_cast<std::int64_t>(last_);
      if (syncs) {
        ++stats_.syncs;
        head_ = head;
      }
    }
  }
  settle(batch, failed ? &*failed : nullptr);
}

void Audit::settle(std::vector<Waiting>& batch, const Error* failed) {
  std::int64_t given = 0;
  for (const Waiting& waiting : batch)
    given += std::ranges::count_if(waiting.records, is_given_consent);
  if (failed == nullptr) {
    const std::lock_guard lock(mutex_);
    stats_.consents += given;
  }
  for (Waiting& waiting : batch) {
    if (!waiting.done) continue;
    try {
      waiting.done(failed);
    } catch (const std::exception&) {
      // what() of a foreign exception might quote data. Who waits for this answer gets none.
      options_.log("audit log: an answer could not be given");
    }
  }
  if (failed != nullptr) put_back(batch);
}

void Audit::put_back(std::vector<Waiting>& batch) {
  std::erase_if(batch, [](const Waiting& waiting) { return waiting.done != nullptr; });
  const std::lock_guard lock(mutex_);
  for (Waiting& waiting : queue_) batch.push_back(std::move(waiting));
  queue_.clear();
  waiting_bytes_ = 0;
  for (Waiting& waiting : batch) {
    if (!waiting.done) {
      if (waiting.records[0].kind == AuditKind::kLost || !fits(waiting)) {
        lose(waiting);
        continue;
      }
      waiting_bytes_ += waiting.bytes;
    }
    queue_.push_back(std::move(waiting));
  }
}

}  // namespace curia
