// The audit log of a worker: one record for each session, program, run, consent decision, fetch and
// refused request. It is the only journal: how often a grant was used is rebuilt from it.
//
// A consent is answered only when its record is on the disk, and the worker's signature with it.
// All other records are notes: they are written soon after, and before the next consent. Consents
// that wait at the same time share one write and one sync.
//
// Notes are bounded, by number and bytes and for each principal; what goes beyond is counted.
//
// Invariant: every write ends with a signed head. Nothing in a record is a value, share or key.
// Owned by Node. Thread: the public methods are for any; a thread of its own writes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "protocol/audit_record.h"
#include "protocol/error.h"
#include "worker/audit_budget.h"
#include "worker/audit_disk.h"
#include "worker/peer_heads.h"

namespace curia {

inline constexpr std::int64_t kMaxAuditNotes = 20'000;  // that wait to be written; more are counted
inline constexpr std::int64_t kMaxAuditNoteBytes = 32 << 20;  // likewise
// Of the disk: below it only consents, and what the worker does by itself, are written.
inline constexpr std::int64_t kAuditHeadRoom = 64 << 20;
inline constexpr std::chrono::milliseconds kAuditDelay{200};  // of notes
inline constexpr std::chrono::seconds kAuditRetry{1};         // of notes that could not be written
inline constexpr std::uint64_t kAuditSyncRecords = 10'000;    // notes are synced after so many

struct AuditOptions {
  std::string party;
  std::uint64_t epoch = 1;
  // Told what an operator has to know; never holds data.
  std::function<void(const std::string& line)> log = [](const std::string&) {};
};

// What the audit tells of itself.
struct AuditStats {
  std::int64_t records = 0;  // in the log
  std::int64_t syncs = 0;
  std::int64_t consents = 0;  // that were answered with yes
};

// What a record tells of an error: its code, its op, and why only where it is a refusal, since
// other errors may quote what the driver sent.
void add_failure(AuditRecord& record, const Error& error);

class Audit {
 public:
  // Reads the log, mends its end if a crash cut it, and gives every record to `replay`. Errors:
  // kCorrupt when a record was changed or is missing, or the log was signed with another key.
  Audit(AuditOptions options, std::shared_ptr<AuditDisk> disk, SigningKey key,
        const std::function<void(const AuditRecord&)>& replay = {});
  // Writes what waits.
  ~Audit();
  Audit(const Audit&) = delete;
  Audit& operator=(const Audit&) = delete;

  // Never waits for the disk. Sequence and time are filled in.
  void note(AuditRecord record);
  // A run that ended well. Runs of one program, one after the other, are one record.
  void note_run(const std::string& driver, const std::string& session, const Digest& program,
                std::uint64_t task);

  // Writes a decision. `done` is called once: with nothing when the records are on the disk, else
  // with the reason why they are not, and then nothing may be given. On the audit's thread, or on
  // the caller's when it is known at once.
  using Done = std::function<void(const Error* failed)>;
  void decide(std::vector<AuditRecord> records, Done done);
  // From here on decide() fails, and no `done` runs any more when this returns.
  void stop_deciding();

  // The last signature of records that no crash can take back: what peers are told.
  AuditHead head() const;
  // What a peer told. Journalled when it is new; a contradiction to an earlier one, too.
  void saw(const std::string& peer, const AuditHead& head);

  AuditStats stats() const;
  const Digest& key() const { return key_.public_key(); }

 private:
  using Clock = std::chrono::steady_clock;
  // What waits, in order: a note, or a decision with its records.
  struct Waiting {
    std::vector<AuditRecord> records;
    Done done;  // none for a note
    std::optional<AuditHead> seen;
    Digest program;  // of a run, instead of a field
    std::int64_t bytes = 0;
  };

  void open(const std::function<void(const AuditRecord&)>& replay);
  // Takes no record behind `signed_end`. Returns up to where the log is good.
  std::int64_t take_all(std::istream& log, const std::function<void(const AuditRecord&)>& replay,
                        std::uint64_t signed_end);
  // One record of the log at start; false when it does not fit.
  void check_first_key() const;
  bool take(const AuditReader::Frame& frame, const std::function<void(const AuditRecord&)>& replay);
  void mend(std::int64_t from, const std::string& what);
  // False for a decision after stop_deciding().
  // Takes what it is given, but for that.
  bool push(Waiting& waiting);
  // Is there room for one more note? REQUIRES: mutex_ is held.
  bool fits(const Waiting& waiting) const;
  // Counts a note instead of keeping it. REQUIRES: mutex_ is held.
  void lose(const Waiting& waiting);
  void work();
  void leave_room(std::vector<Waiting>& batch);
  void write(std::vector<Waiting>& batch, bool last_one);
  void settle(std::vector<Waiting>& batch, const Error* failed);
  void add(std::string& bytes, AuditRecord record);
  void judge(AuditRecord& record, const AuditHead& head);
  void put_back(std::vector<Waiting>& batch);

  const AuditOptions options_;
  const std::shared_ptr<AuditDisk> disk_;
  const SigningKey key_;

  // Of the writing thread, and of the constructor.
  std::uint64_t last_ = 0;
  Digest hash_;
  PeerHeads heads_;
  bool full_ = false;
  std::uint64_t synced_ = 0;  // records

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  std::vector<Waiting> queue_;
  std::int64_t decisions_ = 0;                 // in queue_
  Clock::time_point write_at_;                 // notes, not before
  std::int64_t waiting_bytes_ = 0;             // of the notes in queue_
  std::map<std::string, std::uint64_t> lost_;  // notes, by principal
  AuditBudget budget_;
  // The latest of each peer, by sequence, to queue each once.
  std::map<std::string, std::map<std::uint64_t, AuditHead>> told_;
  bool deciding_ = true;
  bool busy_ = false;
  bool stop_ = false;
  AuditHead head_;
  AuditStats stats_;
  std::thread thread_;
};

}  // namespace curia
