#include "worker/mpc/fixed.h"

#include <algorithm>
#include <cmath>

#include "protocol/error.h"
#include "worker/mpc/operands.h"

namespace curia::mpc {
namespace {

using Words = std::uint64_t;

Slice part_of(const Slice& slice, std::int64_t offset, std::int64_t bytes) {
  return slice.data == nullptr ? Slice(slice.owner, nullptr, bytes) : slice.part(offset, bytes);
}

// Planes begin..begin + count of planes of n bits each.
BitShare planes_of(const BitShare& x, int begin, int count, std::int64_t n) {
  const std::int64_t bytes = bit_words(n) * 8;
  return {bytes * 8 * count, part_of(x.first, begin * bytes, count * bytes),
          part_of(x.second, begin * bytes, count * bytes)};
}

// Without the bits between planes.
BitShare close_together(MpcProtocol& p, const BitShare& x, int planes, std::int64_t n) {
  return seen(p, x, View{{planes, n}, {bit_words(n) * 64, 1}, 0});
}

BitShare stacked(MpcProtocol& p, const BitShare& upper, const BitShare& lower) {
  return p.map_bits({&upper, &lower}, upper.count + lower.count,
                    [&](const Words* const* in, Words* out, bool) {
                      out = std::copy_n(in[0], bit_words(upper.count), out);
                      std::copy_n(in[1], bit_words(lower.count), out);
                    });
}

}  // namespace

SignedNumber absolute(MpcProtocol& p, const RingShare& x) {
  SignedNumber number;
  number.negative = p.to_ring(p.sign(x));
  number.value = subtract(p, x, times(p, p.multiply(number.negative, x), 2));
  return number;
}

RingShare bit_numbers(MpcProtocol& p, const RingShare& x, int low, int count) {
  const BitShare planes = p.to_bits(x, low, count);
  return p.to_ring(count == 1 ? planes : close_together(p, planes, count, x.count));
}

RingShare low_bits(MpcProtocol& p, const RingShare& x, int bits) {
  std::vector<Words> weights;
  for (int j = 0; j < bits; ++j) weights.push_back(Words{1} << j);
  return weighted(p, bit_numbers(p, x, 0, bits), weights);
}

RingShare weighted(MpcProtocol& p, const RingShare& x, std::span<const Words> weights) {
  const std::int64_t n = x.count / static_cast<std::int64_t>(weights.size());
  return p.map({&x}, n, [&](const Words* const* in, Words* out, bool) {
    std::fill_n(out, n, Words{0});
    const Words* row = in[0];
    for (const Words weight : weights) {
      for (std::int64_t i = 0; i < n; ++i) out[i] += weight * row[i];
      row += n;
    }
  });
}

Words scaled(double number, int fraction_bits) {
  return static_cast<Words>(std::llround(std::ldexp(number, fraction_bits)));
}

// All powers in as many steps as the degree has binary digits, then one division for the sum.
RingShare polynomial(MpcProtocol& p, const RingShare& t, std::span<const double> coefficients,
                     int fraction_bits) {
  const std::int64_t n = t.count;
  const auto degree = static_cast<std::int64_t>(coefficients.size()) - 1;
  expect(degree >= 1, "a polynomial has a degree of at least 1");
  RingShare powers = t;  // t, t^2, ..., one after the other
  for (std::int64_t have = 1; have < degree;) {
    const std::int64_t more = std::min(have, degree - have);
    const RingShare top = piece(powers, (have - 1) * n, n);  // times t, ..., t^more
    const RingShare repeated = seen(p, top, View{{more, n}, {0, 1}, 0});
    const RingShare next = p.multiply_shift(repeated, piece(powers, 0, more * n), fraction_bits);
    powers = joined(p, {&powers, &next});
    have += more;
  }
  std::vector<Words> weights;
  for (std::int64_t j = 1; j <= degree; ++j) {
    weights.push_back(scaled(coefficients[static_cast<std::size_t>(j)], fraction_bits));
  }
  const RingShare sum = weighted(p, powers, weights);
  return add_constant(p, p.truncate(sum, fraction_bits), scaled(coefficients[0], fraction_bits));
}

// The highest bit set: a prefix of conjunctions of negated bits from the top tells of each bit
// whether it and all above it are 0; it changes at the highest one (Catrina and Saxena, FC 2010,
// section 3; Aly and Smart, ACNS 2019, section 3.2).
Normal normalised(MpcProtocol& p, const RingShare& x, int bits) {
  const std::int64_t n = x.count;
  BitShare clear = negation(p, p.to_bits(x, 0, bits));
  for (int d = 1; d < bits; d *= 2) {
    const BitShare upper = planes_of(clear, bits - d, d, n);  // complete already
    const BitShare both =
        p.conjunction(planes_of(clear, 0, bits - d, n), planes_of(clear, d, bits - d, n));
    clear = stacked(p, both, upper);
  }
  // Plane i is 1 where the highest bit is below i: it differs from plane i + 1 where that is i.
  const std::int64_t words = bit_words(n);
  const BitShare one_hot =
      p.map_bits({&clear}, clear.count, [&](const Words* const* in, Words* out, bool is_constant) {
        const Words above = is_constant ? ~Words{0} : 0;  // nothing is above the top
        for (std::int64_t i = 0; i < bits * words; ++i) {
          out[i] = in[0][i] ^ (i + words < bits * words ? in[0][i + words] : above);
        }
      });
  Normal normal;
  normal.exponent = p.to_ring(close_together(p, one_hot, bits, n));
  std::vector<Words> weights;
  for (int i = 0; i < bits; ++i) weights.push_back(Words{1} << (bits - 1 - i));
  const RingShare aligned = p.multiply(x, weighted(p, normal.exponent, weights));
  normal.mantissa = bits > kMantissaBits ? p.truncate(aligned, bits - kMantissaBits)
                                         : times(p, aligned, Words{1} << (kMantissaBits - bits));
  return normal;
}

}  // namespace curia::mpc
