// Ranges that owners declare for their datasets and programs for what comes in. Programs count on
// them before they run, so they have to hold. Thread: any.
#pragma once

#include <string>

#include "protocol/interval.h"
#include "protocol/value.h"

namespace curia {

// What a dataset's own ranges may take in messages to drivers.
inline constexpr std::int64_t kMaxRangesBytes = 16 << 10;

// Errors: kInvalid, naming the column, never a cell: a range that does not fit the type, a cell
// that is not in its column's range, or more ranges than messages have room for.
void check_declared(const Value& value, const Ranges& ranges);

// `who` begins the sentence, as in "dataset \"iris\"", here and below. Errors: kInvalid, naming the
// column, never a cell: a cell that is not in its column's range.
// REQUIRES: the ranges fit the type.
void check_cells(const std::string& who, const Value& value, const Ranges& ranges);

// What a program takes for granted is what is known of the value, or wider. Errors:
// kInvalid for the first column that it is not.
void check_claim(const std::string& who, const Type& type, const Ranges& known,
                 const Ranges& claimed);

// The value with cells beyond its ranges at the nearest bound, NaN at the number nearest to 0: like
// every kernel this is total, so that nobody sees what the cells were. The same value where all are
// within.
ValuePtr saturated(const ValuePtr& value, const Ranges& ranges);

}  // namespace curia
