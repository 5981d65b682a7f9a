// Values as bytes, for tests that compare them.
#pragma once

#include <string>

#include "protocol/value_bytes.h"

namespace curia {

// Head and body in one: two values of a type are the same, bit for bit, when these are.
// REQUIRES: as value_bytes().
inline std::string all_bytes(const Value& value) {
  const ValueBytes bytes = value_bytes(value);
  std::string all = bytes.head;
  for (const Slice& part : bytes.body) {
    all.append(reinterpret_cast<const char*>(part.data), static_cast<std::size_t>(part.size));
  }
  return all;
}

}  // namespace curia
