#include "store/s3_backend.h"

#include <fcntl.h>

#include <filesystem>
#include <utility>
#include <vector>

#include "protocol/uri.h"
#include "store/mapping.h"
#include "store/object_file.h"
#include "store/s3_file.h"

namespace curia {
namespace {

constexpr const char* kRoot = "oss://";
constexpr const char* kReading = "reading";

StoreKey seal_key(const StoreKey& key) {
  StoreKey derived{};
  hkdf_sha256("curia store 1", key, "oss", derived);
  return derived;
}

bool is_key(const std::string& key) {
  try {
    Uri::parse(kRoot + key);
    return true;
  } catch (const Error&) {
    return false;
  }
}

// Whether a write that ended so may have taken place.
bool is_unsure(const Error& error) {
  return error.code() == Code::kTimeout || error.code() == Code::kOverloaded;
}

// A file that goes when this does, and what is mapped of it.
class ScratchFile {
 public:
  ScratchFile(Disk& disk, const FileHandle& folder, std::string name)
      : disk_(disk), folder_(folder), name_(std::move(name)) {
    const int opened = disk_.open(folder_.fd(), name_, O_RDWR | O_CREAT | O_EXCL);
    if (opened < 0) throw_disk_error("cannot make room for an object that is read", -opened);
    file_ = FileHandle(opened);
  }
  ~ScratchFile() { disk_.unlink(folder_.fd(), name_); }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  int fd() const { return file_.fd(); }

 private:
  Disk& disk_;
  const FileHandle& folder_;
  const std::string name_;
  FileHandle file_;
};

}  // namespace

S3Backend::S3Backend(const S3StoreOptions& options)
    : IndexedBackend(kRoot, options.open_quota, options.hidden_quota,
                     {"object store", "oss.quota_mib", "oss.hidden_quota_mib"}),
      options_(options),
      seal_(seal_key(options.key)),
      disk_(*options.disk),
      client_(std::make_unique<S3Client>(options.server)) {
  for (const auto& [name, bucket] : options_.buckets) {
    expect(bucket.prefix.empty() || bucket.prefix.ends_with('/'),
           "expected a prefix that ends with a slash, of bucket " + name);
    expect(!bucket.shared || options_.encryption,
           "bucket " + name +
               " has readers, to whom saving there would release; expected a key "
               "to encrypt with");
  }
  open_state();
  ledger_ = std::make_unique<VersionLedger>(disk_, options_.state, seal_);
  find_objects();
}

S3Backend::~S3Backend() = default;

S3Backend::Place S3Backend::place_of(const std::string& key) const {
  const std::size_t slash = key.find('/');
  const auto bucket = options_.buckets.find(key.substr(0, slash));
  if (slash != std::string::npos && bucket != options_.buckets.end()) {
    std::string name = key.substr(slash + 1);
    const std::string& prefix = bucket->second.prefix;
    if (name.starts_with(prefix) && name.size() > prefix.size()) {
      return {bucket->first, bucket->second, std::move(name)};
    }
  }
  throw Error(Code::kDenied, "oss://" + key +
                                 " is in no bucket and beneath no prefix that this party's worker "
                                 "may use; its owner names them in oss.buckets");
}

void S3Backend::check_put(const std::string& key, const ObjectMeta& meta) const {
  Uri::parse(kRoot + key);
  const Place place = place_of(key);
  if (place.rules.shared && meta.hidden) {
    throw Error(Code::kDenied, "others read the bucket " + place.bucket +
                                   " and would see how large this result is, which depends on the "
                                   "data; save it elsewhere");
  }
}

void S3Backend::open_state() {
  std::error_code error;
  const std::filesystem::path reading = std::filesystem::path(options_.state) / kReading;
  std::filesystem::remove_all(reading, error);  // what a crash left
  std::filesystem::create_directories(reading, error);
  reading_ = FileHandle(::open(reading.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!reading_.open()) {
    throw Error(Code::kInvalid, "cannot make the folder " + reading.string() +
                                    "; let the worker write to its state_dir");
  }
}

ObjectRecord S3Backend::footer_of(const std::string& key, Found& found) const {
  const Place place = place_of(key);
  S3FileReader reader(*client_, place.bucket, place.key, found.stored_bytes, options_.encryption,
                      uri_of(key));
  found.encrypted = reader.encrypted();
  const auto read = [&reader](std::uint8_t* to, std::int64_t bytes, std::int64_t offset) {
    reader.read(to, bytes, offset);
  };
  return read_record({reader.size(), read}, seal_, {kRoot, key});
}

std::optional<ObjectRecord> S3Backend::record_at(const std::string& key, Found& found) const {
  const Place place = place_of(key);
  const auto bytes = client_->head(place.bucket, place.key);
  if (!bytes) return std::nullopt;
  found.stored_bytes = *bytes;
  try {
    return footer_of(key, found);
  } catch (const Error& error) {
    if (error.code() != Code::kCorrupt && error.code() != Code::kVersion) throw;
    return std::nullopt;
  }
}

void S3Backend::sweep_uploads(const std::string& bucket, const std::string& prefix) {
  try {
    for (const auto& [key, upload] : client_->list_uploads(bucket, prefix)) {
      client_->abort_upload(bucket, key, upload);
    }
  } catch (const Error& error) {
    report_.push_back("unfinished uploads stay in the bucket " + bucket + ": " + error.message());
  }
}

void S3Backend::find_objects() {
  Start start{ledger_->entries()};
  for (const auto& [bucket, rules] : options_.buckets) {
    sweep_uploads(bucket, rules.prefix);
    std::string next;
    do {
      const S3Page page = client_->list(bucket, rules.prefix, next);
      for (const S3Object& object : page.objects) {
        const std::string key = bucket + "/" + object.key;
        if (!is_key(key) || !object.key.starts_with(rules.prefix)) continue;
        Found read;
        read.stored_bytes = object.bytes;
        ObjectRecord footer;
        std::unique_ptr<Error> failure;
        try {
          footer = footer_of(key, read);
        } catch (const Error& error) {
          // Where the server cannot be asked nothing is known, and the start ends.
          if (error.code() != Code::kCorrupt && error.code() != Code::kVersion) throw;
          const bool named = error.message().starts_with("object ");
          failure = std::make_unique<Error>(
              error.code(), (named ? "" : "object " + uri_of(key) + ": ") + error.message());
        }
        take(
            start, key,
            [&](Found& found) -> ObjectRecord {
              if (failure != nullptr) throw Error(*failure);
              found.stored_bytes = read.stored_bytes;
              found.encrypted = read.encrypted;
              return footer;
            },
            [&] { client_->erase(bucket, object.key); });
      }
      next = page.next;
    } while (!next.empty());
  }
  finish_start(std::move(start), options_.server.endpoint);
}

void S3Backend::upload(ObjectRecord& record, const Value& value, const Place& place, S3Write write,
                       Found& found) {
  // About what will come: it decides the size of the parts.
  const std::int64_t total = value.bytes() + value.bytes() / 1024 + kCipherChunk;
  S3Upload out(*client_, place.bucket, place.key, total, write);
  S3FileWriter file(out, options_.encryption, uri_of(record.key));
  record = write_object(
      seal_, std::move(record), value, [&file](std::int64_t, iovec* pieces, int count) {
        for (int i = 0; i < count; ++i) {
          file.add({static_cast<const std::uint8_t*>(pieces[i].iov_base), pieces[i].iov_len});
        }
      });
  if (has_faulted(value)) {
    throw Error(Code::kCorrupt, "cannot store " + uri_of(record.key) +
                                    ": the file that its value came from was cut meanwhile");
  }
  found.encrypted = options_.encryption.has_value();
  try {
    file.finish();
  } catch (const Error& error) {
    found.stored_bytes = file.written();
    throw;
  }
  found.stored_bytes = file.written();
}

void S3Backend::upload_new(ObjectRecord& record, const Value& value, const Place& place,
                           Found& found) {
  for (bool again = false;; again = true) {
    // Where the server does not offer the condition, a look is all there is. Nobody but this worker
    // is to write beneath the prefix.
    const bool conditional = conditional_;
    try {
      if (!conditional && client_->head(place.bucket, place.key)) {
        throw Error(Code::kImmutable, "another object is there");
      }
      // A copy: the rest of the record is that of the file that is written.
      ObjectRecord written = record;
      upload(written, value, place, conditional ? S3Write::kNew : S3Write::kOver, found);
      record = std::move(written);
      return;
    } catch (const Error& error) {
      if (error.code() == Code::kUnimplemented && conditional) {
        conditional_ = false;
        continue;
      }
      if (error.code() != Code::kImmutable) throw;
    }
    // An attempt may have got through before, or one of a put that was given up: the index knows of
    // no object here, so a file of this worker is nobody's.
    Found there;
    const auto known = record_at(record.key, there);
    if (known && known->sequence == record.sequence) {
      found.stored_bytes = there.stored_bytes;
      found.encrypted = there.encrypted;
      return;
    }
    if (!known || again) throw name_taken();
    client_->erase(place.bucket, place.key);
  }
}

void S3Backend::store(ObjectRecord& record, const Value& value, bool replaces, Found& found,
                      bool& stored) {
  ledger_->make_room();
  const Place place = place_of(record.key);
  const LedgerEntry entry{record.sequence, record.version, record.meta.principal};
  const std::string key = record.key;
  try {
    if (replaces) {
      upload(record, value, place, S3Write::kOver, found);
    } else {
      upload_new(record, value, place, found);
    }
  } catch (const Error& error) {
    if (!is_unsure(error)) throw;
    // It is there, or it is not: that decides.
    std::optional<ObjectRecord> known;
    try {
      known = record_at(key, found);
    } catch (const Error&) {
      throw Error(error.code(),
                  error.message() + "; whether the object is there could not be found out either");
    }
    if (!known || known->sequence != entry.sequence) throw;
  }
  stored = true;
  try {
    ledger_->put(key, entry);
  } catch (const Error& error) {
    throw Error(error.code(), error.message() + "; it is there, but a crash may undo it");
  }
}

void S3Backend::remove_stored(const std::string& key, const LedgerEntry& entry, bool& removed) {
  const Place place = place_of(key);
  ledger_->erase(key);
  try {
    client_->erase(place.bucket, place.key);
  } catch (const Error&) {
    ledger_->remember(key, entry);
    throw;
  }
  removed = true;
  ledger_->finish_erase(key);
}

Object S3Backend::read(const std::string& key, const Found& found) const {
  const std::string what = "cannot read " + uri_of(key);
  const Place place = place_of(key);
  try {
    S3FileReader reader(*client_, place.bucket, place.key, found.stored_bytes, options_.encryption,
                        uri_of(key));
    const ScratchFile file(disk_, reading_, std::to_string(++next_name_));
    if (const int error = disk_.reserve(file.fd(), 0, reader.size());
        error < 0 && error != -EOPNOTSUPP) {
      throw_disk_error(what, -error);
    }
    reader.read_all([&](std::int64_t offset, std::span<const std::uint8_t> data) {
      iovec piece{const_cast<std::uint8_t*>(data.data()), data.size()};
      write_all(disk_, file.fd(), offset, &piece, 1, what);
    });
    MappedObject object = map_object(file.fd(), seal_, {kRoot, key});
    check_same(object.record, key, found);
    return {std::move(object.value), found.meta, found.version, found.charge, found.sequence};
  } catch (const Error& error) {
    const bool gone = error.code() == Code::kNotFound;
    if (!gone && (error.code() != Code::kCorrupt || error.message().starts_with("object "))) throw;
    throw Error(Code::kCorrupt, "object " + uri_of(key) + ": " +
                                    (gone ? "its file is gone" : error.message()) +
                                    "; restore the file or remove the object");
  }
}

}  // namespace curia
