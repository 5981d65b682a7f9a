// One object as one file: an Arrow IPC file whose footer holds what is known of the object and
// seals every byte. store/FORMAT.md has the layout. Thread: any.
#pragma once

#include <memory>
#include <string>

#include "store/disk.h"
#include "store/object_record.h"

namespace curia {

// Writes all of a file that is open and empty, and syncs its data. record: key, version, sequence
// and meta; the rest is filled in. Errors: as throw_disk_error().
ObjectRecord write_object(Disk& disk, int file, const StoreKey& key, ObjectRecord record,
                          const Value& value);

// What the footer says, without the checksums of the body being compared. Errors: kCorrupt where
// it is not exactly what a worker with this key wrote under this name.
ObjectRecord read_record(Disk& disk, int file, const StoreKey& key, const std::string& name);

struct MappedObject {
  ObjectRecord record;
  ValuePtr value;  // over the mapped file
};

// Maps the file and compares all checksums. Errors: kCorrupt, as read_record(), and for a body that
// is not what was written or cannot be read.
MappedObject map_object(int file, const StoreKey& key, const std::string& name);

}  // namespace curia
