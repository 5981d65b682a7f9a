// Ranges of plain values: what the kernels of a party give, rounding included. Floats that are
// unknown may be NaN or infinite.
#include <algorithm>

#include "protocol/range_rules.h"

namespace curia::ranges {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
// More than what the functions of the kernels err by, as a part of the result.
constexpr double kFunctionError = 1e-13;
constexpr double kFloatFunctionError = 1e-5;

DType dtype_of(const Type& type) { return type.tensor().dtype; }

Interval to_f32(const Interval& x) {
  const auto low = static_cast<float>(x.low), high = static_cast<float>(x.high);
  const float inf = std::numeric_limits<float>::infinity();
  return {low <= x.low ? low : std::nextafter(low, -inf),
          high >= x.high ? high : std::nextafter(high, inf), x.nan};
}

// As the result's dtype holds it: ints that may pass its limits wrap, so they may be any.
Interval stored(DType dtype, Interval x) {
  if (!is_float(dtype)) {
    x.nan = false;
    return in_dtype(x, dtype) ? x : natural_range(dtype);
  }
  if (dtype == DType::kF32) x = to_f32(x);
  return x;
}

// Of arithmetic: what is not finite can become NaN.
Interval computed(const Context& ctx, Interval x, bool nan = false) {
  const DType dtype = dtype_of(ctx.result());
  for (std::size_t i = 0; i < ctx.operands(); ++i) {
    nan = nan || ctx.in(i).nan || (is_float(dtype_of(ctx.type(i))) && !ctx.in(i).known());
  }
  x.nan = x.nan || nan;
  return stored(dtype, x);
}

double function_error(const Context& ctx) {
  return dtype_of(ctx.result()) == DType::kF32 ? kFloatFunctionError : kFunctionError;
}

// --- sources

std::vector<ValueRange> source(Context& ctx) {
  static const Ranges none;
  return {of_type(ctx.result(), ctx.has("range") ? ctx.attr<Ranges>("range") : none)};
}

template <class T>
Interval cells(const Tensor& tensor) {
  Interval found{kInf, -kInf};
  for (const T cell : tensor.as<T>()) {
    const auto number = static_cast<double>(cell);
    if (std::isnan(number)) {
      found.nan = true;
    } else {
      found.low = std::min(found.low, number);
      found.high = std::max(found.high, number);
    }
  }
  return found.low > found.high ? Interval{0, 0, found.nan} : found;
}

std::vector<ValueRange> constant(Context& ctx) {
  const auto& value = ctx.attr<Tensor>("value");
  static constexpr Interval (*by_dtype[])(const Tensor&) = {
      cells<bool>,          cells<std::int8_t>,  cells<std::int16_t>,  cells<std::int32_t>,
      cells<std::int64_t>,  cells<std::uint8_t>, cells<std::uint16_t>, cells<std::uint32_t>,
      cells<std::uint64_t>, cells<float>,        cells<double>};
  Interval found = by_dtype[static_cast<std::size_t>(value.dtype)](value);
  // Integers that no double holds were rounded to the nearest.
  if (dtype_bytes(value.dtype) == 8 && is_int(value.dtype) && found.size() > 0x1p53) {
    found = widened(found, 0, 0x1p-53);
  }
  return one(found);
}

std::vector<ValueRange> iota(Context& ctx) {
  const auto count = static_cast<double>(ctx.attr<std::int64_t>("count"));
  return one({0, std::max(count - 1, 0.0)});
}

std::vector<ValueRange> loop_index(Context& ctx) { return one(ctx.index); }

// Of 53 bits, sqrt(-2 ln 2^-53) = 8.6 is the largest.
std::vector<ValueRange> random(Context& ctx) {
  const bool normal = ctx.attr<std::string>("distribution") == "normal";
  return one(normal ? Interval{-9, 9} : Interval{0, 1});
}

std::vector<ValueRange> nothing(Context&) { return {}; }

// --- elementwise

std::vector<ValueRange> same(Context& ctx) { return {ctx.value(0)}; }

template <Interval (*f)(const Interval&, const Interval&)>
std::vector<ValueRange> arithmetic(Context& ctx) {
  return one(computed(ctx, f(ctx.in(0), ctx.in(1))));
}

std::vector<ValueRange> mul(Context& ctx) {
  const bool square = ctx.op.operands[0] == ctx.op.operands[1];
  return one(computed(ctx, square ? square_of(ctx.in(0)) : product_of(ctx.in(0), ctx.in(1))));
}

std::vector<ValueRange> div(Context& ctx) {
  const Interval &a = ctx.in(0), &b = ctx.in(1);
  const bool zero = b.holds(0);
  if (is_float(dtype_of(ctx.result()))) {
    return one(zero ? kAnything : computed(ctx, quotient_of(a, b)));
  }
  if (zero) return one(stored(dtype_of(ctx.result()), {-a.size(), a.size()}));
  const Interval exact = quotient_of(a, b);
  return one(stored(dtype_of(ctx.result()), {std::trunc(exact.low), std::trunc(exact.high)}));
}

std::vector<ValueRange> mod(Context& ctx) {
  const Interval &a = ctx.in(0), &b = ctx.in(1);
  const double most = std::min(a.size(), b.size());
  const Interval rest{a.low < 0 ? -most : 0, a.high > 0 ? most : 0};
  return one(computed(ctx, rest, is_float(dtype_of(ctx.result())) && b.holds(0)));
}

std::vector<ValueRange> pow(Context& ctx) {
  const Interval &a = ctx.in(0), &b = ctx.in(1);
  if (!a.known() || !b.known() || a.low <= 0) return one(kAnything);
  Interval found{kInf, -kInf};
  for (const double x : {a.low, a.high}) {
    for (const double y : {b.low, b.high}) found = unite(found, exactly(std::pow(x, y)));
  }
  if (!found.known()) return one(kAnything);
  found = widened(found, 1e-300, function_error(ctx));
  return one(computed(ctx, {std::max(found.low, 0.0), found.high}));
}

std::vector<ValueRange> neg(Context& ctx) { return one(computed(ctx, negative(ctx.in(0)))); }
std::vector<ValueRange> abs(Context& ctx) { return one(computed(ctx, absolute(ctx.in(0)))); }

std::vector<ValueRange> minimum(Context& ctx) {
  const Interval &a = ctx.in(0), &b = ctx.in(1);
  return one({std::min(a.low, b.low), std::min(a.high, b.high), a.nan || b.nan});
}
std::vector<ValueRange> maximum(Context& ctx) {
  const Interval &a = ctx.in(0), &b = ctx.in(1);
  return one({std::max(a.low, b.low), std::max(a.high, b.high), a.nan || b.nan});
}

template <double (*f)(double)>
std::vector<ValueRange> whole(Context& ctx) {
  const Interval& x = ctx.in(0);
  return one({f(x.low), f(x.high), x.nan});
}

// Of a function that grows, between bounds that its results never pass.
template <double (*f)(double)>
Interval growing(const Context& ctx, const Interval& x, double least, double most) {
  const Interval found = widened({f(x.low), f(x.high), x.nan}, 1e-300, function_error(ctx));
  return computed(ctx, {std::max(found.low, least), std::min(found.high, most), found.nan});
}

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

std::vector<ValueRange> exp(Context& ctx) {
  return one(growing<std::exp>(ctx, ctx.in(0), 0, kInf));
}
std::vector<ValueRange> sigmoid(Context& ctx) {
  return one(growing<sigmoid_of>(ctx, ctx.in(0), 0, 1));
}
std::vector<ValueRange> tanh(Context& ctx) {
  return one(growing<std::tanh>(ctx, ctx.in(0), -1, 1));
}
std::vector<ValueRange> log(Context& ctx) {
  if (ctx.in(0).low <= 0) return one(kAnything);
  const Interval x = widened(ctx.in(0), 0, function_error(ctx));  // near 1 the result is near 0
  return one(growing<std::log>(ctx, x.low > 0 ? x : ctx.in(0), -kInf, kInf));
}
std::vector<ValueRange> sqrt(Context& ctx) {
  if (ctx.in(0).low < 0) return one(kAnything);
  return one(growing<std::sqrt>(ctx, ctx.in(0), 0, kInf));
}

std::vector<ValueRange> truth(Context&) { return one({0, 1}); }

std::vector<ValueRange> logic(Context& ctx) {
  const DType dtype = dtype_of(ctx.result());
  if (dtype == DType::kBool) return one({0, 1});
  if (ctx.op.name == "not") {
    const Interval& x = ctx.in(0);
    if (is_signed_int(dtype)) return one(stored(dtype, difference_of(exactly(-1), x)));
    return one(natural_range(dtype));
  }
  const Interval &a = ctx.in(0), &b = ctx.in(1);
  if (a.low < 0 || b.low < 0) return one(natural_range(dtype));
  if (ctx.op.name == "and") return one({0, std::min(a.high, b.high)});
  const double most = std::max(a.high, b.high);
  if (!std::isfinite(most)) return one(natural_range(dtype));
  // No bit above the highest of both.
  return one(stored(dtype, {0, std::ldexp(1, std::ilogb(std::max(most, 0.5)) + 1) - 1}));
}

std::vector<ValueRange> select(Context& ctx) { return one(unite(ctx.in(1), ctx.in(2))); }

std::vector<ValueRange> cast(Context& ctx) {
  return one(cast_range(ctx.in(0), dtype_of(ctx.result())));
}

// --- shape and reductions

std::vector<ValueRange> all_operands(Context& ctx) {
  Interval found = ctx.in(0);
  for (std::size_t i = 1; i < ctx.operands(); ++i) found = unite(found, ctx.in(i));
  return one(found);
}

// What may come of an axis that turns out to be empty is 0.
std::vector<ValueRange> gather(Context& ctx) {
  const auto axis = static_cast<std::size_t>(ctx.attr<std::int64_t>("axis"));
  const bool sure = ctx.shape(0)[axis] > 0;
  return one(sure ? ctx.in(0) : unite(ctx.in(0), exactly(0)));
}

// Of so many terms, all between the bounds of `term`, in any order.
Interval long_sum(DType dtype, const Interval& term, std::int64_t count) {
  if (count == kUnknown) {
    return {term.low < 0 ? -kInf : 0, term.high > 0 ? kInf : 0, term.nan};
  }
  Interval sum = times(term, count);
  if (!is_float(dtype)) return sum;
  // Rounding after each term: N. Higham, Accuracy and Stability of Numerical Algorithms, 4.2.
  const double each = dtype == DType::kF32 ? 0x1p-23 : 0x1p-52;
  const double part = each * static_cast<double>(count);
  if (part >= 1) return kAnything;
  const Interval wide = widened(sum, part * sum.size());
  return {term.low >= 0 ? std::max(wide.low, 0.0) : wide.low,
          term.high <= 0 ? std::min(wide.high, 0.0) : wide.high, wide.nan};
}

std::vector<ValueRange> matmul(Context& ctx) {
  const Interval term = product_of(ctx.in(0), ctx.in(1));
  return one(computed(ctx, long_sum(dtype_of(ctx.result()), term, inner_extent(ctx))));
}

std::vector<ValueRange> sum(Context& ctx) {
  return one(computed(ctx, long_sum(dtype_of(ctx.result()), ctx.in(0), reduced_count(ctx))));
}

std::vector<ValueRange> mean(Context& ctx) {
  const std::int64_t count = reduced_count(ctx);
  const DType dtype = dtype_of(ctx.result());
  const Interval& x = ctx.in(0);
  // The sum of more rows than that may have lost all its digits.
  const double each = dtype == DType::kF32 ? 0x1p-22 : 0x1p-51;
  const double most = static_cast<double>(count == kUnknown ? kMaxElements : count);
  if (each * most >= 1 || sum_may_overflow(dtype, x, most)) return one(kAnything);
  Interval found = widened(x, each * (most + 1) * x.size());
  if (x.low >= 0) found.low = std::max(found.low, 0.0);
  return one(computed(ctx, found, count == kUnknown || count == 0));
}

// Of `?` that is 0 the highest or lowest of the dtype.
std::vector<ValueRange> extremum(Context& ctx) {
  if (reduced_count(ctx) != kUnknown) return {ctx.value(0)};
  return one(unite(ctx.in(0), natural_range(dtype_of(ctx.result()))));
}

std::vector<ValueRange> position(Context& ctx) {
  const auto axis = static_cast<std::size_t>(ctx.attr<std::int64_t>("axis"));
  const std::int64_t extent = ctx.shape(0)[axis];
  return one({0, static_cast<double>(extent == kUnknown ? kMaxElements
                                                        : std::max<std::int64_t>(extent - 1, 0))});
}

// --- releases: noise has no bound, but a mean is clipped to that of its rows

std::vector<ValueRange> noisy(Context& ctx) {
  return one(is_float(dtype_of(ctx.result())) ? Interval{} : natural_range(DType::kI64));
}

std::vector<ValueRange> noisy_mean(Context& ctx) {
  return one({ctx.attr<double>("low"), ctx.attr<double>("high")});
}

constexpr Row kRows[] = {
    {"constant", constant},
    {"dataset", source},
    {"iota", iota},
    {"load", source},
    {"loop_index", loop_index},
    {"random", random},
    {"save", nothing},
    {"transfer", same},
    {"add", arithmetic<sum_of>},
    {"sub", arithmetic<difference_of>},
    {"mul", mul},
    {"div", div},
    {"mod", mod},
    {"pow", pow},
    {"neg", neg},
    {"abs", abs},
    {"minimum", minimum},
    {"maximum", maximum},
    {"floor", whole<std::floor>},
    {"ceil", whole<std::ceil>},
    {"round", whole<std::nearbyint>},
    {"exp", exp},
    {"log", log},
    {"sqrt", sqrt},
    {"sigmoid", sigmoid},
    {"tanh", tanh},
    {"eq", truth},
    {"ne", truth},
    {"lt", truth},
    {"le", truth},
    {"gt", truth},
    {"ge", truth},
    {"and", logic},
    {"or", logic},
    {"xor", logic},
    {"not", logic},
    {"select", select},
    {"cast", cast},
    {"broadcast", same},
    {"reshape", same},
    {"slice", same},
    {"transpose", same},
    {"concat", all_operands},
    {"gather", gather},
    {"matmul", matmul},
    {"sum", sum},
    {"mean", mean},
    {"min", extremum},
    {"max", extremum},
    {"argmin", position},
    {"argmax", position},
    {"argsort", position},
    {"dp_histogram", noisy},
    {"dp_mean", noisy_mean},
    {"dp_sum", noisy},
};

}  // namespace

Interval cast_range(const Interval& x, DType to) {
  if (to == DType::kBool) return {0, 1};
  if (is_float(to)) return to == DType::kF32 ? to_f32(x) : x;
  Interval found{std::trunc(x.low), std::trunc(x.high)};
  if (x.nan) found = unite(found, exactly(0));
  // Saturates.
  Interval most = natural_range(to);
  if (to == DType::kI64 || to == DType::kU64) {
    if (!x.known()) return most;
    most = to == DType::kI64 ? Interval{-0x1p63, 0x1p63} : Interval{0, 0x1p64};
  }
  // The highest i64 and u64 are no doubles: they lie below the bound.
  const double top = most.high >= 0x1p63 ? std::nextafter(most.high, 0) : most.high;
  return {std::clamp(found.low, most.low, top), std::clamp(found.high, most.low, most.high)};
}

std::int64_t reduced_count(const Context& ctx) {
  const Shape& shape = ctx.shape(0);
  std::int64_t count = 1;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (ctx.has("axes")) {
      const auto& axes = ctx.attr<std::vector<std::int64_t>>("axes");
      if (std::ranges::find(axes, static_cast<std::int64_t>(d)) == axes.end()) continue;
    }
    if (shape[d] == kUnknown) return kUnknown;
    count *= shape[d];
  }
  return count;
}

std::int64_t inner_extent(const Context& ctx) {
  const std::int64_t a = ctx.shape(0).back(), b = ctx.shape(1).front();
  return a == kUnknown ? b : a;
}

std::span<const Row> plain_rows() { return kRows; }

}  // namespace curia::ranges
