#include "protocol/interval.h"

#include <algorithm>
#include <charconv>

#include "protocol/error.h"
#include "protocol/list_text.h"
#include "protocol/ops.h"

namespace curia {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// The rest of a smaller product would be no double.
constexpr double kTiny = 1e-270;

double below(double x) { return std::nextafter(x, -kInf); }
double above(double x) { return std::nextafter(x, kInf); }

// A bound and what it lacks to the exact result: `rest` > 0 where the exact one is larger. An
// infinite rest: too small to tell, but of this sign is the exact result.
struct Rounded {
  double value;
  double rest;
};

double down(const Rounded& x) {
  if (std::isnan(x.value)) return -kInf;
  if (x.rest == kInf) return 0;
  return x.rest < 0 ? below(x.value) : x.value;
}
double up(const Rounded& x) {
  if (std::isnan(x.value)) return kInf;
  if (x.rest == -kInf) return 0;
  return x.rest > 0 ? above(x.value) : x.value;
}

// Knuth's TwoSum: the rest is exact.
Rounded add(double a, double b) {
  const double sum = a + b;
  if (!std::isfinite(sum)) return {sum, 0};
  const double from_b = sum - a;
  return {sum, (a - (sum - from_b)) + (b - from_b)};
}

// An unknown bound times 0 is 0: no cell is infinite, or it is NaN that comes out.
Rounded multiply(double a, double b) {
  if (a == 0 || b == 0) return {0, 0};
  const double product = a * b;
  if (!std::isfinite(product)) return {product, 0};
  if (std::fabs(product) < kTiny) return {product, (a > 0) == (b > 0) ? kInf : -kInf};
  return {product, std::fma(a, b, -product)};
}

Rounded divide(double a, double b) {
  if (a == 0) return {0, 0};
  const double quotient = a / b;
  if (!std::isfinite(quotient) || !std::isfinite(b)) return {quotient, 0};
  if (std::fabs(quotient) < kTiny || std::fabs(a) < kTiny) {
    return {quotient, (a > 0) == (b > 0) ? kInf : -kInf};
  }
  const double rest = -std::fma(quotient, b, -a);
  return {quotient, b > 0 ? rest : -rest};
}

// Where a result is beyond all doubles nothing is known.
Interval bounded(double low, double high, bool nan) {
  if (std::isnan(low) || std::isnan(high) || low == kInf || high == -kInf || low > high) {
    return kAnything;
  }
  return {low, high, nan};
}

template <Rounded (*f)(double, double)>
Interval corners(const Interval& a, const Interval& b) {
  double low = kInf, high = -kInf;
  for (const double x : {a.low, a.high}) {
    for (const double y : {b.low, b.high}) {
      const Rounded corner = f(x, y);
      low = std::min(low, down(corner));
      high = std::max(high, up(corner));
    }
  }
  return bounded(low, high, a.nan || b.nan);
}

// The floats of the interval; upside down where there is none.
Interval of_f32(const Interval& x) {
  const float inf = std::numeric_limits<float>::infinity();
  auto low = static_cast<float>(x.low), high = static_cast<float>(x.high);
  if (low < x.low) low = std::nextafter(low, inf);
  if (high > x.high) high = std::nextafter(high, -inf);
  return {low, high, x.nan};
}

// The bounds of a dtype; of i64 and u64 the lowest double that is beyond the highest number.
Interval every_number(DType dtype) {
  if (dtype == DType::kI64) return {-0x1p63, 0x1p63};
  if (dtype == DType::kU64) return {0, 0x1p64};
  return natural_range(dtype);
}

bool has_column(const TableType& table, const std::string& name) {
  return std::ranges::any_of(table.columns, [&](const ColumnType& column) {
    return column.name == name && column.dtype != DType::kString;
  });
}

}  // namespace

std::string number_text(double number) {
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof(buffer), number).ptr};
}

std::string Interval::str() const {
  const auto bound = [](double x) { return std::isfinite(x) ? number_text(x) : std::string("?"); };
  if (!std::isfinite(low) && !std::isfinite(high)) return "unknown";
  return "[" + bound(low) + ", " + bound(high) + "]";
}

std::string ranges_text(const Ranges& ranges) {
  const auto all = ranges.find("");
  if (ranges.size() == 1 && all != ranges.end()) return all->second.str();
  const auto text = [](const auto& entry) {
    const auto& [column, range] = entry;
    return (column.empty() ? "" : column + ": ") + range.str();
  };
  return "{" + list_text(ranges, text) + "}";
}

Interval natural_range(DType dtype) {
  if (dtype == DType::kBool) return {0, 1};
  if (dtype == DType::kI64) return {};
  if (dtype == DType::kU64) return {0, kInf};
  if (!is_int(dtype)) return kAnything;
  const int bits = static_cast<int>(dtype_bytes(dtype)) * 8;
  if (is_unsigned_int(dtype)) return {0, std::ldexp(1, bits) - 1};
  return {-std::ldexp(1, bits - 1), std::ldexp(1, bits - 1) - 1};
}

bool in_dtype(const Interval& x, DType dtype) {
  if (is_float(dtype)) return true;
  if (dtype == DType::kI64) return x.low >= -0x1p63 && x.high < 0x1p63;
  if (dtype == DType::kU64) return x.low >= 0 && x.high < 0x1p64;
  return x.within(natural_range(dtype));
}

Interval declared_range(const Ranges& ranges, const std::string& column, DType dtype) {
  auto found = ranges.find(column);
  if (found == ranges.end()) found = ranges.find("");
  const Interval natural = natural_range(dtype);
  if (found == ranges.end()) return natural;
  Interval range = found->second;
  if (!is_float(dtype)) range = {std::ceil(range.low), std::floor(range.high)};
  if (dtype == DType::kF32) range = of_f32(range);
  // A range for all columns may hold no number of this one's dtype; then it says nothing.
  const Interval all = every_number(dtype);
  const bool none = range.low > range.high || range.high < all.low || range.low > all.high ||
                    (dtype_bytes(dtype) == 8 && is_int(dtype) && range.low == all.high);
  return none ? natural : meet(range, all);
}

void check_ranges(const Ranges& ranges, const Type& type) {
  for (const auto& [column, range] : ranges) {
    if (!range.known() || range.nan || range.low > range.high) {
      ops::refuse("expected a range of two finite numbers, the lower one first" +
                  (column.empty() ? "" : ", for column " + ops::in_quotes(column)));
    }
    if (column.empty()) continue;
    if (!type.is_table()) {
      ops::refuse("expected one range for " + ops::brief(type) + ", such as [0, 1]; only tables " +
                  "have columns, found " + ops::in_quotes(column));
    }
    if (!has_column(type.table(), column)) {
      ops::refuse("there is a range for " + ops::in_quotes(column) + ", which is no column of " +
                  "numbers in " + ops::brief(type));
    }
  }
}

Interval exactly(double number) {
  if (std::isnan(number)) return kAnything;
  return {number, number, false};
}

Interval unite(const Interval& a, const Interval& b) {
  return {std::min(a.low, b.low), std::max(a.high, b.high), a.nan || b.nan};
}

Interval meet(const Interval& a, const Interval& b) {
  return {std::max(a.low, b.low), std::min(a.high, b.high), a.nan && b.nan};
}

Interval negative(const Interval& x) { return {-x.high, -x.low, x.nan}; }

Interval absolute(const Interval& x) {
  if (x.low >= 0) return x;
  if (x.high <= 0) return negative(x);
  return {0, x.size(), x.nan};
}

Interval sum_of(const Interval& a, const Interval& b) {
  return bounded(down(add(a.low, b.low)), up(add(a.high, b.high)), a.nan || b.nan);
}

Interval difference_of(const Interval& a, const Interval& b) { return sum_of(a, negative(b)); }

Interval product_of(const Interval& a, const Interval& b) { return corners<multiply>(a, b); }

Interval square_of(const Interval& x) {
  const Interval size = absolute(x);
  return product_of(size, size);
}

Interval quotient_of(const Interval& a, const Interval& b) { return corners<divide>(a, b); }

Interval times(const Interval& x, std::int64_t count) {
  return product_of(x, exactly(static_cast<double>(count)));
}

Interval widened(const Interval& x, double by, double part) {
  if (by == 0 && part == 0) return x;
  return bounded(below(x.low - by - part * std::fabs(x.low)),
                 above(x.high + by + part * std::fabs(x.high)), x.nan);
}

}  // namespace curia
