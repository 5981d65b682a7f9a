// The part of a backend that keeps its objects elsewhere as files (see object_file.h) and an index
// of them in memory: what is known of each, whose it is, in which version; one put or erase of a
// key at a time; the ledger that knows what should be there.
//
// An object whose file is not exactly what this worker wrote last under its key is there, but
// broken: get() says kCorrupt, describe() gives the principal it belongs to and a label of a source
// that nobody owns. Files of other origin are no objects.
//
// Thread: any (one mutex for the index; files are written and read outside of it).
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "store/counted_backend.h"
#include "store/object_record.h"
#include "store/owned_keys.h"
#include "store/version_ledger.h"

namespace curia {

class IndexedBackend : public CountedBackend {
 public:
  // What the start found, for the log: one line for each broken object and a summary.
  const std::vector<std::string>& report() const { return report_; }

  std::int64_t put(const std::string& key, ValuePtr value, std::shared_ptr<const ObjectMeta> meta,
                   const Expected& expected) override;
  std::optional<Object> get(const std::string& key) const override;
  bool exists(const std::string& key) const override;
  std::optional<Entry> describe(const std::string& key) const override;
  bool erase(const std::string& key) override;
  bool erase_exactly(const Entry& entry) override;
  std::int64_t erase_all(const Owner& owner) override;
  std::vector<Entry> list(const Owner& owner, std::string_view prefix, std::string_view after,
                          std::int64_t limit) const override;
  BackendStats stats() const override;

 protected:
  struct Found {
    std::shared_ptr<const ObjectMeta> meta;
    std::int64_t bytes = 0;
    std::int64_t version = 0;
    std::uint64_t sequence = 0;
    std::shared_ptr<const Charge> charge;
    std::string broken;                 // why it cannot be read; "": it can, as far as is known
    std::weak_ptr<const Value> mapped;  // while somebody uses it
    std::int64_t stored_bytes = 0;      // where a backend needs to know them
    bool encrypted = false;             // likewise
  };
  // The start: what the ledger knows, and what was found beside.
  struct Start {
    std::map<std::string, LedgerEntry> known;
    std::uint64_t last = 0;  // the highest number of a put
  };

  // root: what URIs begin with, "fs:///".
  IndexedBackend(std::string root, std::int64_t open_quota, std::int64_t hidden_quota,
                 QuotaBooks::Names names)
      : CountedBackend(open_quota, hidden_quota, std::move(names)), root_name_(std::move(root)) {}

  std::string uri_of(const std::string& key) const { return root_name_ + key; }

  // Errors: where there can be no object of that name, or with that meta.
  virtual void check_put(const std::string& key, const ObjectMeta& meta) const = 0;
  virtual std::int64_t overhead(const std::string& key) const = 0;
  // Writes the file of an object and tells the ledger; fills in the rest of the record and what
  // `found` has for the backend. replaces: an object that the index has. stored: whether it is
  // there, also where an error is thrown then.
  virtual void store(ObjectRecord& record, const Value& value, bool replaces, Found& found,
                     bool& stored) = 0;
  // After a store() that left nothing.
  virtual void clean_up(const std::string& key) const = 0;
  // Removes the file of an object and tells the ledger, before and after. removed: as `stored`.
  virtual void remove_stored(const std::string& key, const LedgerEntry& entry, bool& removed) = 0;
  // Reads the file of an object and checks it. Errors: kCorrupt, also where it is of another put.
  virtual Object read(const std::string& key, const Found& found) const = 0;

  // For the start. `read` gives what the footer of a key's file says; `remove` ends a removal that
  // a crash interrupted.
  void take(Start& start, const std::string& key, const std::function<ObjectRecord(Found&)>& read,
            const std::function<void()>& remove);
  // What the ledger knows and was not found is broken. where: for the report.
  void finish_start(Start start, const std::string& where);
  // Errors: kCorrupt where a file is of another put than the index has.
  void check_same(const ObjectRecord& record, const std::string& key, const Found& found) const;

  std::unique_ptr<VersionLedger> ledger_;  // set before the start
  std::vector<std::string> report_;

 private:
  using Index = std::unordered_map<std::string, Found>;
  class Busy;

  static Entry entry_of(const std::string& key, const Found& found);
  // number: of the object that it must be; 0: any.
  bool erase_if(const std::string& key, std::uint64_t number);

  // REQUIRES for these: mutex_ held.
  void insert(const std::string& key, Found found);
  void remove(Index::iterator at);
  void drop_key(const Index::value_type& entry);

  const std::string root_name_;
  mutable std::mutex mutex_;
  mutable std::condition_variable idle_;
  mutable std::unordered_set<std::string> busy_;  // keys that are being put or erased
  mutable Index objects_;
  OwnedKeys keys_;  // of objects that are not broken
};

}  // namespace curia
