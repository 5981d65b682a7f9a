// Files mapped into memory for reading, and what happens when the file goes away under them.
//
// A page that cannot be read any more (the file was cut, the disk failed) raises SIGBUS, which
// would end the process. The handler puts empty memory in the mapping's place, notes that it is
// broken, and the one who was reading goes on; whoever uses a mapping asks faulted() afterwards and
// before he passes on what he read. Signal handlers belong to the process, and so does the list of
// mappings that ours looks through; a fault elsewhere goes to the handler there was before.
//
// Thread: any.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "protocol/value.h"

namespace curia {

class Mapping {
 public:
  // The first bytes of an open file, read-only. Errors: kQuota where there is no room.
  static std::shared_ptr<const Mapping> of(int file, std::int64_t bytes);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  const std::uint8_t* data() const { return data_; }
  std::int64_t size() const { return size_; }

  // Brings a part into memory; false where it cannot be read.
  bool load(std::int64_t offset, std::int64_t bytes) const;
  bool faulted() const;

  // Whether an address is in a mapping at all, and whether that one is broken. Both are for memory
  // that the caller keeps alive. The second costs nothing as long as there was no fault.
  static bool contains(const void* address);
  static bool faulted(const void* address);

 private:
  struct Entry;
  Mapping(const std::uint8_t* data, std::int64_t size, Entry* entry)
      : data_(data), size_(size), entry_(entry) {}
  static Entry* find(const void* address);
  static void on_fault(int signal, void* info, void* context);
  static void install();

  const std::uint8_t* const data_;
  const std::int64_t size_;
  Entry* const entry_;
};

// Whether some memory of a value lies in a mapping, or in a broken one.
bool is_mapped(const Value& value);
bool has_faulted(const Value& value);
// The value itself, or one whose slices in mappings are what `copied` makes of them in memory, for
// those who read it later and cannot ask then. Errors: kCorrupt for a broken one.
Slice slice_in_memory(const Slice& slice);
ValuePtr unmapped(const ValuePtr& value,
                  const std::function<Slice(const Slice&)>& copied = slice_in_memory);

}  // namespace curia
