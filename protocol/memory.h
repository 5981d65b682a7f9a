// How much memory the values of a graph take, and until when.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "protocol/graph.h"

namespace curia {

// Bytes that each holder of a value of this type keeps: elements, both parts of a share; `?` and
// the text of strings count as nothing.
std::int64_t held_bytes(const Type& type);
// Bytes that the type itself takes.
std::int64_t type_bytes(const Type& type);

// When the values of a region can go.
struct Lives {
  std::unordered_map<ValueId, std::size_t> last_use;  // number of the op
  std::unordered_set<ValueId> kept;                   // to the region's end
};

// Of a region, or of a graph with its outputs. Asks nothing of the ops, which may be wrong in any
// way. REQUIRES: not nested deeper than kMaxRegionDepth.
Lives lives_of(const std::vector<Op>& ops, const std::vector<ValueId>& results);

}  // namespace curia
