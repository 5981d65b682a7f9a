// fs://: every object an Arrow IPC file beneath a folder, mapped back without a copy, written so
// that after a crash there is the old object or the new one. store/FORMAT.md says what is in a file
// and in which order things reach the disk.
//
// Files of other origin are no objects, and are never written over.
//
// Thread: any.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "store/disk.h"
#include "store/indexed_backend.h"
#include "store/seal.h"

namespace curia {

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

class FileBackend : public IndexedBackend {
 public:
  // Locks the root, removes what crashes left behind, finds the objects again. Errors: kInvalid
  // where another worker uses the root or it cannot be used; kCorrupt for a damaged ledger.
  explicit FileBackend(const FileStoreOptions& options);
  ~FileBackend() override;

  std::string_view scheme() const override { return "fs"; }

 private:
  void check_put(const std::string& key, const ObjectMeta& meta) const override;
  std::int64_t overhead(const std::string& key) const override;
  void store(ObjectRecord& record, const Value& value, bool replaces, Found& found,
             bool& stored) override;
  void clean_up(const std::string& key) const override { remove_empty_folders(key); }
  void remove_stored(const std::string& key, const LedgerEntry& entry, bool& removed) override;
  Object read(const std::string& key, const Found& found) const override;

  void open_root();
  void sweep();
  // Fills the index from the files, and the ledger from both.
  void find_objects();
  void take_file(const std::string& key, Start& start);
  // The folder a key's file is in; none where it is missing and not to be made. REQUIRES: who makes
  // it holds folders_mutex_, and until something is in it.
  FileHandle open_folder(const std::string& key, bool make) const;
  // Removes the folders above a key that have become empty.
  void remove_empty_folders(const std::string& key) const;
  const FileStoreOptions options_;
  Disk& disk_;
  FileHandle root_;
  FileHandle lock_;
  FileHandle temporary_;
  mutable std::mutex folders_mutex_;         // for those who make and remove folders
  std::atomic<std::uint64_t> next_name_{0};  // of temporary files
};

}  // namespace curia
