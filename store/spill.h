// Where a worker's memory puts what it has no room for: one file an object, in a folder that
// belongs to this process. Nothing in it outlives the process, so nothing is synced, and what an
// earlier one left is swept at the start. Files are sealed as those of fs:// are, under a key that
// nobody else ever has: a changed file is CORRUPT, never another value. Thread: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "store/disk.h"
#include "store/object_record.h"

namespace curia {

class Spill {
 public:
  struct File;  // one object; its space is free again when the last who holds it lets go

  // quota: bytes of values, 0: as much as the disk takes. Makes the folder where there is none.
  // Errors: kInvalid for a folder that cannot be used, or that another worker uses.
  Spill(const std::string& folder, std::int64_t quota, Disk& disk = Disk::system());
  ~Spill();
  Spill(const Spill&) = delete;
  Spill& operator=(const Spill&) = delete;

  // bytes: that it counts. Errors: kQuota for a full quota or disk, kFailed where the disk fails.
  std::shared_ptr<const File> write(const Value& value, const ObjectMeta& meta, std::int64_t bytes);
  // Over the mapped file. Errors: kCorrupt where it is not what was written, or cannot be read.
  static ValuePtr read(const File& file);

  std::int64_t bytes() const;
  std::int64_t objects() const;

 private:
  struct Folder;

  const std::shared_ptr<Folder> folder_;
};

}  // namespace curia
