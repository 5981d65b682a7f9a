// Digests that tests tell apart at a glance. Thread: any.
#pragma once

#include <cstdint>

#include "protocol/digest.h"

namespace curia {

// The digest whose bytes are all `byte`.
inline Digest filled(std::uint8_t byte) {
  Digest digest;
  digest.bytes.fill(byte);
  return digest;
}

}  // namespace curia
