// oss://: every object a file (see object_file.h) at an S3 server, in a bucket and beneath a prefix
// that the worker's configuration names and that belong to this worker alone. Other keys are
// refused before any request. store/README.md says what is kept where.
//
// What is read is written to a file without a name in the worker's state, checked, and mapped. What
// is written goes up as it is made. With a key for it, files are encrypted before they leave.
//
// Thread: any.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "store/disk.h"
#include "store/indexed_backend.h"
#include "store/s3_client.h"
#include "store/seal.h"

namespace curia {

struct S3Bucket {
  std::string prefix;   // "" or with a slash at its end
  bool shared = false;  // somebody beside the worker's party may read it
  bool operator==(const S3Bucket&) const = default;
};

struct S3StoreOptions {
  S3Options server;
  std::map<std::string, S3Bucket> buckets;
  std::string state;  // a folder for this store alone: versions, and what is being read
  StoreKey key{};
  std::optional<StoreKey> encryption;
  std::int64_t open_quota = 0;  // bytes; 0: as much as the server takes
  std::int64_t hidden_quota = 0;
  Disk* disk = &Disk::system();  // outlives the backend
};

class S3Backend : public IndexedBackend {
 public:
  // Finds the objects again. Errors: those of S3Client where the server cannot be asked; kInvalid
  // for a shared bucket without encryption; kCorrupt for a damaged ledger.
  explicit S3Backend(const S3StoreOptions& options);
  ~S3Backend() override;

  std::string_view scheme() const override { return "oss"; }

 private:
  struct Place {
    const std::string& bucket;
    const S3Bucket& rules;
    std::string key;  // in the bucket
  };

  void check_put(const std::string& key, const ObjectMeta& meta) const override;
  std::int64_t overhead(const std::string&) const override { return kObjectOverhead; }
  void store(ObjectRecord& record, const Value& value, bool replaces, Found& found,
             bool& stored) override;
  void clean_up(const std::string&) const override {}
  void remove_stored(const std::string& key, const LedgerEntry& entry, bool& removed) override;
  Object read(const std::string& key, const Found& found) const override;

  // Where a key is. Errors: kDenied where the configuration does not allow it.
  Place place_of(const std::string& key) const;
  void open_state();
  void find_objects();
  void sweep_uploads(const std::string& bucket, const std::string& prefix);
  // Writes the file once.
  void upload(ObjectRecord& record, const Value& value, const Place& place, S3Write write,
              Found& found);
  // As upload(), over nothing but what was lost of a put that was given up.
  void upload_new(ObjectRecord& record, const Value& value, const Place& place, Found& found);
  // What the footer of the file under a key says, if there is one of this worker.
  std::optional<ObjectRecord> record_at(const std::string& key, Found& found) const;
  ObjectRecord footer_of(const std::string& key, Found& found) const;

  const S3StoreOptions options_;
  const StoreKey seal_;  // other than for fs://: no file of there is one here
  Disk& disk_;
  const std::unique_ptr<S3Client> client_;
  FileHandle reading_;  // folder of files that are being read
  mutable std::atomic<std::uint64_t> next_name_{0};
  std::atomic<bool> conditional_{true};  // whether the server offers If-None-Match
};

}  // namespace curia
