// exp, log, sqrt, reciprocal, sigmoid of fixed-point numbers. Ranges and errors: OPS.md. Constants
// are literals: members that rounded them differently would hold parts that do not fit together.
// Polynomials interpolate at Chebyshev nodes, in t from -1 to 1.
#include <algorithm>
#include <array>

#include "worker/mpc/fixed.h"
#include "worker/mpc/operands.h"

namespace curia::mpc {
namespace {

using Words = std::uint64_t;

constexpr double kLn2 = 0.693147180559945309;
constexpr double kLog2E = 1.44269504088896341;

// Of m = (3 + t) / 4: errors 5.2e-7, 3.2e-9, 3.9e-8.
constexpr std::array<double, 9> kReciprocal = {
    1.33333333333333,    -0.444441352377384,   0.148147117459089,
    -0.04942360004724,   0.0164745333493204,   -0.00534309189713945,
    0.00178103063194691, -0.00079156916985173, 0.000263856390183213};
constexpr std::array<double, 9> kSqrt = {
    0.866025403784439,     0.144337546874386,     -0.0120281247891265,
    0.00200495905842536,   -0.000417720517583338, 9.64921238653105e-05,
    -2.40897501212108e-05, 7.60887599405969e-06,  -2.07742767975737e-06};
constexpr std::array<double, 9> kLog = {
    -0.287682072451781,    0.333333087771688,    -0.0555554815969678,
    0.0123489306811166,    -0.00308739897691011, 0.00081155600324529,
    -0.000225164888856316, 7.9985779300055e-05,  -2.34633010249594e-05};
// 2^((1 + t) / 2): error 2.8e-9.
constexpr std::array<double, 7> kExp2 = {
    1.41421356237309,     0.490129090220087,    0.0849328968461374,  0.00981168504945597,
    0.000850124137402502, 5.92220852210699e-05, 3.41652887339957e-06};

constexpr int kLeastFraction = 8, kMostFraction = 24;

int fraction_bits(const MpcContext& ctx) {
  const Scale scale = scale_of(ctx, 0);
  expect(scale.kind == SecretKind::kFixed, "expected fixed-point numbers; cast them first");
  expect(scale.fraction_bits >= kLeastFraction && scale.fraction_bits <= kMostFraction,
         "this function works with 8 to 24 fraction bits; cast the operand first");
  return scale.fraction_bits;
}

// From the mantissa's bits to others.
RingShare rescaled(MpcProtocol& p, const RingShare& x, int from, int to) {
  if (from > to) return p.truncate(x, from - to);
  return from == to ? x : times(p, x, Words{1} << (to - from));
}

int normal_bits(int f) { return 62 - f; }

// 4 m - 3.
RingShare centred(MpcProtocol& p, const RingShare& m) {
  return add_constant(p, times(p, m, 4), Words{0} - (Words{3} << kMantissaBits));
}

// 2^f / (m 2^(i + 1 - f)) = (1 / m) 2^(2 f - 1 - i). The factor's exponent ends where the product
// with 1 / m <= 2 would pass 2^62.
constexpr int kMostExponent = 61 - 1 - kMantissaBits;

std::vector<ValuePtr> reciprocal(MpcContext& ctx) {
  const int f = fraction_bits(ctx), bits = normal_bits(f);
  MpcProtocol& p = ctx.protocol;
  const SignedNumber x = absolute(p, ring_operand(ctx, 0));
  const Normal normal = normalised(p, x.value, bits);
  const RingShare guess = polynomial(p, centred(p, normal.mantissa), kReciprocal, kMantissaBits);
  // A step of Newton's: w (2 - m w).
  const RingShare off = p.multiply_shift(normal.mantissa, guess, kMantissaBits);
  const RingShare rest = add_constant(p, times(p, off, ~Words{0}), Words{2} << kMantissaBits);
  const RingShare inverse = p.multiply_shift(guess, rest, kMantissaBits);
  std::vector<Words> weights;
  for (int i = 0; i < bits; ++i) {
    const int exponent = std::min(2 * f - 1 - i, kMostExponent);
    weights.push_back(exponent >= 0 ? Words{1} << exponent : 0);
  }
  const RingShare factor = weighted(p, normal.exponent, weights);
  const RingShare value = p.multiply_shift(inverse, factor, kMantissaBits);
  return done(ctx, subtract(p, value, times(p, p.multiply(value, x.negative), 2)));
}

// sqrt(m) 2^((i + 1 + f) / 2), with four more bits in the factor.
std::vector<ValuePtr> sqrt(MpcContext& ctx) {
  constexpr int kMore = 4;
  constexpr double kRoot2 = 1.41421356237309505;
  const int f = fraction_bits(ctx), bits = normal_bits(f);
  MpcProtocol& p = ctx.protocol;
  const Normal normal = normalised(p, ring_operand(ctx, 0), bits);
  const RingShare root = polynomial(p, centred(p, normal.mantissa), kSqrt, kMantissaBits);
  std::vector<Words> weights;
  for (int i = 0; i < bits; ++i) {
    const int twice = i + 1 + f;
    weights.push_back(scaled(twice % 2 == 0 ? 1 : kRoot2, twice / 2 + kMore));
  }
  const RingShare factor = weighted(p, normal.exponent, weights);
  const RingShare value = p.multiply_shift(root, factor, kMantissaBits);
  return done(ctx, p.truncate(value, kMore));
}

// ln(m) + (i + 1 - f) ln 2.
std::vector<ValuePtr> log(MpcContext& ctx) {
  const int f = fraction_bits(ctx), bits = normal_bits(f);
  MpcProtocol& p = ctx.protocol;
  const Normal normal = normalised(p, ring_operand(ctx, 0), bits);
  const RingShare small = polynomial(p, centred(p, normal.mantissa), kLog, kMantissaBits);
  std::vector<Words> weights;
  for (int i = 0; i < bits; ++i) weights.push_back(scaled((i + 1 - f) * kLn2, kMantissaBits));
  const RingShare value = add(p, small, weighted(p, normal.exponent, weights));
  return done(ctx, rescaled(p, value, kMantissaBits, f));
}

// 2^(y - f) with y = x log2(e) + f, so that units in the last place of the result are 2^y. y is
// held between 0 and kMostPower + 1; below, the result is less than a unit, above, it is the
// largest.
std::vector<ValuePtr> exp(MpcContext& ctx) {
  constexpr int kPrecision = 24, kMostPower = 61 - 1 - kPrecision, kPowerBits = 6;
  const int f = fraction_bits(ctx);
  MpcProtocol& p = ctx.protocol;
  const RingShare x = ring_operand(ctx, 0);
  const std::int64_t n = x.count;
  const RingShare product = times(p, x, scaled(kLog2E, kPrecision));
  const RingShare y = add_constant(p, p.truncate(product, f), static_cast<Words>(f) << kPrecision);
  const Words most = (static_cast<Words>(kMostPower + 1) << kPrecision) - 1;
  const RingShare above = add_constant(p, y, Words{0} - most);  // y - most
  const RingShare two = joined(p, {&y, &above});
  const RingShare keep = p.to_ring(negation(p, p.sign(two)));
  const RingShare held = p.multiply(two, keep);  // max(y, 0), max(y - most, 0)
  const RingShare power = subtract(p, piece(held, 0, n), piece(held, n, n));
  const RingShare digits = bit_numbers(p, power, kPrecision, kPowerBits);
  std::vector<Words> weights;
  for (int j = 0; j < kPowerBits; ++j) weights.push_back(Words{1} << (kPrecision + j));
  const RingShare fraction = subtract(p, power, weighted(p, digits, weights));
  // t = 2 fraction - 1.
  const RingShare t = add_constant(p, times(p, fraction, 2), Words{0} - (Words{1} << kPrecision));
  const RingShare root = polynomial(p, t, kExp2, kPrecision);
  // The product over j of 1 + digit_j (2^(2^j) - 1), as a tree.
  RingShare factors =
      p.map({&digits}, digits.count, [&](const Words* const* in, Words* out, bool is_constant) {
        for (int j = 0; j < kPowerBits; ++j) {
          const Words gain = (Words{1} << (1 << j)) - 1;
          for (std::int64_t i = j * n; i < (j + 1) * n; ++i) {
            out[i] = in[0][i] * gain + (is_constant ? 1 : 0);
          }
        }
      });
  for (std::int64_t rows = kPowerBits; rows > 1; rows = (rows + 1) / 2) {
    const std::int64_t half = rows / 2;
    const RingShare pairs =
        p.multiply(piece(factors, 0, half * n), piece(factors, half * n, half * n));
    if (rows % 2 == 0) {
      factors = pairs;
    } else {
      const RingShare last = piece(factors, 2 * half * n, n);
      factors = joined(p, {&pairs, &last});
    }
  }
  return done(ctx, p.multiply_shift(root, factors, kPrecision));
}

// Cubics between knots, each in the distance from its left knot; 0 before the first and 1 behind
// the last. Error 6.0e-4 inside, 3.4e-4 outside.
constexpr std::array<double, 7> kKnots = {-8, -4, -2, 0, 2, 4, 8};
using Cubic = std::array<double, 4>;
constexpr std::array<Cubic, 8> kPieces = {{
    {0, 0, 0, 0},
    {0.000175210984791579, 0.00159292620786775, -0.00124950943740615, 0.000485902895156437},
    {0.0178942036446004, 0.0191323653997262, 0.00487534525905213, 0.00543357004560362},
    {0.119724183962531, 0.0967492522689107, 0.059288245311406, -0.0062244201327759},
    {0.49941969131623, 0.259209191921224, -0.0219417245147502, -0.00622442013277608},
    {0.88087112415491, 0.103836586983177, -0.0374767655326719, 0.00543357004560296},
    {0.982347449892224, 0.0149201896761264, -0.00458132530447034, 0.000485902895156307},
    {1, 0, 0, 0},
}};

// values[k] behind the k-th knot passed: exactly, as differences of what is rounded add up to it.
RingShare stepped(MpcProtocol& p, const RingShare& flags, const std::vector<double>& values,
                  int f) {
  std::vector<Words> weights;
  for (std::size_t k = 1; k < values.size(); ++k) {
    weights.push_back(scaled(values[k], f) - scaled(values[k - 1], f));
  }
  return add_constant(p, weighted(p, flags, weights), scaled(values[0], f));
}

RingShare passed(MpcProtocol& p, const RingShare& x, std::span<const double> knots, int f) {
  const std::int64_t n = x.count, rows = static_cast<std::int64_t>(knots.size());
  const RingShare gaps =
      p.map({&x}, rows * n, [&](const Words* const* in, Words* out, bool is_constant) {
        for (const double knot : knots) {
          const Words at = is_constant ? scaled(knot, f) : 0;
          for (std::int64_t i = 0; i < n; ++i) *out++ = in[0][i] - at;
        }
      });
  return p.to_ring(negation(p, p.sign(gaps)));
}

// max(0, min(1, x + 1/2)) (Mohassel and Zhang, SecureML, S&P 2017, section 5.2).
RingShare three_pieces(MpcProtocol& p, const RingShare& x, int f) {
  constexpr std::array<double, 2> kEnds = {-0.5, 0.5};
  const RingShare flags = passed(p, x, kEnds, f);
  const RingShare left = add_constant(p, x, scaled(0.5, f)),
                  right = add_constant(p, x, scaled(-0.5, f));
  const RingShare parts = p.multiply(flags, joined(p, {&left, &right}));
  return subtract(p, piece(parts, 0, x.count), piece(parts, x.count, x.count));
}

std::vector<ValuePtr> sigmoid(MpcContext& ctx) {
  const int f = fraction_bits(ctx);
  MpcProtocol& p = ctx.protocol;
  const RingShare x = ring_operand(ctx, 0);
  const std::int64_t pieces = int_attr_or(ctx, "pieces", kPieces.size());
  expect(pieces == 3 || pieces == kPieces.size(), "sigmoid has 3 or 8 pieces");
  if (pieces == 3) return done(ctx, three_pieces(p, x, f));
  const RingShare flags = passed(p, x, kKnots, f);
  std::vector<double> starts = {0};
  starts.insert(starts.end(), kKnots.begin(), kKnots.end());
  const RingShare t = subtract(p, x, stepped(p, flags, starts, f));
  const RingShare t2 = p.multiply_shift(t, t, f), t3 = p.multiply_shift(t2, t, f);
  std::array<RingShare, 4> c;
  for (std::size_t j = 0; j < 4; ++j) {
    std::vector<double> values;
    for (const Cubic& cubic : kPieces) values.push_back(cubic[j]);
    c[j] = stepped(p, flags, values, f);
  }
  const RingShare products =
      p.multiply_shift(joined(p, {&c[1], &c[2], &c[3]}), joined(p, {&t, &t2, &t3}), f);
  return done(ctx, add(p, c[0], weighted(p, products, std::array<Words, 3>{1, 1, 1})));
}

constexpr MpcEntry kTable[] = {
    {"exp", exp, counted},         {"log", log, counted},   {"reciprocal", reciprocal, counted},
    {"sigmoid", sigmoid, counted}, {"sqrt", sqrt, counted},
};

}  // namespace
}  // namespace curia::mpc

namespace curia {
std::span<const MpcEntry> mpc_functions() { return mpc::kTable; }
}  // namespace curia
