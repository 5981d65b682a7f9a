// What a stored file says of the object in it: the entry "curia.object" of the footer's metadata,
// as lower-case hex. store/FORMAT.md has the bytes. Thread: values, so any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/backend.h"
#include "store/seal.h"

namespace curia {

struct ObjectRecord {
  std::string key;
  std::int64_t version = 0;
  // Of all puts of this store: a later one has a higher number, whatever its key.
  std::uint64_t sequence = 0;
  ObjectMeta meta;
  Type type;                   // of the value, exact, without a device
  Digest instance;             // of a share
  std::optional<Error> error;  // that stands in the place of the value
  std::int64_t bytes = 0;      // that it counts
  Digest salt;
  std::int64_t body_bytes = 0;      // of the file before the footer
  std::vector<Checksum> checksums;  // of each MiB of these
};

std::string encode_record(const ObjectRecord& record);
// Errors: kCorrupt.
ObjectRecord decode_record(std::string_view hex);

}  // namespace curia
