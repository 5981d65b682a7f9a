#include "store/spill.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <mutex>

#include "store/object_file.h"

namespace curia {
namespace {

constexpr std::string_view kRoot = "spilled object ";

StoreKey fresh_key() {
  const Digest random = random_digest();
  StoreKey key;
  std::copy(random.bytes.begin(), random.bytes.end(), key.begin());
  return key;
}

[[noreturn]] void unusable(const std::string& folder, const std::string& why) {
  throw Error(Code::kInvalid, "the folder for spilled objects, " + folder +
                                  ", cannot be used: " + why + "; name another one in spill_dir");
}

}  // namespace

struct Spill::Folder {
  Folder(const std::string& path, std::int64_t most, Disk& on) : disk(on), quota(most) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) unusable(path, error.message());
    handle = FileHandle(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!handle.open()) unusable(path, std::strerror(errno));
    ::fchmod(handle.fd(), 0700);
    // Before anything in it is touched.
    if (::flock(handle.fd(), LOCK_EX | LOCK_NB) != 0) unusable(path, "another worker uses it");
    sweep(path);
  }

  // Files of ours alone: somebody may have named a folder with other things in it.
  void sweep(const std::string& path) {
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      const std::string name = entry.path().filename();
      if (!name.starts_with(kPrefix)) unusable(path, "there are other files in it");
      disk.unlink(handle.fd(), name);
    }
  }

  static constexpr std::string_view kPrefix = "spilled-";

  Disk& disk;
  const std::int64_t quota;
  const StoreKey key = fresh_key();
  FileHandle handle;
  std::mutex mutex;
  std::uint64_t last = 0;
  std::int64_t bytes = 0;
  std::int64_t objects = 0;
};

struct Spill::File {
  // Takes its part of the quota.
  File(std::shared_ptr<Folder> in, std::int64_t counted) : folder(std::move(in)), bytes(counted) {
    const std::lock_guard lock(folder->mutex);
    if (folder->quota != 0 && bytes > folder->quota - folder->bytes) {
      throw Error(Code::kQuota, "the quota of spilled objects is used; raise spill_quota_mib");
    }
    folder->bytes += bytes;
    ++folder->objects;
    name = std::string(Folder::kPrefix) + std::to_string(++folder->last);
  }
  ~File() {
    folder->disk.unlink(folder->handle.fd(), name);
    const std::lock_guard lock(folder->mutex);
    folder->bytes -= bytes;
    --folder->objects;
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  FileHandle open(int flags) const {
    const int file = folder->disk.open(folder->handle.fd(), name, flags | O_CLOEXEC);
    if (file == -ENOENT) throw Error(Code::kCorrupt, "a spilled object's file was removed");
    if (file < 0) throw_disk_error("a spilled object cannot be opened", -file);
    return FileHandle(file);
  }

  const std::shared_ptr<Folder> folder;
  const std::int64_t bytes;
  std::string name;
};

Spill::Spill(const std::string& folder, std::int64_t quota, Disk& disk)
    : folder_(std::make_shared<Folder>(folder, quota, disk)) {}

Spill::~Spill() = default;

std::shared_ptr<const Spill::File> Spill::write(const Value& value, const ObjectMeta& meta,
                                                std::int64_t bytes) {
  auto spilled = std::make_shared<const File>(folder_, bytes);
  const FileHandle file = spilled->open(O_RDWR | O_CREAT | O_EXCL);
  ObjectRecord record;
  record.key = spilled->name;
  record.version = 1;
  record.sequence = 1;
  record.meta = meta;
  record.bytes = bytes;
  // What is gone with the process need not survive a power cut, so nothing is synced.
  write_object(
      folder_->key, std::move(record), value, [&](std::int64_t offset, iovec* pieces, int count) {
        write_all(folder_->disk, file.fd(), offset, pieces, count, "cannot spill an object");
      });
  return spilled;
}

ValuePtr Spill::read(const File& spilled) {
  try {
    const FileHandle file = spilled.open(O_RDONLY);
    return map_object(file.fd(), spilled.folder->key, {kRoot, spilled.name}).value;
  } catch (const Error& error) {
    if (error.code() != Code::kCorrupt) throw;
    throw Error(Code::kCorrupt,
                "an object that memory had no room for cannot be read back from the disk: its file "
                "was changed or removed, or the disk fails; compute it again");
  }
}

std::int64_t Spill::bytes() const {
  const std::lock_guard lock(folder_->mutex);
  return folder_->bytes;
}

std::int64_t Spill::objects() const {
  const std::lock_guard lock(folder_->mutex);
  return folder_->objects;
}

}  // namespace curia
