// exp, expm1, log, sine and cosine of a turn for double, written as branch-free arithmetic that the
// compiler can vectorise.
//
// Every step is an IEEE 754 operation in a fixed order and fused multiply-add is off, so results
// are the same on every machine, unlike the C library's. Errors are below 1.5 units in the last
// place (tests compare with long double). Thread: any.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

#include "protocol/simd.h"

namespace curia::math {

inline constexpr double kInf = std::numeric_limits<double>::infinity();
inline constexpr double kLog2e = 0x1.71547652b82fep+0;
inline constexpr double kLn2High = 0x1.62e42fefa3800p-1;  // 42 bits: an integer times it is exact
inline constexpr double kLn2Low = 0x1.ef35793c76730p-45;
// 1.5 * 2^52: adding it rounds a small number to an integer, to be found in the low bits.
inline constexpr double kRound = 0x1.8p52;

// 2^n for -1022 <= n <= 1023, where t = n + kRound.
CURIA_INLINE inline double power_of_two(double t) {
  return std::bit_cast<double>((std::bit_cast<std::uint64_t>(t) + 1023) << 52);
}

// (e^r - 1 - r) / r^2 for |r| <= ln2 / 2: the Taylor series, its remainder below 2^-58.
// Even and odd powers apart: the two chains run side by side.
CURIA_INLINE inline double exp_tail(double r) {
  const double w = r * r;
  double even = 1.0 / 479001600.0;
  even = even * w + 1.0 / 3628800.0;
  even = even * w + 1.0 / 40320.0;
  even = even * w + 1.0 / 720.0;
  even = even * w + 1.0 / 24.0;
  even = even * w + 0.5;
  double odd = 1.0 / 6227020800.0;
  odd = odd * w + 1.0 / 39916800.0;
  odd = odd * w + 1.0 / 362880.0;
  odd = odd * w + 1.0 / 5040.0;
  odd = odd * w + 1.0 / 120.0;
  odd = odd * w + 1.0 / 6.0;
  return odd * r + even;
}

CURIA_INLINE inline double exp(double x) {
  // Beyond these the result is infinity or zero, whatever the value; NaN passes both.
  const double low = x < -746.0 ? -746.0 : x;
  const double z = low > 710.0 ? 710.0 : low;
  const double t = z * kLog2e + kRound;
  const double n = t - kRound;
  const double high = z - n * kLn2High;
  const double carry = n * kLn2Low;
  const double r = high - carry;
  const double slip = (high - r) - carry;  // what rounding r lost
  const double y = 1.0 + (r + (slip + r * r * exp_tail(r)));
  // Two steps, since 2^n alone may be beyond the range where the result is not.
  const double half = n * 0.5 + kRound;
  const double first = half - kRound;
  return y * power_of_two(half) * power_of_two((n - first) + kRound);
}

// e^x - 1 for 0 <= x <= 700.
CURIA_INLINE inline double expm1(double x) {
  const double t = x * kLog2e + kRound;
  const double n = t - kRound;
  const double high = x - n * kLn2High;
  const double carry = n * kLn2Low;
  const double r = high - carry;
  const double slip = (high - r) - carry;
  const double scale = power_of_two(t);
  return scale * (r + (slip + r * r * exp_tail(r))) + (scale - 1.0);
}

CURIA_INLINE inline double tanh(double x) {
  const double size = x < 0 ? -x : x;
  const double e = expm1(2.0 * (size > 22.0 ? 22.0 : size));
  const double y = size > 22.0 ? 1.0 : e / (e + 2.0);
  const double signed_y = x < 0 ? -y : y;
  return x != x || x == 0 ? x : signed_y;
}

CURIA_INLINE inline double sigmoid(double x) {
  const double e = exp(x < 0 ? x : -x);
  return (x < 0 ? e : 1.0) / (1.0 + e);
}

CURIA_INLINE inline double log(double x) {
  // x = 2^e * m with m in [sqrt(1/2), sqrt(2)); subnormals are scaled up first.
  const bool tiny = x < 0x1p-1022;
  const double scaled = tiny ? x * 0x1p54 : x;
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(scaled);
  constexpr std::uint64_t kRootHalf = 0x3fe6a09e667f3bcdULL;  // bits of sqrt(1/2)
  const std::uint64_t above = bits - kRootHalf;
  const std::int64_t exponent = static_cast<std::int64_t>(above) >> 52;
  const double m = std::bit_cast<double>((above & 0x000fffffffffffffULL) + kRootHalf);
  // The exponent as a double, by way of the low bits of kRound.
  const double e = (std::bit_cast<double>(std::bit_cast<std::uint64_t>(kRound) +
                                          static_cast<std::uint64_t>(exponent)) -
                    kRound) -
                   (tiny ? 54.0 : 0.0);
  // log(1 + f) = 2 atanh(s) with s = f / (2 + f); the odd series from s^3 on is `tail`. Written as
  // f - (f^2/2 - s * (f^2/2 + tail)), its large terms are exact or nearly so.
  const double f = m - 1.0;
  const double s = f / (2.0 + f);
  const double w = s * s;
  const double v = w * w;
  double even = 2.0 / 23.0;
  even = even * v + 2.0 / 19.0;
  even = even * v + 2.0 / 15.0;
  even = even * v + 2.0 / 11.0;
  even = even * v + 2.0 / 7.0;
  even = even * v + 2.0 / 3.0;
  double odd = 2.0 / 21.0;
  odd = odd * v + 2.0 / 17.0;
  odd = odd * v + 2.0 / 13.0;
  odd = odd * v + 2.0 / 9.0;
  odd = odd * v + 2.0 / 5.0;
  const double p = odd * w + even;
  const double square = 0.5 * f * f;
  const double tail = w * p;
  const double y = e * kLn2High - ((square - (s * (square + tail) + e * kLn2Low)) - f);
  const double edge = x == 0 ? -kInf : std::numeric_limits<double>::quiet_NaN();
  return x > 0 ? (x == kInf ? x : y) : edge;
}

// Cosine and sine of 2 pi u for 0 <= u <= 1.
CURIA_INLINE inline void sincos_turn(double u, double* cosine, double* sine) {
  const double t = u * 4.0 + kRound;
  const std::uint64_t quarter = std::bit_cast<std::uint64_t>(t);
  const double a = (u * 4.0 - (t - kRound)) * 0x1.921fb54442d18p+0;  // within pi/4
  const double w = a * a;
  double s = -1.0 / 1307674368000.0;
  s = s * w + 1.0 / 6227020800.0;
  s = s * w - 1.0 / 39916800.0;
  s = s * w + 1.0 / 362880.0;
  s = s * w - 1.0 / 5040.0;
  s = s * w + 1.0 / 120.0;
  s = s * w - 1.0 / 6.0;
  s = a + a * (w * s);
  double c = 1.0 / 20922789888000.0;
  c = c * w - 1.0 / 87178291200.0;
  c = c * w + 1.0 / 479001600.0;
  c = c * w - 1.0 / 3628800.0;
  c = c * w + 1.0 / 40320.0;
  c = c * w - 1.0 / 720.0;
  c = c * w + 1.0 / 24.0;
  c = (1.0 - 0.5 * w) + w * w * c;
  const bool swap = (quarter & 1) != 0;
  const double x = swap ? s : c;
  const double y = swap ? c : s;
  *cosine = ((quarter + 1) & 2) != 0 ? -x : x;
  *sine = (quarter & 2) != 0 ? -y : y;
}

}  // namespace curia::math
