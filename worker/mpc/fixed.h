// Arithmetic that several functions of real numbers are made of.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "worker/mpc/protocol.h"

namespace curia::mpc {

struct SignedNumber {
  RingShare value;     // the absolute value
  RingShare negative;  // 0 or 1
};
SignedNumber absolute(MpcProtocol& p, const RingShare& x);

// x mod 2^bits, 1 <= bits <= 62.
RingShare low_bits(MpcProtocol& p, const RingShare& x, int bits);
// Bits low..low + count - 1 of n = x.count elements as numbers 0 and 1, [count, n].
RingShare bit_numbers(MpcProtocol& p, const RingShare& x, int low, int count);

// Sum over rows i of x[rows, n] of weights[i] * x[i].
RingShare weighted(MpcProtocol& p, const RingShare& x, std::span<const std::uint64_t> weights);

// Number times fraction bits, rounded to the nearest. The same on every machine.
std::uint64_t scaled(double number, int fraction_bits);

// coefficients[0] + coefficients[1] t + ...; t and the result have `fraction_bits`, |t| <= 1.
RingShare polynomial(MpcProtocol& p, const RingShare& t, std::span<const double> coefficients,
                     int fraction_bits);

// Numbers x of 1 <= x < 2^kNormalBits - 1 in the ring as m 2^(i + 1), 1/2 <= m < 1.
struct Normal {
  RingShare mantissa;  // m with kMantissaBits
  RingShare exponent;  // [kNormalBits, n]: row i is 1 where that is the i, else 0; 0 where x is 0
};
inline constexpr int kMantissaBits = 26;
Normal normalised(MpcProtocol& p, const RingShare& x, int bits);

}  // namespace curia::mpc
