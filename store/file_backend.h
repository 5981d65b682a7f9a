// fs://: every object an Arrow IPC file beneath a folder, mapped back without a copy, written so
// that after a crash there is the old object or the new one. store/FORMAT.md says what is in a file
// and in which order things reach the disk.
//
// An object whose file is not exactly what this worker wrote last under its key is there, but
// broken: get() says kCorrupt, describe() gives the principal it belongs to and a label of a source
// that nobody owns. Files of other origin are no objects, and are never written over.
//
// Thread: any (one mutex for the index; files are written and read outside of it, one put or erase
// of a key at a time).
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "store/counted_backend.h"
#include "store/disk.h"
#include "store/owned_keys.h"
#include "store/seal.h"
#include "store/version_ledger.h"

namespace curia {

struct ObjectRecord;

// Of the root: the store's lock and files that are being written.
inline constexpr std::string_view kOwnFolder = ".curia";

// Names in a key, the folders and the file.
inline constexpr std::int64_t kMaxKeyNames = 16;
// What an object counts for each folder above it, also where others share it.
inline constexpr std::int64_t kFolderBytes = 4096;

struct FileStoreOptions {
  std::string root;   // made where it is missing
  std::string state;  // folder of the worker's state, where versions are remembered
  StoreKey key{};
  std::int64_t open_quota = 0;  // bytes; 0: as much as the disk takes
  std::int64_t hidden_quota = 0;
  Disk* disk = &Disk::system();  // outlives the backend
};

class FileBackend : public CountedBackend {
 public:
  // Locks the root, removes what crashes left behind, finds the objects again. Errors: kInvalid
  // where another worker uses the root or it cannot be used; kCorrupt for a damaged ledger.
  explicit FileBackend(const FileStoreOptions& options);
  ~FileBackend() override;

  // What the start found, for the log: one line for each broken object and a summary.
  const std::vector<std::string>& report() const { return report_; }

  std::string_view scheme() const override { return "fs"; }
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

 private:
  struct Found {
    std::shared_ptr<const ObjectMeta> meta;
    std::int64_t bytes = 0;
    std::int64_t version = 0;
    std::uint64_t sequence = 0;
    std::shared_ptr<const Charge> charge;
    std::string broken;                 // why it cannot be read; "": it can, as far as is known
    std::weak_ptr<const Value> mapped;  // while somebody uses it
  };
  using Index = std::unordered_map<std::string, Found>;
  class Busy;

  static Entry entry_of(const std::string& key, const Found& found);
  // number: of the object that it must be; 0: any.
  bool erase_if(const std::string& key, std::uint64_t number);
  void open_root();
  void sweep();
  // Fills the index from the files, and the ledger from both.
  void find_objects();
  void take_file(const std::string& key, std::map<std::string, LedgerEntry>& known,
                 std::uint64_t& last);
  // The folder a key's file is in; none where it is missing and not to be made. REQUIRES: who makes
  // it holds folders_mutex_, and until something is in it.
  FileHandle open_folder(const std::string& key, bool make) const;
  // Removes the folders above a key that have become empty.
  void remove_empty_folders(const std::string& key) const;
  static std::int64_t overhead(const std::string& key);
  // Writes and moves in the file of an object. moved: whether it is in its place, also where an
  // error is thrown then.
  void store_file(ObjectRecord& record, const Value& value, bool replaces, bool& moved);
  // Maps the file of an object and checks it. Errors: kCorrupt, also where it is of another put.
  Object read(const std::string& key, const Found& found) const;

  // REQUIRES for these: mutex_ held.
  void insert(const std::string& key, Found found);
  void remove(Index::iterator at);
  void drop_key(const Index::value_type& entry);

  const FileStoreOptions options_;
  Disk& disk_;
  FileHandle root_;
  FileHandle lock_;
  FileHandle temporary_;
  std::unique_ptr<VersionLedger> ledger_;
  std::vector<std::string> report_;

  mutable std::mutex folders_mutex_;  // for those who make and remove folders
  mutable std::mutex mutex_;
  mutable std::condition_variable idle_;
  mutable std::unordered_set<std::string> busy_;  // keys that are being put or erased
  mutable Index objects_;
  OwnedKeys keys_;                           // of objects that are not broken
  std::atomic<std::uint64_t> next_name_{0};  // of temporary files
};

}  // namespace curia
