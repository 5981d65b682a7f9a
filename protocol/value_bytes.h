// A value as a small head and bulk body parts, for every wire (DESIGN sections 6 and 7).
//
// The body parts are the value's own buffers, shared, each padded to 64 bytes on the wire, so that
// the received body is used in place, aligned.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "protocol/digest.h"
#include "protocol/value.h"

namespace curia {

struct ValueBytes {
  std::string head;
  std::vector<Slice> body;
  std::int64_t bytes = 0;  // of all body parts
};

// REQUIRES: a tensor or a table (an error is thrown as itself; kInvalid for a share).
ValueBytes value_bytes(const Value& value);

// SHA-256 of type, head and body. REQUIRES: as value_bytes().
Digest content_digest(const Value& value);

// Shares `body`. Errors: kInvalid where head and body do not fit each other, a bool is neither 0
// nor 1, string offsets are not in order, or the found type is not accepted by `declared` (device
// aside).
Value value_from_bytes(std::string_view head, const Slice& body, const Type& declared);

// What one member of a secure device sends of a secret that is fetched: its first part alone, so
// that nothing can be put together unless every member has sent its own.
struct SharePart {
  SecretType type;
  Digest instance;
  Slice part;
};
ValueBytes share_part_bytes(const Share& share);
// Shares `body`. Errors: kInvalid where head and body do not fit each other or `declared`.
SharePart share_part_from_bytes(std::string_view head, const Slice& body, const Type& declared);

// The most bytes a body of this type may have; `unknown_limit` where a dimension is `?` or there
// are strings.
std::int64_t max_body_bytes(const Type& declared, std::int64_t unknown_limit);

}  // namespace curia
