// Intervals of real numbers that hold what a value may be, with bounds rounded outwards: what is
// computed from members of intervals lies in the interval computed from these.
// Thread: any.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <string>

#include "protocol/type.h"

namespace curia {

// Every cell is between low and high, both included, or NaN where `nan` says so. An infinite bound
// is an unknown one.
struct Interval {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool nan = false;

  bool operator==(const Interval&) const = default;
  bool known() const { return std::isfinite(low) && std::isfinite(high); }
  bool holds(double number) const { return low <= number && number <= high; }
  bool within(const Interval& other) const {
    return other.low <= low && high <= other.high && (other.nan || !nan);
  }
  double size() const { return std::fmax(std::fabs(low), std::fabs(high)); }  // of the largest cell
  // "[0, 120]", "unknown"; a bound that is unknown as "?".
  std::string str() const;
};

inline constexpr Interval kAnything{-std::numeric_limits<double>::infinity(),
                                    std::numeric_limits<double>::infinity(), true};

// Ranges declared for a value: of a tensor or secret under "", of a table by column. Under "" they
// hold for all columns of numbers that have none of their own.
using Ranges = std::map<std::string, Interval>;

// What the dtype alone tells: unknown for i64 and floats.
Interval natural_range(DType dtype);
// Whether every number of the interval is one of the dtype, fractions aside. Floats hold all.
bool in_dtype(const Interval& x, DType dtype);

// The declared range of a column, or of a tensor where `column` is "", as far as the dtype allows
// it; the natural one where nothing is declared.
Interval declared_range(const Ranges& ranges, const std::string& column, DType dtype);

// Errors: kInvalid for a range that is not finite or upside down, and for names that are no columns
// of numbers of the type.
void check_ranges(const Ranges& ranges, const Type& type);
// "[0, 120]", "{age: [0, 120]}"
std::string ranges_text(const Ranges& ranges);
// In the fewest digits that tell the number.
std::string number_text(double number);

Interval exactly(double number);
Interval unite(const Interval& a, const Interval& b);
// What both hold. REQUIRES: they meet.
Interval meet(const Interval& a, const Interval& b);
Interval negative(const Interval& x);
Interval absolute(const Interval& x);
Interval sum_of(const Interval& a, const Interval& b);
Interval difference_of(const Interval& a, const Interval& b);
Interval product_of(const Interval& a, const Interval& b);
Interval square_of(const Interval& x);
// REQUIRES: b does not hold 0.
Interval quotient_of(const Interval& a, const Interval& b);
// The sum of `count` members.
Interval times(const Interval& x, std::int64_t count);
// By an absolute amount and a part of the size.
Interval widened(const Interval& x, double by, double part = 0);

}  // namespace curia
