// Ranges of secrets: what the kernels of worker/mpc give, errors included, and what they take. The
// limits are those of worker/mpc/OPS.md. Every known range of a secret is within 2^(62-f), so the
// difference of two always has a sign, and comparisons need no limit of their own.
#include <algorithm>
#include <cstdio>

#include "protocol/range_rules.h"

namespace curia::ranges {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr Interval kBit{0, 1};
constexpr Interval kUnknownNumber{-kInf, kInf};

// --- words

std::string rough(double number) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", number);
  return text;
}

std::string rough(const Interval& x) {
  const auto bound = [](double b) { return std::isfinite(b) ? rough(b) : std::string("?"); };
  return x.known() || std::isfinite(x.low) || std::isfinite(x.high)
             ? "[" + bound(x.low) + ", " + bound(x.high) + "]"
             : "unknown";
}

std::string power(int exponent) {
  return "2^" + std::to_string(exponent) + " (" + rough(std::ldexp(1, exponent)) + ")";
}

std::string operands_text(const Context& ctx) {
  std::string text;
  const std::size_t count = std::min<std::size_t>(ctx.operands(), 2);
  for (std::size_t i = 0; i < count; ++i) text += (i == 0 ? "" : " and ") + rough(ctx.in(i));
  return text;
}

// --- numbers as multiples of an ulp

int fraction_bits(const Type& type) { return type.is_secret() ? type.secret().fraction_bits : 0; }

double ulp(int f) { return std::ldexp(1, -f); }

// The bound a number of ulps makes; without a -0.
double ulps(double count, int f) { return std::ldexp(count, -f) + 0.0; }

// Every rounding to the nearest, halves either way.
Interval nearest(const Interval& x, int f) {
  return {ulps(std::ceil(std::ldexp(x.low, f) - 0.5), f),
          ulps(std::floor(std::ldexp(x.high, f) + 0.5), f)};
}

// Whatever is less than an ulp away, and exact where it is a multiple.
Interval outward(const Interval& x, int f) {
  return {ulps(std::floor(std::ldexp(x.low, f)), f), ulps(std::ceil(std::ldexp(x.high, f)), f)};
}

// --- limits

// Numbers are right below 2^(bits - times_f * f).
struct Limit {
  int bits;
  int times_f;
  int exponent(int f) const { return bits - times_f * f; }
};
constexpr Limit kNumber{62, 1}, kProduct{62, 2}, kSum{61, 1};

std::string remedies(double size, int f, const Limit& limit) {
  std::string text = ": scale the data down, ";
  if (f > 0 && size > 0) {
    const int most =
        static_cast<int>(std::ceil((limit.bits - std::log2(size)) / limit.times_f)) - 1;
    if (most >= 1 && most < f) text += "use at most " + std::to_string(most) + " fraction_bits, ";
  }
  return text + "declare a narrower range, or accept wrong numbers with overflow \"warn\"";
}

// Whether the numbers, called `what`, are below the limit. Where they are not, they are unknown.
bool fits(Context& ctx, const std::string& what, const Interval& x, int f, const Limit& limit,
          bool say_unknown) {
  const int exponent = limit.exponent(f);
  const std::string bits = f > 0 ? "with " + std::to_string(f) + " fraction bits " : "";
  if (!x.known()) {
    if (say_unknown && ctx.wants_unknowns) {
      ctx.say_unknown("the range of its operands is unknown (" + operands_text(ctx) + "): " + bits +
                      what + " from " + power(exponent) +
                      " on in size would give wrong numbers; declare ranges");
    }
    return false;
  }
  if (x.size() < std::ldexp(1, exponent)) return true;
  ctx.refuse("expected " + what + " below " + power(exponent) + " in size, " + bits +
             "no others are right, found " + rough(x) + " from operands in " + operands_text(ctx) +
             remedies(x.size(), f, limit));
  return false;
}

std::vector<ValueRange> checked(Context& ctx, const Interval& x, const std::string& what,
                                const Limit& limit, bool say_unknown) {
  const int f = fraction_bits(ctx.result());
  const bool good = fits(ctx, what, x, f, limit, say_unknown);
  // A half-known range keeps what is known.
  return one(good || !x.known() ? x : kUnknownNumber);
}

// Operand i beside secrets of f fraction bits.
Interval term(Context& ctx, std::size_t i, int f) {
  const Interval& x = ctx.in(i);
  if (ctx.type(i).is_secret()) return x;
  const DType dtype = ctx.type(i).tensor().dtype;
  const Interval encoded = is_float(dtype) ? nearest(x, f) : x;
  if (x.nan || !x.known() || encoded.size() >= std::ldexp(1, kNumber.exponent(f))) {
    ctx.refuse_always("expected public numbers below " + power(kNumber.exponent(f)) +
                      " in size, found " + (x.nan ? "NaN or " : "") + rough(x) + " in operand " +
                      std::to_string(i));
    return kUnknownNumber;
  }
  return encoded;
}

Interval number(Context& ctx, std::size_t i) { return term(ctx, i, fraction_bits(ctx.result())); }

// --- movement

std::vector<ValueRange> share(Context& ctx) {
  const SecretType& to = ctx.result().secret();
  if (to.kind == SecretKind::kBool) return one(kBit);
  const int f = to.fraction_bits, exponent = kNumber.exponent(f);
  Interval x = ctx.in(0);
  if (x.nan) x = unite(x, exactly(0));
  x.nan = false;
  const Interval held = is_float(ctx.type(0).tensor().dtype) ? nearest(x, f) : x;
  if (!x.known()) {
    if (ctx.wants_unknowns) {
      ctx.say_unknown("the range of its operand is unknown (" + rough(x) + "): cells beyond " +
                      power(exponent) + " in size saturate; declare ranges");
    }
    return one(held);
  }
  const double most = std::ldexp(1, exponent);
  if (held.size() < most) return one(held);
  ctx.refuse("expected cells below " + power(exponent) + " in size, others saturate, found " +
             rough(x) + remedies(x.size(), f, kNumber));
  return one({std::clamp(held.low, -most, most), std::clamp(held.high, -most, most)});
}

std::vector<ValueRange> reveal(Context& ctx) {
  const Interval& x = ctx.in(0);
  const bool exact = std::ldexp(x.size(), fraction_bits(ctx.type(0))) <= 0x1p53;
  return one(exact || !x.known() ? x : widened(x, 0, 0x1p-52));
}

// --- elementwise

std::vector<ValueRange> add(Context& ctx) {
  return checked(ctx, sum_of(number(ctx, 0), number(ctx, 1)), "sums", kNumber, false);
}
std::vector<ValueRange> sub(Context& ctx) {
  return checked(ctx, difference_of(number(ctx, 0), number(ctx, 1)), "differences", kNumber, false);
}
std::vector<ValueRange> neg(Context& ctx) { return one(negative(ctx.in(0))); }
std::vector<ValueRange> abs(Context& ctx) { return one(absolute(ctx.in(0))); }
std::vector<ValueRange> relu(Context& ctx) {
  return one({std::max(ctx.in(0).low, 0.0), std::max(ctx.in(0).high, 0.0)});
}
std::vector<ValueRange> minimum(Context& ctx) {
  const Interval a = number(ctx, 0), b = number(ctx, 1);
  return one({std::min(a.low, b.low), std::min(a.high, b.high)});
}
std::vector<ValueRange> maximum(Context& ctx) {
  const Interval a = number(ctx, 0), b = number(ctx, 1);
  return one({std::max(a.low, b.low), std::max(a.high, b.high)});
}

std::vector<ValueRange> truth(Context&) { return one(kBit); }

std::vector<ValueRange> compare(Context& ctx) {
  int f = 0;
  for (std::size_t i = 0; i < ctx.operands(); ++i) f = std::max(f, fraction_bits(ctx.type(i)));
  for (std::size_t i = 0; i < ctx.operands(); ++i) term(ctx, i, f);
  return one(kBit);
}

std::vector<ValueRange> select(Context& ctx) { return one(unite(number(ctx, 1), number(ctx, 2))); }

std::vector<ValueRange> cast(Context& ctx) {
  const SecretType& from = ctx.type(0).secret();
  const SecretType& to = ctx.result().secret();
  Interval x = ctx.in(0);
  if (to.kind == SecretKind::kBool) return one(kBit);
  if (to.kind == SecretKind::kInt) return one({std::trunc(x.low), std::trunc(x.high)});
  if (to.fraction_bits < from.fraction_bits) x = outward(x, to.fraction_bits);
  return checked(ctx, x, "numbers", kNumber, false);
}

// --- products

// Whether operand i counts in ulps; whole numbers, secret or public, count in ones.
bool has_fraction(const Context& ctx, std::size_t i) {
  const Type& type = ctx.type(i);
  return type.is_secret() ? type.secret().kind == SecretKind::kFixed
                          : is_float(type.tensor().dtype);
}

// `count` products added up, divided once.
std::vector<ValueRange> products(Context& ctx, std::int64_t count) {
  const int f = fraction_bits(ctx.result());
  const bool divided = has_fraction(ctx, 0) && has_fraction(ctx, 1);
  const Interval a = term(ctx, 0, has_fraction(ctx, 0) ? f : 0);
  const Interval b = term(ctx, 1, has_fraction(ctx, 1) ? f : 0);
  const bool square = ctx.op.name == "mul" && ctx.op.operands[0] == ctx.op.operands[1];
  Interval x = times(square ? square_of(a) : product_of(a, b), count);
  if (divided) x = outward(x, f);
  const std::string what =
      ctx.op.name == "mul" ? "products" : "sums of " + std::to_string(count) + " products";
  return checked(ctx, x, what, divided ? kProduct : kNumber, true);
}

std::vector<ValueRange> mul(Context& ctx) { return products(ctx, 1); }
std::vector<ValueRange> matmul(Context& ctx) { return products(ctx, inner_extent(ctx)); }

// --- reductions

std::string sums_of(std::int64_t count, const char* what) {
  return "sums of " + std::to_string(count) + " " + what;
}

std::vector<ValueRange> sum(Context& ctx) {
  const std::int64_t count = reduced_count(ctx);
  return checked(ctx, times(ctx.in(0), count), sums_of(count, "numbers"), kNumber, true);
}

// The division errs by less than 1.5 ulp.
std::vector<ValueRange> mean(Context& ctx) {
  const int f = fraction_bits(ctx.result());
  const std::int64_t count = reduced_count(ctx);
  const Interval& x = ctx.in(0);
  if (count <= 1) return one(x);
  const bool good = fits(ctx, sums_of(count, "numbers"), times(x, count), f, kSum, true);
  return one(good || !x.known() ? widened(x, ulp(f)) : kUnknownNumber);
}

// Squares of the distance from the mean are at most those of the range's width; their mean is at
// most a quarter of that (Popoviciu), and nothing but the last division can go below 0.
std::vector<ValueRange> variance(Context& ctx) {
  const int f = fraction_bits(ctx.result());
  const std::int64_t count = reduced_count(ctx);
  const Interval& x = ctx.in(0);
  if (count <= 1) return one(exactly(0));
  if (!fits(ctx, sums_of(count, "numbers"), times(x, count), f, kSum, true)) {
    return one({-ulp(f), kInf});
  }
  const double width = difference_of(x, x).high + 2 * ulp(f);
  const Interval square = outward(square_of({0, width}), f);
  // What the rounding of the mean and of the squares adds (worker/mpc/OPS.md).
  const Interval most = outward({0, square.high / 4 + 4 * ulp(f) * (1 + width)}, f);
  if (!fits(ctx, "squares of distances from the mean", square, f, kProduct, false) ||
      !fits(ctx, sums_of(count, "squares of distances from the mean"), times(most, count), f, kSum,
            false)) {
    return one({-ulp(f), kInf});
  }
  return one({-ulp(f), most.high});
}

std::vector<ValueRange> same(Context& ctx) { return one(ctx.in(0)); }

std::vector<ValueRange> position(Context& ctx) {
  const std::int64_t extent =
      ctx.shape(0)[static_cast<std::size_t>(ctx.attr<std::int64_t>("axis"))];
  return one({0, static_cast<double>(extent - 1)});
}

std::vector<ValueRange> concat(Context& ctx) {
  Interval found = number(ctx, 0);
  for (std::size_t i = 1; i < ctx.operands(); ++i) found = unite(found, number(ctx, i));
  return one(found);
}

// --- functions. Their results are off by 2 ulp and a part of them.

constexpr double kPart = 0x1p-22, kExpPart = 0x1p-19;

Interval near(const Interval& x, int f, double part) {
  return outward(widened(x, 2 * ulp(f), part), f);
}

// Whether the operand is within what the function takes: [least, 2^most_bits), as `words` say.
bool takes(Context& ctx, double least, double most, const std::string& words,
           const std::string& remedy) {
  const Interval& x = ctx.in(0);
  if (!x.known()) {
    if (ctx.wants_unknowns) {
      ctx.say_unknown("the range of its operand is unknown (" + rough(x) + "): " + ctx.op.name +
                      " is right for " + words + " only; declare ranges");
    }
    return false;
  }
  if (x.low >= least && x.high < most) return true;
  ctx.refuse("expected an operand of " + words + ", found " + rough(x) + ": " + remedy +
             ", declare a narrower range, or accept wrong numbers with overflow \"warn\"");
  return false;
}

std::vector<ValueRange> reciprocal(Context& ctx) {
  const int f = fraction_bits(ctx.result());
  const Interval& x = ctx.in(0);
  const double least = std::ldexp(1, std::max(f - 34, -f)), most = std::ldexp(1, 62 - 2 * f);
  const bool below_0 = x.high < 0;
  const std::string words =
      "at least " + power(std::max(f - 34, -f)) + " and below " + power(62 - 2 * f) + " in size";
  const std::string remedy = x.low < least && x.high > -least
                                 ? "keep it away from 0, as with maximum(x, 0.001)"
                                 : "scale it";
  const bool good = below_0 ? takes(ctx, -most, std::nextafter(-least, 0), words, remedy)
                            : takes(ctx, least, most, words, remedy);
  if (!good) return one(kUnknownNumber);
  Interval found = near(quotient_of(exactly(1), x), f, kPart);
  if (below_0) found.high = std::min(found.high, 0.0);
  if (!below_0) found.low = std::max(found.low, 0.0);
  return one(found);
}

std::vector<ValueRange> sqrt(Context& ctx) {
  const int f = fraction_bits(ctx.result());
  const std::string remedy = ctx.in(0).low < 0 ? "cut it off with relu" : "scale it down";
  if (!takes(ctx, 0, std::ldexp(1, 62 - 2 * f), "at least 0 and below " + power(62 - 2 * f),
             remedy)) {
    return one({0, kInf});
  }
  Interval found = near({std::sqrt(ctx.in(0).low), std::sqrt(ctx.in(0).high)}, f, kPart);
  found.low = std::max(found.low, 0.0);
  return one(found);
}

std::vector<ValueRange> log(Context& ctx) {
  const int f = fraction_bits(ctx.result());
  const std::string remedy =
      ctx.in(0).low <= 0 ? "keep it above 0, as with maximum(x, 0.001)" : "scale it down";
  if (!takes(ctx, ulp(f), std::ldexp(1, 62 - 2 * f), "more than 0 and below " + power(62 - 2 * f),
             remedy)) {
    return one(kUnknownNumber);
  }
  return one(near({std::log(ctx.in(0).low), std::log(ctx.in(0).high)}, f, kPart));
}

std::vector<ValueRange> exp(Context& ctx) {
  const int f = fraction_bits(ctx.result());
  const double most = (37 - f) * std::log(2.0);
  if (!takes(ctx, -std::ldexp(1, 37 - f), most,
             "more than -" + power(37 - f) + " and below " + rough(most) +
                 ", where the result reaches 2^" + std::to_string(37 - f) + " and stops",
             "cut it off with minimum, or use fewer fraction_bits")) {
    return one({0, kInf});
  }
  Interval found = near({std::exp(ctx.in(0).low), std::exp(ctx.in(0).high)}, f, kExpPart);
  found.low = std::max(found.low, 0.0);
  return one(found);
}

std::vector<ValueRange> sigmoid(Context& ctx) {
  const auto pieces = ctx.op.attrs.find("pieces");
  const Interval& x = ctx.in(0);
  const auto between = [](double low, double y, double high) { return std::clamp(y, low, high); };
  if (pieces != ctx.op.attrs.end() && std::get<std::int64_t>(pieces->second) == 3) {
    return one({between(0, x.low + 0.5, 1), between(0, x.high + 0.5, 1)});
  }
  const int f = fraction_bits(ctx.result());
  const auto curve = [](double at) { return 1 / (1 + std::exp(-at)); };
  return one(outward(widened({curve(x.low), curve(x.high)}, 0.001 + 8 * ulp(f)), f));
}

constexpr Row kRows[] = {
    {"share", share},     {"reveal", reveal},     {"add", add},
    {"sub", sub},         {"neg", neg},           {"abs", abs},
    {"relu", relu},       {"minimum", minimum},   {"maximum", maximum},
    {"eq", compare},      {"ne", compare},        {"lt", compare},
    {"le", compare},      {"gt", compare},        {"ge", compare},
    {"and", truth},       {"or", truth},          {"xor", truth},
    {"not", truth},       {"select", select},     {"cast", cast},
    {"mul", mul},         {"matmul", matmul},     {"sum", sum},
    {"mean", mean},       {"variance", variance}, {"min", same},
    {"max", same},        {"argmin", position},   {"argmax", position},
    {"sort", same},       {"shuffle", same},      {"broadcast", same},
    {"reshape", same},    {"slice", same},        {"transpose", same},
    {"gather", same},     {"concat", concat},     {"reciprocal", reciprocal},
    {"sqrt", sqrt},       {"log", log},           {"exp", exp},
    {"sigmoid", sigmoid},
};

}  // namespace

std::span<const Row> secret_rows() { return kRows; }

}  // namespace curia::ranges
