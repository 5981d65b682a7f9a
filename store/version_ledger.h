// Which objects there are in a store on disk, and in which version: what the store itself cannot
// tell, since somebody may have put older files back. A file of the worker's state, not of the
// store: records that are appended and synced, each with an HMAC over itself and all before it.
//
// Puts are numbered across all keys. A file that the ledger does not know is one that a crash came
// after if its number was still open at the last record, else it was brought back.
// Thread: any (a mutex of its own).
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "store/disk.h"
#include "store/seal.h"

namespace curia {

struct LedgerEntry {
  std::uint64_t sequence = 0;
  std::int64_t version = 0;
  std::string principal;
};

class VersionLedger {
 public:
  // Reads `folder`/versions, if there is one. Errors: kCorrupt where it is not what a worker with
  // this key wrote, but for a last record that a crash cut.
  VersionLedger(Disk& disk, const std::string& folder, const StoreKey& key);

  // As read; for the one who starts the store. erased: numbers of what was to be removed.
  const std::map<std::string, LedgerEntry>& entries() const { return entries_; }
  const std::map<std::string, std::uint64_t>& erased() const { return erased_; }
  // All puts with lower numbers had ended when the last record was written.
  std::uint64_t open_from() const { return open_from_; }
  // Makes the entries these, in a new file. last: the highest number of a file.
  void replace(std::map<std::string, LedgerEntry> entries, std::uint64_t last);

  // A number for the next put, which is open until put() or give_up().
  std::uint64_t next_sequence();
  void give_up(std::uint64_t sequence);
  // Sees to it that one more record fits the disk. Errors: as throw_disk_error().
  void make_room();
  // Durable when they return. Errors: as throw_disk_error(); then the ledger is as before.
  void put(const std::string& key, LedgerEntry entry);
  // After a put() that failed although its file stays: goes to the disk with the next record.
  void remember(const std::string& key, LedgerEntry entry);
  // Before the file is removed; finish_erase() after it.
  void erase(const std::string& key);
  void finish_erase(const std::string& key);

 private:
  enum class Kind : std::uint8_t { kBegin = 0, kPut = 1, kErase = 2 };

  // REQUIRES for these: mutex_ held.
  void append(Kind kind, const std::string& key, const LedgerEntry& entry);
  void rewrite();
  void reserve_ahead();

  std::string frame(Kind kind, const std::string& key, const LedgerEntry& entry);
  void load();
  // Applies the record there; false where there is none that is whole.
  bool take(const std::string& text, std::size_t& at);

  Disk& disk_;
  const std::string path_;  // for messages
  std::array<std::uint8_t, 32> key_{};
  mutable std::mutex mutex_;
  FileHandle folder_;
  FileHandle file_;
  std::int64_t end_ = 0;       // of the records
  std::int64_t reserved_ = 0;  // bytes of the file that have their place on the disk
  bool broken_ = false;        // an append failed: the next one writes a new file
  Digest chain_;               // HMAC of the last record
  std::map<std::string, LedgerEntry> entries_;
  std::map<std::string, std::uint64_t> erased_;
  std::set<std::uint64_t> open_;  // numbers of puts that go on
  std::uint64_t open_from_ = 1;   // as of the last record read
  std::uint64_t next_ = 1;
};

}  // namespace curia
