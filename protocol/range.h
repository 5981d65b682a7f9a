// Which numbers the values of a program may hold: ranges declared with its sources, constants, and
// what its ops make of them. So that a fixed-point overflow is refused before anything runs, and
// not found, or missed, in a result (DESIGN section 11).
//
// An interval analysis: for each value one interval that holds every cell, rounded outwards. Ranges
// of operands are taken as independent, so it may well be wider than what can be. Thread: any.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "protocol/graph.h"
#include "protocol/interval.h"
#include "protocol/verify.h"

namespace curia {

// Loops of a known count are followed round by round so far and as long as the work stays below
// kMaxRangeWork; then what still changes counts as unknown.
inline constexpr std::int64_t kExactRounds = 1000;
inline constexpr std::int64_t kMaxRangeWork = 200'000;  // op runs, with long tables as several
inline constexpr std::int64_t kMaxRangeNotes = 200;     // the first of each kind

// Of inputs and loads, whose cells may have to be replaced in a copy. Errors: as check_ranges(),
// and kInvalid for a plain type with `?`, which does not tell the size of that copy.
void check_taken_ranges(const Ranges& ranges, const Type& type);
// Whether that copy may be made.
inline bool may_be_copied(const Ranges& ranges, const Type& type) {
  return !ranges.empty() && !type.is_secret();
}

// Of a tensor or secret all cells; of a table each column.
struct ValueRange {
  Interval all = kAnything;
  std::shared_ptr<const std::vector<Interval>> columns;
};

struct RangeAnalysis {
  // The results of each op, by its number; in loops of all rounds together.
  std::vector<std::vector<ValueRange>> results;
  std::vector<ValueRange> outputs;  // of the graph
  std::vector<RangeNote> notes;     // by op number
};

// REQUIRES: `verified` is of this graph (its ranges need not be there yet).
RangeAnalysis analyze_ranges(const Graph& graph, const Verified& verified);

}  // namespace curia
