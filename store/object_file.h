// One object as one file: an Arrow IPC file whose footer holds what is known of the object and
// seals every byte. store/FORMAT.md has the layout. Thread: any.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "store/disk.h"
#include "store/object_record.h"

namespace curia {

// How messages name an object, and the key that its record must have.
struct ObjectName {
  std::string_view root;  // "fs:///"
  const std::string& key;
  std::string str() const { return std::string(root) + key; }
};

// Takes pieces of a file, in order.
using WritePieces = std::function<void(std::int64_t offset, iovec* pieces, int count)>;

// The whole file of an object. record: key, version, sequence and meta; the rest is filled in.
ObjectRecord write_object(const StoreKey& key, ObjectRecord record, const Value& value,
                          const WritePieces& write);
// Writes all of a file that is open and empty, and syncs its data. Errors: as throw_disk_error().
ObjectRecord write_object(Disk& disk, int file, const StoreKey& key, ObjectRecord record,
                          const Value& value);

// A file that is read in parts.
struct ObjectBytes {
  std::int64_t size = 0;
  std::function<void(std::uint8_t* to, std::int64_t bytes, std::int64_t offset)> read;
};

// What the footer says, without the checksums of the body being compared. Errors: kCorrupt where
// it is not exactly what a worker with this key wrote under this name.
ObjectRecord read_record(const ObjectBytes& bytes, const StoreKey& key, const ObjectName& name);
ObjectRecord read_record(Disk& disk, int file, const StoreKey& key, const ObjectName& name);

struct MappedObject {
  ObjectRecord record;
  ValuePtr value;  // over the mapped file
};

// Maps the file and compares all checksums. Errors: kCorrupt, as read_record(), and for a body that
// is not what was written or cannot be read.
MappedObject map_object(int file, const StoreKey& key, const ObjectName& name);

}  // namespace curia
